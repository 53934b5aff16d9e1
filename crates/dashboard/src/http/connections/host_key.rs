use super::{BoxProblem, Connection};
use crate::app::{AppError, connections};
use crate::http::AppState;
use crate::http::extract::{Body, Id, SignedIn};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use proxima_types::ServerId;
use serde::{Deserialize, Serialize};

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostKeyProbe {
    /// With the key as the host showed it, in `shownHostKey`; `hostKeyState` says how it compares.
    pub connection: Connection,
    /// Why none was seen.
    #[schema(required)]
    pub problem: Option<BoxProblem>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfirmHostKeyRequest {
    /// `SHA256:…`, of the key that the host showed last.
    pub fingerprint: String,
}

/// Look at a server's host key
///
/// Connects and exchanges keys; no user name and no credential is sent.
#[utoipa::path(post, path = "/api/v1/servers/{serverId}/connection/host-key", tag = "connection",
    security(("session" = [])), params(("serverId" = ServerId, Path)),
    responses((status = 200, body = HostKeyProbe), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 429, body = Problem)))]
pub(super) async fn connection_host_key_probe(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Id(id): Id<ServerId>,
) -> Result<Json<HostKeyProbe>, AppError> {
    let probed = connections::probe_host_key(&app, &actor, id).await?;
    let problem = probed.problem.map(BoxProblem::from);
    Ok(Json(HostKeyProbe { connection: Some(probed.connection).into(), problem }))
}

/// Confirm a server's host key
///
/// Pins exactly the key with this fingerprint. From then on nothing is sent to a host that shows another.
#[utoipa::path(post, path = "/api/v1/servers/{serverId}/connection/host-key/confirm", tag = "connection",
    security(("session" = [])), params(("serverId" = ServerId, Path)), request_body = ConfirmHostKeyRequest,
    responses((status = 200, body = Connection), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn connection_host_key_confirm(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Id(id): Id<ServerId>,
    Body(input): Body<ConfirmHostKeyRequest>,
) -> Result<Json<Connection>, AppError> {
    Ok(Json(Some(connections::confirm_host_key(&app, &actor, id, &input.fingerprint).await?).into()))
}
