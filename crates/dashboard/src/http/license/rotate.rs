use super::License;
use crate::app::AppError;
use crate::app::licenses::rotation;
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
pub struct RotateRequest {
    /// How long the gateway has to take the new key, 300 to 2,592,000 seconds (5 minutes to 30 days); by default 24 hours.
    pub limit_seconds: Option<u32>,
}

/// Rotate the license key without downtime
///
/// The running gateway is handed a new key in its next heartbeat's answer. The old one ends when the new one was used,
/// or when the limit has passed: a gateway that has not taken the new key by then stops until Install is run again.
/// While a rotation is open it is a 409 `rotation_open`.
#[utoipa::path(post, path = "/api/v1/servers/{serverId}/license/rotate", tag = "license", security(("session" = [])),
    params(("serverId" = ServerId, Path)), request_body = RotateRequest,
    responses((status = 200, body = License), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn license_rotate(
    State(app): State<AppState>,
    SteppedUpAdmin(admin): SteppedUpAdmin,
    Id(id): Id<ServerId>,
    Body(input): Body<RotateRequest>,
) -> Result<Json<License>, AppError> {
    let limit = input.limit_seconds.map(|seconds| Duration::seconds(i64::from(seconds)));
    Ok(Json(rotation::rotate(&app, &admin, id, limit).await?.into()))
}
