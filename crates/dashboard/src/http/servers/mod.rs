//! Servers, for their owner and for admins.

mod config;
mod get;
mod list;
mod update;

use super::AppState;
use super::management::ManagementPort;
use chrono::{DateTime, Utc};
use proxima_db::servers::ServerRow;
use proxima_types::heartbeat::HostFacts;
use proxima_types::{LicenseStatus, ServerId, ServerStatus, UserId};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::servers_list))
        .routes(routes!(get::servers_get, update::servers_update))
        .routes(routes!(config::servers_config_get, config::servers_config_save))
}

/// A server as its owner and the admins see it.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Server {
    pub id: ServerId,
    pub name: String,
    pub owner_id: UserId,
    pub owner_username: String,
    pub status: ServerStatus,
    pub license: LicenseBrief,
    #[schema(required)]
    pub installed_version: Option<String>,
    #[schema(required)]
    pub last_heartbeat_at: Option<DateTime<Utc>>,
    #[schema(required)]
    pub host: Option<HostFacts>,
    /// The license key was replaced without the gateway having been handed the new one (Regenerate, or a rotation that its
    /// limit ended): it refuses visitors until it is installed again.
    pub reinstall_needed: bool,
    /// More than one is an alert: somebody copied the key.
    pub key_in_use_on_hosts: i64,
    /// `null` while it was never tried: nothing is installed or connected.
    #[schema(required)]
    pub management: Option<ManagementPort>,
    pub created_at: DateTime<Utc>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LicenseBrief {
    pub status: LicenseStatus,
    /// Only while `status` is GRACE.
    #[schema(required)]
    pub grace_expires_at: Option<DateTime<Utc>>,
}

/// The date on which service stops, as people see it: only while the status is GRACE.
pub fn visible_grace_end(row: &ServerRow) -> Option<DateTime<Utc>> {
    row.grace_expires_at.filter(|_| row.effective_license() == LicenseStatus::Grace)
}

impl From<ServerRow> for Server {
    fn from(row: ServerRow) -> Self {
        let license = LicenseBrief { status: row.effective_license(), grace_expires_at: visible_grace_end(&row) };
        let status = row.status();
        let host = match (row.os, row.architecture, row.hostname) {
            (Some(os), Some(architecture), Some(hostname)) => Some(HostFacts { os, architecture, hostname }),
            _ => None,
        };
        Self {
            id: ServerId(row.id),
            name: row.name,
            owner_id: UserId(row.owner_id),
            owner_username: row.owner_username,
            status,
            license,
            installed_version: row.installed_version,
            last_heartbeat_at: row.last_heartbeat_at,
            host,
            reinstall_needed: row.reinstall_needed,
            key_in_use_on_hosts: row.key_in_use_on_hosts,
            management: row.management_check.map(|check| ManagementPort::from(check.0)),
            created_at: row.created_at,
        }
    }
}
