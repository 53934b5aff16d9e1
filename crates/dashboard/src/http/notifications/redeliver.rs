use super::NotificationDelivery;
use crate::app::{AppError, notifications};
use crate::http::AppState;
use crate::http::extract::{Admin, Id};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use uuid::Uuid;

/// Send a delivery again, with the same id
#[utoipa::path(post, path = "/api/v1/notifications/deliveries/{deliveryId}/redeliver", tag = "notifications",
    security(("session" = [])), params(("deliveryId" = Uuid, Path)),
    responses((status = 202, body = NotificationDelivery), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub(super) async fn notification_delivery_redeliver(
    State(app): State<AppState>,
    Admin(admin): Admin,
    Id(id): Id<Uuid>,
) -> Result<(StatusCode, Json<NotificationDelivery>), AppError> {
    Ok((StatusCode::ACCEPTED, Json(notifications::redeliver(&app, &admin, id).await?.into())))
}
