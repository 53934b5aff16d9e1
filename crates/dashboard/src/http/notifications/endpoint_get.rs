use super::NotificationEndpoint;
use crate::app::{AppError, notifications};
use crate::http::AppState;
use crate::http::extract::{Admin, Id};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use uuid::Uuid;

/// One endpoint
#[utoipa::path(get, path = "/api/v1/notifications/endpoints/{endpointId}", tag = "notifications",
    security(("session" = [])), params(("endpointId" = Uuid, Path)),
    responses((status = 200, body = NotificationEndpoint), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn notification_endpoint_get(
    State(app): State<AppState>,
    Admin(admin): Admin,
    Id(id): Id<Uuid>,
) -> Result<Json<NotificationEndpoint>, AppError> {
    Ok(Json(notifications::get(&app, &admin, id).await?.into()))
}
