use super::NotificationDelivery;
use crate::app::{AppError, notifications};
use crate::http::AppState;
use crate::http::extract::{Admin, Id};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;

/// Send a test event
#[utoipa::path(post, path = "/api/v1/notifications/endpoints/{endpointId}/test", tag = "notifications",
    security(("session" = [])), params(("endpointId" = Uuid, Path)),
    responses((status = 202, body = NotificationDelivery), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub(super) async fn notification_endpoint_test(
    State(app): State<AppState>,
    Admin(admin): Admin,
    Id(id): Id<Uuid>,
) -> Result<(StatusCode, Json<NotificationDelivery>), AppError> {
    Ok((StatusCode::ACCEPTED, Json(notifications::test(&app, &admin, id).await?.into())))
}
