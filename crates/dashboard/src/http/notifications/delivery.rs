use super::{NotificationAttempt, NotificationDelivery};
use crate::app::{AppError, notifications};
use crate::http::AppState;
use crate::http::extract::{Admin, Id};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// A delivery with what it sends and every attempt.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationDeliveryDetail {
    #[serde(flatten)]
    pub delivery: NotificationDelivery,
    #[schema(value_type = HashMap<String, Value>)]
    pub payload: Value,
    /// Newest first, at most 100.
    pub log: Vec<NotificationAttempt>,
}

/// One delivery
#[utoipa::path(get, path = "/api/v1/notifications/deliveries/{deliveryId}", tag = "notifications",
    security(("session" = [])), params(("deliveryId" = Uuid, Path)),
    responses((status = 200, body = NotificationDeliveryDetail), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn notification_delivery_get(
    State(app): State<AppState>,
    Admin(admin): Admin,
    Id(id): Id<Uuid>,
) -> Result<Json<NotificationDeliveryDetail>, AppError> {
    let (row, log) = notifications::detail(&app, &admin, id).await?;
    let payload = serde_json::from_str(&row.body).unwrap_or_default();
    let log = log.into_iter().map(NotificationAttempt::from).collect();
    Ok(Json(NotificationDeliveryDetail { delivery: row.into(), payload, log }))
}
