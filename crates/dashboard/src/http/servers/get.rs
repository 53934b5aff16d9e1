use super::Server;
use crate::app::{AppError, servers};
use crate::http::AppState;
use crate::http::extract::{Id, SignedIn};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use proxima_types::ServerId;

/// One server
#[utoipa::path(get, path = "/api/v1/servers/{serverId}", tag = "servers", security(("session" = [])),
    params(("serverId" = ServerId, Path)),
    responses((status = 200, body = Server), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn servers_get(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Id(id): Id<ServerId>,
) -> Result<Json<Server>, AppError> {
    Ok(Json(servers::get(&app, &actor, id).await?.into()))
}
