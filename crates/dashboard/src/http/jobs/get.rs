use super::JobDetails;
use crate::app::{AppError, jobs};
use crate::http::AppState;
use crate::http::extract::{Id, Params, SignedIn};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use proxima_types::{JobId, ServerId};
use serde::Deserialize;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct JobQuery {
    /// Only log lines after this one: the `logCursor` of the answer before.
    pub after: Option<i64>,
}

/// A job with its steps and log
#[utoipa::path(get, path = "/api/v1/servers/{serverId}/jobs/{jobId}", tag = "jobs", security(("session" = [])),
    params(("serverId" = ServerId, Path), ("jobId" = JobId, Path), JobQuery),
    responses((status = 200, body = JobDetails), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn jobs_get(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Id((server, job)): Id<(ServerId, JobId)>,
    Params(query): Params<JobQuery>,
) -> Result<Json<JobDetails>, AppError> {
    let after = query.after.unwrap_or(0);
    Ok(Json(JobDetails::new(jobs::get(&app, &actor, server, job, after).await?, after)))
}
