use super::JobDetails;
use crate::app::{AppError, jobs};
use crate::http::AppState;
use crate::http::extract::{Body, Id, SignedIn};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use proxima_types::{JobKind, ServerId};
use serde::Deserialize;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateJobRequest {
    pub kind: JobKind,
    /// Of an install: take over a box that another server of this or another dashboard has.
    #[serde(default)]
    pub replace_other_server: bool,
}

/// Install, update, restart or uninstall
///
/// Queues a job. A 409 says what is missing, or that another job of the server is not finished.
#[utoipa::path(post, path = "/api/v1/servers/{serverId}/jobs", tag = "jobs", security(("session" = [])),
    params(("serverId" = ServerId, Path)), request_body = CreateJobRequest,
    responses((status = 202, body = JobDetails), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn jobs_create(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Id(id): Id<ServerId>,
    Body(input): Body<CreateJobRequest>,
) -> Result<(StatusCode, Json<JobDetails>), AppError> {
    let queued = jobs::queue(&app, &actor, id, input.kind, input.replace_other_server).await?;
    Ok((StatusCode::ACCEPTED, Json(JobDetails::new(queued, 0))))
}
