//! The License card (product.md section 3).

mod get;
mod regenerate;
mod reinstate;
mod reveal;
mod revoke;
mod rotate;
mod rotate_cancel;

use super::AppState;
use super::servers::visible_grace_end;
use crate::app::licenses::LicenseView;
use crate::app::licenses::rotation::DEFAULT_LIMIT;
use chrono::{DateTime, Utc};
use proxima_db::rotations::{EndedRotation, KeyState, OpenRotation};
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
        .routes(routes!(rotate::license_rotate))
        .routes(routes!(rotate_cancel::license_rotate_cancel))
}

/// A server's license, its key masked.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct License {
    pub server_id: ServerId,
    /// The present key, which *reveal* shows: `pk_•••••…•Ab3f`.
    pub masked_key: String,
    /// While a rotation is open.
    #[schema(required)]
    pub rotation: Option<Rotation>,
    /// How the last rotation ended, if the present key came by one.
    #[schema(required)]
    pub last_rotation: Option<LastRotation>,
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
    /// The limit of a rotation when nothing else is chosen.
    pub default_rotation_limit_seconds: i64,
}

/// An open rotation: both keys count.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    pub started_at: DateTime<Utc>,
    /// The name of who began it.
    pub started_by: String,
    /// From then on only the new key counts, whether or not the gateway has taken it.
    pub limit_at: DateTime<Utc>,
    /// The new key.
    pub masked_key: String,
}

/// A rotation that ended with its key in force.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastRotation {
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    /// When a heartbeat with the new key was first accepted. That ended the rotation; if it is later than `endedAt`, or
    /// there was none yet, the limit did.
    #[schema(required)]
    pub adopted_at: Option<DateTime<Utc>>,
}

impl From<OpenRotation> for Rotation {
    fn from(open: OpenRotation) -> Self {
        let OpenRotation { last4, started_at, started_by, limit_at } = open;
        Self { started_at, started_by, limit_at, masked_key: masked_key(&last4) }
    }
}

impl From<EndedRotation> for LastRotation {
    fn from(ended: EndedRotation) -> Self {
        let EndedRotation { started_at, ended_at, adopted_at } = ended;
        Self { started_at, ended_at, adopted_at }
    }
}

impl From<LicenseView> for License {
    fn from(view: LicenseView) -> Self {
        let LicenseView { server: row, keys: KeyState { last4, open, ended } } = view;
        Self {
            server_id: ServerId(row.id),
            masked_key: masked_key(&last4),
            rotation: open.map(Rotation::from),
            last_rotation: ended.map(LastRotation::from),
            status: row.effective_license(),
            grace_expires_at: visible_grace_end(&row),
            installed_version: row.installed_version,
            last_heartbeat_at: row.last_heartbeat_at,
            default_grace_days: DEFAULT_GRACE.num_days(),
            default_rotation_limit_seconds: DEFAULT_LIMIT.num_seconds(),
        }
    }
}
