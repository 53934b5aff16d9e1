//! Platform settings, and the part of them that customers see.

mod certificate;
mod get;
mod platform;
mod update;

use super::AppState;
use chrono::{DateTime, Utc};
use proxima_db::settings::SettingsRow;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get::settings_get, update::settings_update))
        .routes(routes!(certificate::settings_certificate))
        .routes(routes!(platform::platform_get))
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// IPs and CIDRs that customers are shown for their firewalls; the dashboard never enforces it.
    pub dashboard_ip_allowlist: Vec<String>,
    /// IPs and CIDRs that the dashboard may connect to although they are private or its own; none by default.
    pub outbound_allowlist: Vec<String>,
    /// How long an ACTIVE gateway serves without a signed answer, in days; `null` is for ever.
    #[schema(required)]
    pub offline_limit_days: Option<i32>,
    #[schema(required)]
    pub updated_at: Option<DateTime<Utc>>,
}

impl From<SettingsRow> for Settings {
    fn from(row: SettingsRow) -> Self {
        Self {
            dashboard_ip_allowlist: row.dashboard_ip_allowlist,
            outbound_allowlist: row.outbound_allowlist,
            offline_limit_days: row.offline_limit_days,
            updated_at: row.updated_at,
        }
    }
}
