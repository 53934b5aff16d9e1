//! The queue of deliveries. An attempt holds its delivery by a lease and a fence: a dashboard that dies while it sends is
//! followed by another one, which sends the same event with the same id.

use crate::{DbResult, PgConnection, PgPool};
use chrono::{DateTime, Utc};
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

/// An endpoint with something to send.
#[derive(Clone)]
pub struct DueEndpoint {
    pub id: Uuid,
    pub kind: String,
    pub url: Option<String>,
    pub recipients: Vec<String>,
    pub secret: Option<Vec<u8>>,
    /// While it still signs.
    pub previous_secret: Option<Vec<u8>>,
}

/// The enabled endpoints for which a delivery is due now.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn due(pool: &PgPool) -> DbResult<Vec<DueEndpoint>> {
    Ok(sqlx::query_as!(
        DueEndpoint,
        r#"SELECT id, kind, url, recipients, secret_ciphertext AS secret,
                  CASE WHEN previous_secret_until > clock_timestamp() THEN previous_secret_ciphertext END AS previous_secret
           FROM notification_endpoints e
           WHERE enabled AND (not_before IS NULL OR not_before <= clock_timestamp())
             AND EXISTS (SELECT FROM notification_deliveries d
                         WHERE d.endpoint_id = e.id AND d.state = 'WAITING' AND d.next_attempt_at <= clock_timestamp()
                           AND (d.lease_until IS NULL OR d.lease_until < clock_timestamp()))
           ORDER BY id"#
    )
    .fetch_all(pool)
    .await?)
}

/// A delivery that was taken.
#[derive(Debug, Clone)]
pub struct Taken {
    pub id: Uuid,
    pub fence: i64,
    /// Altogether, this one included.
    pub attempts: i32,
    /// Since somebody last asked for it, this one included.
    pub tries: i32,
    pub event_id: Uuid,
    pub kind: String,
    pub summary: String,
    pub body: String,
    pub created_at: DateTime<Utc>,
    /// The database's clock.
    pub now: DateTime<Utc>,
}

/// Takes due deliveries of an endpoint, oldest first: as many as `places` minus those under way; or, when `together` is
/// set, up to `places` and only while none is under way. An endpoint that another dashboard looks at is passed over.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn take(
    pool: &PgPool,
    endpoint: Uuid,
    lease: PgInterval,
    places: i64,
    together: bool,
) -> DbResult<Vec<Taken>> {
    let mut tx = pool.begin().await?;
    let locked = sqlx::query!(
        r#"SELECT FROM notification_endpoints
           WHERE id = $1 AND enabled AND (not_before IS NULL OR not_before <= clock_timestamp()) FOR UPDATE SKIP LOCKED"#,
        endpoint
    )
    .fetch_optional(&mut *tx)
    .await?;
    if locked.is_none() {
        return Ok(Vec::new());
    }
    let under_way = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM notification_deliveries
           WHERE endpoint_id = $1 AND state = 'WAITING' AND lease_until >= clock_timestamp()"#,
        endpoint
    )
    .fetch_one(&mut *tx)
    .await?;
    let free = if !together {
        places - under_way
    } else if under_way == 0 {
        places
    } else {
        0
    };
    let mut taken = sqlx::query_as!(
        Taken,
        r#"UPDATE notification_deliveries d SET lease_until = clock_timestamp() + $2, fence = fence + 1,
               attempts = attempts + 1, tries = tries + 1
           FROM notification_events e
           WHERE e.id = d.event_id AND d.id IN (
               SELECT id FROM notification_deliveries
               WHERE endpoint_id = $1 AND state = 'WAITING' AND next_attempt_at <= clock_timestamp()
                 AND (lease_until IS NULL OR lease_until < clock_timestamp())
               ORDER BY next_attempt_at, id LIMIT $3 FOR UPDATE SKIP LOCKED)
           RETURNING d.id, d.fence, d.attempts, d.tries, d.event_id, e.type AS kind, e.summary, e.body, e.created_at,
                     clock_timestamp() AS "now!""#,
        endpoint,
        lease,
        free.max(0),
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    taken.sort_by_key(|delivery| (delivery.created_at, delivery.id));
    Ok(taken)
}

/// How an attempt went.
#[derive(Debug, Clone)]
pub struct Attempt<'a> {
    pub duration_ms: i32,
    pub status_code: Option<i32>,
    pub outcome: &'a str,
    pub message: &'a str,
    pub response: Option<&'a str>,
}

/// What becomes of the delivery.
#[derive(Debug, Clone, Copy)]
pub enum Next {
    Delivered,
    Failed,
    After(PgInterval),
}

/// Ends an attempt. `false` when the delivery is not held any more: then nothing has changed.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn record(connection: &mut PgConnection, taken: &Taken, attempt: &Attempt<'_>, next: Next) -> DbResult<bool> {
    let (state, delay) = match next {
        Next::Delivered => ("DELIVERED", None),
        Next::Failed => ("FAILED", None),
        Next::After(delay) => ("WAITING", Some(delay)),
    };
    let held = sqlx::query_scalar!(
        r#"WITH held AS (
               UPDATE notification_deliveries SET state = $3, lease_until = NULL, next_attempt_at = clock_timestamp() + $4::interval,
                   finished_at = CASE WHEN $3 = 'WAITING' THEN NULL ELSE clock_timestamp() END
               WHERE id = $1 AND fence = $2 AND state = 'WAITING' RETURNING id),
           written AS (
               INSERT INTO notification_attempts (delivery_id, number, at, duration_ms, status_code, outcome, message, response)
               SELECT id, $5, $6, $7, $8, $9, $10, $11 FROM held)
           SELECT count(*) AS "held!" FROM held"#,
        taken.id,
        taken.fence,
        state,
        delay,
        taken.attempts,
        taken.now,
        attempt.duration_ms,
        attempt.status_code,
        attempt.outcome,
        attempt.message,
        attempt.response,
    )
    .fetch_one(connection)
    .await?;
    Ok(held == 1)
}

/// Cancels what waits for an endpoint.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn cancel_all(connection: &mut PgConnection, endpoint: Uuid) -> DbResult<u64> {
    let done = sqlx::query!(
        r#"UPDATE notification_deliveries SET state = 'CANCELLED', next_attempt_at = NULL, lease_until = NULL,
               finished_at = clock_timestamp()
           WHERE endpoint_id = $1 AND state = 'WAITING'"#,
        endpoint
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Makes a delivery due now, whatever became of it before. One under way goes on, and is followed by no other.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn send_again(connection: &mut PgConnection, delivery: Uuid) -> DbResult<()> {
    sqlx::query!(
        r#"UPDATE notification_deliveries SET state = 'WAITING', tries = 0, next_attempt_at = clock_timestamp(),
               finished_at = NULL
           WHERE id = $1"#,
        delivery
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What waits, for the metrics.
#[derive(Debug, Clone, Copy)]
pub struct Depth {
    pub waiting: i64,
    /// How long the oldest has been due, in seconds; 0 when none is.
    pub overdue_seconds: f64,
}

/// # Errors
/// See [`crate::DbError`].
pub async fn depth(pool: &PgPool) -> DbResult<Depth> {
    Ok(sqlx::query_as!(
        Depth,
        r#"SELECT count(*) AS "waiting!",
                  greatest(COALESCE(extract(epoch FROM clock_timestamp() - min(next_attempt_at)), 0), 0)::float8 AS "overdue_seconds!"
           FROM notification_deliveries WHERE state = 'WAITING'"#
    )
    .fetch_one(pool)
    .await?)
}
