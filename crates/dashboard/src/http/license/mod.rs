//! The License card (product.md section 3).

mod get;
mod regenerate;
mod reinstate;
mod reveal;
mod revoke;

use super::AppState;
use super::servers::visible_grace_end;
use chrono::{DateTime, Utc};
use proxima_db::servers::ServerRow;
use proxima_types::license::DEFAULT_GRACE;
use proxima_types::secrets::masked_key;
use proxima_types::{LicenseStatus, ServerId};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get::license_get))
        .routes(routes!(reveal::license_reveal))
        .routes(routes!(regenerate::license_regenerate))
        .routes(routes!(revoke::license_revoke))
        .routes(routes!(reinstate::license_reinstate))
}

/// A server's license, its key masked.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct License {
    pub server_id: ServerId,
    /// `pk_•••••…•Ab3f`.
    pub masked_key: String,
    pub status: LicenseStatus,
    /// Only while `status` is GRACE.
    #[schema(required)]
    pub grace_expires_at: Option<DateTime<Utc>>,
    /// As the newest heartbeat reported it.
    #[schema(required)]
    pub installed_version: Option<String>,
    #[schema(required)]
    pub last_heartbeat_at: Option<DateTime<Utc>>,
    /// What Revoke gives when nothing else is chosen.
    pub default_grace_days: i64,
}

impl From<ServerRow> for License {
    fn from(row: ServerRow) -> Self {
        Self {
            server_id: ServerId(row.id),
            masked_key: masked_key(&row.api_key_last4),
            status: row.effective_license(),
            grace_expires_at: visible_grace_end(&row),
            installed_version: row.installed_version,
            last_heartbeat_at: row.last_heartbeat_at,
            default_grace_days: DEFAULT_GRACE.num_days(),
        }
    }
}
