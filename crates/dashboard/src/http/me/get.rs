use super::Me;
use crate::app::{AppError, sessions};
use crate::http::AppState;
use crate::http::extract::AnySession;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;

/// Who is signed in
#[utoipa::path(get, path = "/api/v1/me", tag = "me", security(("session" = [])),
    responses((status = 200, body = Me), (status = 401, body = Problem)))]
pub(super) async fn me_get(State(app): State<AppState>, AnySession(actor): AnySession) -> Result<Json<Me>, AppError> {
    Ok(Json(sessions::me(&app, &actor).await?.into()))
}
