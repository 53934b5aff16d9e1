use super::Settings;
use crate::app::{AppError, settings};
use crate::http::AppState;
use crate::http::extract::Admin;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;

/// Platform settings
#[utoipa::path(get, path = "/api/v1/settings", tag = "settings", security(("session" = [])),
    responses((status = 200, body = Settings), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn settings_get(State(app): State<AppState>, Admin(admin): Admin) -> Result<Json<Settings>, AppError> {
    Ok(Json(settings::get(&app, &admin).await?.into()))
}
