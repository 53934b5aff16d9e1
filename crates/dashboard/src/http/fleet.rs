//! Admin → Fleet.

use super::AppState;
use super::extract::Admin;
use super::problem::Problem;
use crate::app::{AppError, servers};
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use proxima_db::fleet::AttentionRow;
use proxima_types::{ServerId, UserId};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(fleet_get))
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct Fleet {
    pub counts: FleetCounts,
    /// Most urgent first, at most 100.
    pub attention: Vec<AttentionItem>,
}

/// How many servers are in which state. `grace` and `expired` count licenses, the others servers.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FleetCounts {
    pub total: i64,
    pub online: i64,
    pub offline: i64,
    pub grace: i64,
    pub expired: i64,
    pub stopped: i64,
    pub key_retired: i64,
    pub not_installed: i64,
    pub installing: i64,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttentionItem {
    pub server_id: ServerId,
    pub server_name: String,
    pub user_id: UserId,
    pub username: String,
    pub kind: AttentionKind,
    #[schema(required)]
    pub since: Option<DateTime<Utc>>,
    /// One sentence more about it, such as a gateway's reason for rejecting its configuration.
    pub detail: String,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AttentionKind {
    Offline,
    GraceEnding,
    StoppedByLicense,
    KeyRetired,
    KeyInUseOnSeveralHosts,
    ConfigRejected,
}

impl From<AttentionRow> for AttentionItem {
    fn from(row: AttentionRow) -> Self {
        let (kind, detail) = match row.kind.as_str() {
            "OFFLINE" => (AttentionKind::Offline, "Three heartbeats missed, or its ports are closed.".to_owned()),
            "GRACE_ENDING" => (AttentionKind::GraceEnding, service_stops(row.since)),
            "KEY_RETIRED" => (
                AttentionKind::KeyRetired,
                "Its key no longer counts: it serves again once it is installed again.".to_owned(),
            ),
            "STOPPED_BY_LICENSE" => (AttentionKind::StoppedByLicense, "The license has expired.".to_owned()),
            "KEY_IN_USE_ON_SEVERAL_HOSTS" => {
                (AttentionKind::KeyInUseOnSeveralHosts, "Several hosts heartbeat with this license key.".to_owned())
            }
            _ => (AttentionKind::ConfigRejected, row.detail),
        };
        // The end of a grace is no beginning.
        let since = row.since.filter(|_| row.kind != "GRACE_ENDING");
        Self {
            server_id: ServerId(row.server_id),
            server_name: row.server_name,
            user_id: UserId(row.user_id),
            username: row.username,
            kind,
            since,
            detail,
        }
    }
}

fn service_stops(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(String::new, |at| format!("Service stops on {} UTC.", at.format("%-d %b %Y, %H:%M")))
}

/// The fleet at a glance
#[utoipa::path(get, path = "/api/v1/fleet", tag = "fleet", security(("session" = [])),
    responses((status = 200, body = Fleet), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn fleet_get(State(app): State<AppState>, Admin(admin): Admin) -> Result<Json<Fleet>, AppError> {
    let (counts, attention) = servers::fleet(&app, &admin).await?;
    Ok(Json(Fleet {
        counts: FleetCounts {
            total: counts.total,
            online: counts.online,
            offline: counts.offline,
            grace: counts.grace,
            expired: counts.expired,
            stopped: counts.stopped,
            key_retired: counts.key_retired,
            not_installed: counts.not_installed,
            installing: counts.installing,
        },
        attention: attention.into_iter().map(AttentionItem::from).collect(),
    }))
}
