use super::License;
use crate::app::AppError;
use crate::app::licenses::rotation;
use crate::http::AppState;
use crate::http::extract::{Admin, Id};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use proxima_types::ServerId;

/// Cancel an open rotation
///
/// The new key is retired and the present one stays; a gateway that holds the new one already falls back to it. When no
/// rotation is open it is a 409 `no_rotation`.
#[utoipa::path(post, path = "/api/v1/servers/{serverId}/license/rotate/cancel", tag = "license",
    security(("session" = [])), params(("serverId" = ServerId, Path)),
    responses((status = 200, body = License), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn license_rotate_cancel(
    State(app): State<AppState>,
    Admin(admin): Admin,
    Id(id): Id<ServerId>,
) -> Result<Json<License>, AppError> {
    Ok(Json(rotation::cancel(&app, &admin, id).await?.into()))
}
