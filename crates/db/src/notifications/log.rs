//! The log of deliveries.

use crate::page::{Page, fetch_count};
use crate::{DbResult, PgPool};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A delivery, with its last attempt.
#[derive(Debug, Clone)]
pub struct DeliveryRow {
    pub id: Uuid,
    pub endpoint_id: Uuid,
    pub endpoint_enabled: bool,
    pub endpoint_description: String,
    pub event_id: Uuid,
    pub event_type: String,
    pub summary: String,
    pub body: String,
    pub state: String,
    pub attempts: i32,
    pub created_at: DateTime<Utc>,
    pub next_attempt_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub number: Option<i32>,
    pub at: Option<DateTime<Utc>>,
    pub duration_ms: Option<i32>,
    pub status_code: Option<i32>,
    pub outcome: Option<String>,
    pub message: Option<String>,
    pub response: Option<String>,
}

/// An attempt.
#[derive(Debug, Clone)]
pub struct AttemptRow {
    pub number: i32,
    pub at: DateTime<Utc>,
    pub duration_ms: i32,
    pub status_code: Option<i32>,
    pub outcome: String,
    pub message: String,
    pub response: Option<String>,
}

impl DeliveryRow {
    #[must_use]
    pub fn last_attempt(&self) -> Option<AttemptRow> {
        Some(AttemptRow {
            number: self.number?,
            at: self.at?,
            duration_ms: self.duration_ms?,
            status_code: self.status_code,
            outcome: self.outcome.clone()?,
            message: self.message.clone()?,
            response: self.response.clone(),
        })
    }
}

/// A place in the list of an endpoint's deliveries.
pub type Cursor = (DateTime<Utc>, Uuid);

/// An endpoint's deliveries, newest first, before the row `before`.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn list(
    pool: &PgPool,
    endpoint: Uuid,
    state: Option<&str>,
    before: Option<Cursor>,
    limit: u32,
) -> DbResult<Page<DeliveryRow, Cursor>> {
    let (at, id) = before.unzip();
    let rows = sqlx::query_as!(
        DeliveryRow,
        r#"SELECT d.id, d.endpoint_id, p.enabled AS endpoint_enabled, p.description AS endpoint_description, d.event_id,
                  e.type AS event_type, e.summary, '' AS "body!", d.state, d.attempts, d.created_at, d.next_attempt_at,
                  d.finished_at, a.number AS "number?", a.at AS "at?", a.duration_ms AS "duration_ms?",
                  a.status_code AS "status_code?", a.outcome AS "outcome?", a.message AS "message?", a.response AS "response?"
           FROM notification_deliveries d
           JOIN notification_endpoints p ON p.id = d.endpoint_id
           JOIN notification_events e ON e.id = d.event_id
           LEFT JOIN LATERAL (SELECT * FROM notification_attempts a WHERE a.delivery_id = d.id
                              ORDER BY number DESC LIMIT 1) a ON true
           WHERE d.endpoint_id = $1 AND ($2::text IS NULL OR d.state = $2)
             AND ($3::timestamptz IS NULL OR (d.created_at, d.id) < ($3, $4::uuid))
           ORDER BY d.created_at DESC, d.id DESC LIMIT $5"#,
        endpoint,
        state,
        at,
        id,
        fetch_count(limit),
    )
    .fetch_all(pool)
    .await?;
    Ok(Page::from_rows(rows, limit, |row| (row.created_at, row.id)))
}

/// One delivery, with what it sends.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn find(executor: impl sqlx::PgExecutor<'_>, id: Uuid) -> DbResult<Option<DeliveryRow>> {
    Ok(sqlx::query_as!(
        DeliveryRow,
        r#"SELECT d.id, d.endpoint_id, p.enabled AS endpoint_enabled, p.description AS endpoint_description, d.event_id,
                  e.type AS event_type, e.summary, e.body, d.state, d.attempts, d.created_at, d.next_attempt_at,
                  d.finished_at, a.number AS "number?", a.at AS "at?", a.duration_ms AS "duration_ms?",
                  a.status_code AS "status_code?", a.outcome AS "outcome?", a.message AS "message?", a.response AS "response?"
           FROM notification_deliveries d
           JOIN notification_endpoints p ON p.id = d.endpoint_id
           JOIN notification_events e ON e.id = d.event_id
           LEFT JOIN LATERAL (SELECT * FROM notification_attempts a WHERE a.delivery_id = d.id
                              ORDER BY number DESC LIMIT 1) a ON true
           WHERE d.id = $1"#,
        id
    )
    .fetch_optional(executor)
    .await?)
}

/// The attempts of a delivery, newest first, at most 100.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn attempts(pool: &PgPool, delivery: Uuid) -> DbResult<Vec<AttemptRow>> {
    Ok(sqlx::query_as!(
        AttemptRow,
        r#"SELECT number, at, duration_ms, status_code, outcome, message, response
           FROM notification_attempts WHERE delivery_id = $1 ORDER BY number DESC LIMIT 100"#,
        delivery
    )
    .fetch_all(pool)
    .await?)
}
