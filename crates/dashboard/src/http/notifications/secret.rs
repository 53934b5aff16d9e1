use crate::app::{AppError, notifications};
use crate::http::AppState;
use crate::http::extract::{Id, SteppedUpAdmin};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

/// What a webhook's requests are signed with.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationSecret {
    pub secret: String,
    /// While it signs too.
    #[schema(required)]
    pub previous_secret: Option<String>,
    #[schema(required)]
    pub previous_secret_until: Option<DateTime<Utc>>,
}

impl From<notifications::Shown> for NotificationSecret {
    fn from(shown: notifications::Shown) -> Self {
        Self {
            secret: shown.secret.to_string(),
            previous_secret: shown.previous.map(|secret| secret.to_string()),
            previous_secret_until: shown.previous_until,
        }
    }
}

/// Show a webhook's secret
#[utoipa::path(post, path = "/api/v1/notifications/endpoints/{endpointId}/secret/reveal", tag = "notifications",
    security(("session" = [])), params(("endpointId" = Uuid, Path)),
    responses((status = 200, body = NotificationSecret), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn notification_secret_reveal(
    State(app): State<AppState>,
    SteppedUpAdmin(admin): SteppedUpAdmin,
    Id(id): Id<Uuid>,
) -> Result<Json<NotificationSecret>, AppError> {
    Ok(Json(notifications::reveal(&app, &admin, id).await?.into()))
}

/// Replace a webhook's secret; the present one signs too for 24 hours
#[utoipa::path(post, path = "/api/v1/notifications/endpoints/{endpointId}/secret/rotate", tag = "notifications",
    security(("session" = [])), params(("endpointId" = Uuid, Path)),
    responses((status = 200, body = NotificationSecret), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn notification_secret_rotate(
    State(app): State<AppState>,
    SteppedUpAdmin(admin): SteppedUpAdmin,
    Id(id): Id<Uuid>,
) -> Result<Json<NotificationSecret>, AppError> {
    Ok(Json(notifications::rotate(&app, &admin, id).await?.into()))
}
