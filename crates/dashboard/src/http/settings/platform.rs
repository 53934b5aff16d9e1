use crate::app::{AppError, jobs, settings};
use crate::http::AppState;
use crate::http::extract::SignedIn;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use serde::Serialize;

/// What every signed-in person may know of the platform.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Platform {
    pub dashboard_ip_allowlist: Vec<String>,
    /// Of the dashboard.
    pub version: &'static str,
    /// Why nothing can be installed from here, for people; `null` where it can.
    #[schema(required)]
    pub install_refusal: Option<String>,
}

/// About this platform
#[utoipa::path(get, path = "/api/v1/platform", tag = "settings", security(("session" = [])),
    responses((status = 200, body = Platform), (status = 401, body = Problem)))]
pub(super) async fn platform_get(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
) -> Result<Json<Platform>, AppError> {
    let settings = settings::get(&app, &actor).await?;
    let version = env!("CARGO_PKG_VERSION");
    let install_refusal = app.config.gateway_url.is_none().then(|| jobs::no_gateway_url().to_string());
    Ok(Json(Platform { dashboard_ip_allowlist: settings.dashboard_ip_allowlist, version, install_refusal }))
}
