use super::License;
use crate::app::{AppError, licenses};
use crate::http::AppState;
use crate::http::extract::{Id, SteppedUpAdmin};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use proxima_types::ServerId;

/// Regenerate the license key
///
/// The old key answers 401 from its next heartbeat: the gateway stops until Install is run again.
#[utoipa::path(post, path = "/api/v1/servers/{serverId}/license/regenerate", tag = "license", security(("session" = [])),
    params(("serverId" = ServerId, Path)),
    responses((status = 200, body = License), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
pub(super) async fn license_regenerate(
    State(app): State<AppState>,
    SteppedUpAdmin(admin): SteppedUpAdmin,
    Id(id): Id<ServerId>,
) -> Result<Json<License>, AppError> {
    Ok(Json(licenses::regenerate(&app, &admin, id).await?.into()))
}
