use super::{EndpointKind, NotificationEndpoint};
use crate::app::{AppError, notifications};
use crate::http::AppState;
use crate::http::extract::{Body, SteppedUpAdmin};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateNotificationEndpointRequest {
    pub kind: EndpointKind,
    /// 1 to 100 characters.
    pub description: String,
    /// Of a webhook: https, or http to addresses in the outbound ranges of the settings.
    pub url: Option<String>,
    /// Of e-mail: 1 to 20 addresses.
    #[serde(default)]
    pub recipients: Vec<String>,
    #[schema(value_type = Vec<notifications::Subscribable>)]
    pub events: Vec<String>,
    pub enabled: bool,
}

#[derive(Serialize, utoipa::ToSchema)]
pub struct CreatedNotificationEndpoint {
    pub endpoint: NotificationEndpoint,
    /// What a webhook's requests are signed with.
    #[schema(required)]
    pub secret: Option<String>,
}

/// Make an endpoint
#[utoipa::path(post, path = "/api/v1/notifications/endpoints", tag = "notifications", security(("session" = [])),
    request_body = CreateNotificationEndpointRequest,
    responses((status = 201, body = CreatedNotificationEndpoint), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn notification_endpoint_create(
    State(app): State<AppState>,
    SteppedUpAdmin(admin): SteppedUpAdmin,
    Body(input): Body<CreateNotificationEndpointRequest>,
) -> Result<(StatusCode, Json<CreatedNotificationEndpoint>), AppError> {
    let form = notifications::EndpointForm {
        description: &input.description,
        url: input.url.as_deref(),
        recipients: &input.recipients,
        events: &input.events,
        enabled: input.enabled,
    };
    let (row, secret) = notifications::create(&app, &admin, input.kind == EndpointKind::Webhook, &form).await?;
    let secret = secret.map(|secret| secret.to_string());
    Ok((StatusCode::CREATED, Json(CreatedNotificationEndpoint { endpoint: row.into(), secret })))
}
