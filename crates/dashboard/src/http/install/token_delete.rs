use crate::app::{AppError, install_tokens};
use crate::http::AppState;
use crate::http::extract::{Id, SignedIn};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use proxima_types::ServerId;

/// Withdraw an install command
///
/// Nobody can begin an install with it any more. A server that has begun with it goes on.
#[utoipa::path(delete, path = "/api/v1/servers/{serverId}/install-token", tag = "install", security(("session" = [])),
    params(("serverId" = ServerId, Path)),
    responses((status = 204), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn install_token_delete(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Id(id): Id<ServerId>,
) -> Result<StatusCode, AppError> {
    install_tokens::withdraw(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
