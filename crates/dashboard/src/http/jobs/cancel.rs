use super::JobDetails;
use crate::app::{AppError, jobs};
use crate::http::AppState;
use crate::http::extract::{Id, SignedIn};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use proxima_types::{JobId, ServerId};

/// Cancel a job
///
/// A queued one ends at once; a running one puts back what it changed first.
#[utoipa::path(post, path = "/api/v1/servers/{serverId}/jobs/{jobId}/cancel", tag = "jobs", security(("session" = [])),
    params(("serverId" = ServerId, Path), ("jobId" = JobId, Path)),
    responses((status = 200, body = JobDetails), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub(super) async fn jobs_cancel(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Id((server, job)): Id<(ServerId, JobId)>,
) -> Result<Json<JobDetails>, AppError> {
    Ok(Json(JobDetails::new(jobs::cancel(&app, &actor, server, job).await?, 0)))
}
