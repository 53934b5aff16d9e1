use crate::app::{AppError, notifications};
use crate::http::AppState;
use crate::http::extract::{Id, SteppedUpAdmin};
use crate::http::problem::Problem;
use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;

/// Delete an endpoint with its log
#[utoipa::path(delete, path = "/api/v1/notifications/endpoints/{endpointId}", tag = "notifications",
    security(("session" = [])), params(("endpointId" = Uuid, Path)),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn notification_endpoint_delete(
    State(app): State<AppState>,
    SteppedUpAdmin(admin): SteppedUpAdmin,
    Id(id): Id<Uuid>,
) -> Result<StatusCode, AppError> {
    notifications::delete(&app, &admin, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
