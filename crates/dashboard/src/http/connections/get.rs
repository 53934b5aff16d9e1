use super::Connection;
use crate::app::{AppError, connections};
use crate::http::AppState;
use crate::http::extract::{Id, SignedIn};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use proxima_types::ServerId;

/// How a server is reached
#[utoipa::path(get, path = "/api/v1/servers/{serverId}/connection", tag = "connection", security(("session" = [])),
    params(("serverId" = ServerId, Path)),
    responses((status = 200, body = Connection), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn connection_get(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Id(id): Id<ServerId>,
) -> Result<Json<Connection>, AppError> {
    Ok(Json(connections::get(&app, &actor, id).await?.into()))
}
