use super::License;
use crate::app::{AppError, licenses};
use crate::http::AppState;
use crate::http::extract::{Body, Id, SteppedUpAdmin};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use chrono::Duration;
use proxima_types::ServerId;
use serde::Deserialize;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevokeRequest {
    /// How long traffic still flows, 0 to 31,622,400 seconds (366 days); by default 5 days.
    pub grace_seconds: Option<u32>,
}

/// Revoke the license
///
/// From ACTIVE only; from any other state it is a 409 that says which.
#[utoipa::path(post, path = "/api/v1/servers/{serverId}/license/revoke", tag = "license", security(("session" = [])),
    params(("serverId" = ServerId, Path)), request_body = RevokeRequest,
    responses((status = 200, body = License), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn license_revoke(
    State(app): State<AppState>,
    SteppedUpAdmin(admin): SteppedUpAdmin,
    Id(id): Id<ServerId>,
    Body(input): Body<RevokeRequest>,
) -> Result<Json<License>, AppError> {
    let grace = input.grace_seconds.map(|seconds| Duration::seconds(i64::from(seconds)));
    Ok(Json(licenses::revoke(&app, &admin, id, grace).await?.into()))
}
