use super::bearer;
use crate::app::{AppError, install_tokens};
use crate::http::AppState;
use crate::http::extract::{Body, Id};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::{FromRequest as _, Request, State};
use proxima_types::JobId;
use proxima_types::enroll::{ReportAnswer, ReportRequest};

/// Report of a server that installs itself
///
/// With the report token that the server chose in its claim. A 409 says that the job has ended: the server undoes what it
/// did.
#[utoipa::path(post, path = "/api/v1/install/jobs/{jobId}/report", tag = "install", security(("installToken" = [])),
    params(("jobId" = JobId, Path)), request_body = ReportRequest,
    responses((status = 200, body = ReportAnswer), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn install_report(
    State(app): State<AppState>,
    Id(job): Id<JobId>,
    request: Request,
) -> Result<Json<ReportAnswer>, AppError> {
    let token = bearer(request.headers()).to_owned();
    install_tokens::known_reporter(&app, job, &token).await?;
    let Body(report) = Body::from_request(request, &app).await?;
    Ok(Json(install_tokens::report(&app, job, &token, report).await?))
}
