use crate::app::{AppError, notifications};
use crate::http::extract::Admin;
use crate::http::problem::Problem;
use axum::Json;
use serde::Serialize;

#[derive(Serialize, utoipa::ToSchema)]
pub struct NotificationEventList {
    pub items: Vec<NotificationEvent>,
}

/// What endpoints can subscribe to.
#[derive(Serialize, utoipa::ToSchema)]
pub struct NotificationEvent {
    #[serde(rename = "type")]
    #[schema(value_type = notifications::Subscribable)]
    pub kind: &'static str,
    pub title: &'static str,
    pub description: &'static str,
}

/// The events that can be told
#[utoipa::path(get, path = "/api/v1/notifications/events", tag = "notifications", security(("session" = [])),
    responses((status = 200, body = NotificationEventList), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn notification_events(Admin(_admin): Admin) -> Result<Json<NotificationEventList>, AppError> {
    let items = notifications::EventKind::SUBSCRIBABLE
        .iter()
        .map(|kind| NotificationEvent { kind: kind.as_str(), title: kind.title(), description: kind.description() })
        .collect();
    Ok(Json(NotificationEventList { items }))
}
