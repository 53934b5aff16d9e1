use super::License;
use crate::app::{AppError, licenses};
use crate::http::AppState;
use crate::http::extract::{Admin, Id};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use proxima_types::ServerId;

/// A server's license
#[utoipa::path(get, path = "/api/v1/servers/{serverId}/license", tag = "license", security(("session" = [])),
    params(("serverId" = ServerId, Path)),
    responses((status = 200, body = License), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
pub(super) async fn license_get(
    State(app): State<AppState>,
    Admin(admin): Admin,
    Id(id): Id<ServerId>,
) -> Result<Json<License>, AppError> {
    Ok(Json(licenses::get(&app, &admin, id).await?.into()))
}
