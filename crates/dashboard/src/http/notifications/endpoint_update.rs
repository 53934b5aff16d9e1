use super::NotificationEndpoint;
use crate::app::{AppError, notifications};
use crate::http::AppState;
use crate::http::extract::{Body, Id, SteppedUpAdmin};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateNotificationEndpointRequest {
    /// 1 to 100 characters.
    pub description: String,
    pub url: Option<String>,
    #[serde(default)]
    pub recipients: Vec<String>,
    #[schema(value_type = Vec<notifications::Subscribable>)]
    pub events: Vec<String>,
    /// What waits for a disabled endpoint is called off.
    pub enabled: bool,
}

/// Change an endpoint
#[utoipa::path(put, path = "/api/v1/notifications/endpoints/{endpointId}", tag = "notifications",
    security(("session" = [])), params(("endpointId" = Uuid, Path)), request_body = UpdateNotificationEndpointRequest,
    responses((status = 200, body = NotificationEndpoint), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn notification_endpoint_update(
    State(app): State<AppState>,
    SteppedUpAdmin(admin): SteppedUpAdmin,
    Id(id): Id<Uuid>,
    Body(input): Body<UpdateNotificationEndpointRequest>,
) -> Result<Json<NotificationEndpoint>, AppError> {
    let form = notifications::EndpointForm {
        description: &input.description,
        url: input.url.as_deref(),
        recipients: &input.recipients,
        events: &input.events,
        enabled: input.enabled,
    };
    Ok(Json(notifications::update(&app, &admin, id, &form).await?.into()))
}
