use super::License;
use crate::app::{AppError, licenses};
use crate::http::AppState;
use crate::http::extract::{Admin, Id};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use proxima_types::ServerId;

/// Reinstate the license
///
/// From GRACE or EXPIRED; from ACTIVE it is a 409 that says so.
#[utoipa::path(post, path = "/api/v1/servers/{serverId}/license/reinstate", tag = "license", security(("session" = [])),
    params(("serverId" = ServerId, Path)),
    responses((status = 200, body = License), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn license_reinstate(
    State(app): State<AppState>,
    Admin(admin): Admin,
    Id(id): Id<ServerId>,
) -> Result<Json<License>, AppError> {
    Ok(Json(licenses::reinstate(&app, &admin, id).await?.into()))
}
