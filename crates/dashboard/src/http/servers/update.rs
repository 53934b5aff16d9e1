use super::Server;
use crate::app::{AppError, servers};
use crate::http::AppState;
use crate::http::extract::{Body, Id, SignedIn};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use proxima_types::ServerId;
use serde::Deserialize;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateServerRequest {
    /// 1 to 64 characters.
    pub name: String,
}

/// Rename a server
#[utoipa::path(patch, path = "/api/v1/servers/{serverId}", tag = "servers", security(("session" = [])),
    params(("serverId" = ServerId, Path)), request_body = UpdateServerRequest,
    responses((status = 200, body = Server), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn servers_update(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Id(id): Id<ServerId>,
    Body(input): Body<UpdateServerRequest>,
) -> Result<Json<Server>, AppError> {
    Ok(Json(servers::rename(&app, &actor, id, &input.name).await?.into()))
}
