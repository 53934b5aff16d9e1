use super::Settings;
use crate::app::{AppError, settings};
use crate::http::AppState;
use crate::http::extract::{Body, SteppedUpAdmin};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateSettingsRequest {
    /// At most 256 IPs and CIDRs.
    pub dashboard_ip_allowlist: Vec<String>,
    /// At most 256 IPs and CIDRs; left as it is when missing.
    pub outbound_allowlist: Option<Vec<String>>,
    /// 1 to 3650, or `null` for no limit.
    pub offline_limit_days: Option<u32>,
}

/// Change the platform settings
#[utoipa::path(put, path = "/api/v1/settings", tag = "settings", security(("session" = [])),
    request_body = UpdateSettingsRequest,
    responses((status = 200, body = Settings), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn settings_update(
    State(app): State<AppState>,
    SteppedUpAdmin(admin): SteppedUpAdmin,
    Body(input): Body<UpdateSettingsRequest>,
) -> Result<Json<Settings>, AppError> {
    let input = settings::SaveSettings {
        dashboard_ip_allowlist: &input.dashboard_ip_allowlist,
        outbound_allowlist: input.outbound_allowlist.as_deref(),
        offline_limit_days: input.offline_limit_days,
    };
    Ok(Json(settings::save(&app, &admin, input).await?.into()))
}
