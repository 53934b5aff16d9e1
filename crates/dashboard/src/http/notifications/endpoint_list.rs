use super::NotificationEndpoint;
use crate::app::{AppError, notifications};
use crate::http::AppState;
use crate::http::extract::Admin;
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use serde::Serialize;

#[derive(Serialize, utoipa::ToSchema)]
pub struct NotificationEndpointList {
    pub items: Vec<NotificationEndpoint>,
}

/// Every endpoint
#[utoipa::path(get, path = "/api/v1/notifications/endpoints", tag = "notifications", security(("session" = [])),
    responses((status = 200, body = NotificationEndpointList), (status = 401, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn notification_endpoint_list(
    State(app): State<AppState>,
    Admin(admin): Admin,
) -> Result<Json<NotificationEndpointList>, AppError> {
    let rows = notifications::list(&app, &admin).await?;
    Ok(Json(NotificationEndpointList { items: rows.into_iter().map(NotificationEndpoint::from).collect() }))
}
