use crate::app::{AppError, connections};
use crate::http::AppState;
use crate::http::extract::{Id, SignedIn};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use proxima_types::ServerId;

/// Forget a server's access
///
/// Its address, host key and stored login. What runs on the box goes on.
#[utoipa::path(delete, path = "/api/v1/servers/{serverId}/connection", tag = "connection", security(("session" = [])),
    params(("serverId" = ServerId, Path)),
    responses((status = 204), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub(super) async fn connection_forget(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Id(id): Id<ServerId>,
) -> Result<StatusCode, AppError> {
    connections::forget(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
