//! Settings → Notifications: who is told what, and the log of deliveries.

mod deliveries;
mod delivery;
mod endpoint_create;
mod endpoint_delete;
mod endpoint_get;
mod endpoint_list;
mod endpoint_update;
mod events;
mod redeliver;
mod secret;
mod settings_get;
mod settings_test;
mod settings_update;
mod test;

use super::AppState;
use crate::app::notifications::{EventKind, Subscribable};
use crate::delivery::OutcomeCode;
use chrono::{DateTime, Utc};
use proxima_db::notifications::endpoints::EndpointRow;
use proxima_db::notifications::log::{AttemptRow, DeliveryRow};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(events::notification_events))
        .routes(routes!(endpoint_list::notification_endpoint_list, endpoint_create::notification_endpoint_create))
        .routes(routes!(
            endpoint_get::notification_endpoint_get,
            endpoint_update::notification_endpoint_update,
            endpoint_delete::notification_endpoint_delete
        ))
        .routes(routes!(secret::notification_secret_reveal))
        .routes(routes!(secret::notification_secret_rotate))
        .routes(routes!(test::notification_endpoint_test))
        .routes(routes!(deliveries::notification_delivery_list))
        .routes(routes!(delivery::notification_delivery_get))
        .routes(routes!(redeliver::notification_delivery_redeliver))
        .routes(routes!(settings_get::notification_settings_get, settings_update::notification_settings_update))
        .routes(routes!(settings_test::notification_settings_test))
}

#[derive(Serialize, Deserialize, utoipa::ToSchema, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum EndpointKind {
    Webhook,
    Email,
}

/// Why an endpoint is disabled.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DisabledReason {
    ByAdmin,
    /// It answered 410 Gone.
    Gone,
    /// Nothing got through for 5 days.
    Failures,
}

/// A webhook, or a list of e-mail recipients.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationEndpoint {
    pub id: Uuid,
    pub kind: EndpointKind,
    pub description: String,
    #[schema(required)]
    pub url: Option<String>,
    pub recipients: Vec<String>,
    #[schema(value_type = Vec<Subscribable>)]
    pub events: Vec<String>,
    pub enabled: bool,
    #[schema(required)]
    pub disabled_reason: Option<DisabledReason>,
    #[schema(required)]
    pub disabled_at: Option<DateTime<Utc>>,
    /// Since when nothing has got through.
    #[schema(required)]
    pub failing_since: Option<DateTime<Utc>>,
    #[schema(required)]
    pub last_delivered_at: Option<DateTime<Utc>>,
    /// Deliveries that wait.
    pub waiting: i64,
    /// Until then the secret before the last rotation signs too.
    #[schema(required)]
    pub previous_secret_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl From<EndpointRow> for NotificationEndpoint {
    fn from(row: EndpointRow) -> Self {
        Self {
            id: row.id,
            kind: if row.kind == "EMAIL" { EndpointKind::Email } else { EndpointKind::Webhook },
            description: row.description,
            url: row.url,
            recipients: row.recipients,
            events: row.events,
            enabled: row.enabled,
            disabled_reason: row.disabled_reason.as_deref().map(|reason| match reason {
                "GONE" => DisabledReason::Gone,
                "FAILURES" => DisabledReason::Failures,
                _ => DisabledReason::ByAdmin,
            }),
            disabled_at: row.disabled_at,
            failing_since: row.failing_since,
            last_delivered_at: row.last_delivered_at,
            waiting: row.waiting,
            previous_secret_until: row.previous_secret_until,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

#[derive(Serialize, Deserialize, utoipa::ToSchema, Clone, Copy)]
#[serde(rename_all = "UPPERCASE")]
pub enum NotificationState {
    Waiting,
    Delivered,
    Failed,
    Cancelled,
}

impl NotificationState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Delivered => "DELIVERED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// The CHECK on the column lets no other word in.
    fn parse(text: &str) -> Self {
        let all = [Self::Waiting, Self::Delivered, Self::Failed];
        all.into_iter().find(|state| state.as_str() == text).unwrap_or(Self::Cancelled)
    }
}

/// One event for one endpoint.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationDelivery {
    pub id: Uuid,
    pub endpoint_id: Uuid,
    /// The `webhook-id` that receivers see.
    pub event_id: String,
    #[schema(value_type = EventKind)]
    pub event_type: String,
    pub summary: String,
    pub state: NotificationState,
    /// Begun so far.
    pub attempts: i32,
    pub created_at: DateTime<Utc>,
    #[schema(required)]
    pub next_attempt_at: Option<DateTime<Utc>>,
    #[schema(required)]
    pub finished_at: Option<DateTime<Utc>>,
    #[schema(required)]
    pub last_attempt: Option<NotificationAttempt>,
}

impl From<DeliveryRow> for NotificationDelivery {
    fn from(row: DeliveryRow) -> Self {
        Self {
            last_attempt: row.last_attempt().map(NotificationAttempt::from),
            id: row.id,
            endpoint_id: row.endpoint_id,
            event_id: crate::app::notifications::message_id(row.event_id),
            event_type: row.event_type,
            summary: row.summary,
            state: NotificationState::parse(&row.state),
            attempts: row.attempts,
            created_at: row.created_at,
            next_attempt_at: row.next_attempt_at,
            finished_at: row.finished_at,
        }
    }
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotificationAttempt {
    pub number: i32,
    pub at: DateTime<Utc>,
    pub duration_ms: i32,
    /// Of HTTP or SMTP.
    #[schema(required)]
    pub status_code: Option<i32>,
    pub outcome: OutcomeCode,
    pub message: String,
    /// The first KiB of what the receiver said, without control characters.
    #[schema(required)]
    pub response: Option<String>,
}

impl From<AttemptRow> for NotificationAttempt {
    fn from(row: AttemptRow) -> Self {
        Self {
            number: row.number,
            at: row.at,
            duration_ms: row.duration_ms,
            status_code: row.status_code,
            outcome: OutcomeCode::from_stored(&row.outcome),
            message: row.message,
            response: row.response,
        }
    }
}
