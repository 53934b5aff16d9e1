//! What happened, and to whom it goes.

use crate::{DbResult, PgConnection};
use chrono::{DateTime, Utc};
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

/// The identity of an event to come: a random id, and the database's clock.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    pub id: Uuid,
    pub now: DateTime<Utc>,
}

/// # Errors
/// See [`crate::DbError`].
pub async fn stamp(connection: &mut PgConnection) -> DbResult<Stamp> {
    Ok(sqlx::query_as!(Stamp, r#"SELECT gen_random_uuid() AS "id!", clock_timestamp() AS "now!""#)
        .fetch_one(connection)
        .await?)
}

/// An event, written out.
#[derive(Debug, Clone, Copy)]
pub struct NewEvent<'a> {
    pub stamp: Stamp,
    pub kind: &'a str,
    pub servers: &'a [Uuid],
    pub summary: &'a str,
    pub body: &'a str,
}

/// Whether an enabled endpoint wants events of this kind.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn is_wanted(connection: &mut PgConnection, kind: &str) -> DbResult<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM notification_endpoints WHERE enabled AND $1 = ANY (events)) AS "wanted!""#,
        kind
    )
    .fetch_one(connection)
    .await?)
}

/// Stores an event and queues it for every enabled endpoint that wants its kind, or for the one named. E-mail waits for
/// `collect`, so that what happens together goes out together.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn publish(
    connection: &mut PgConnection,
    event: NewEvent<'_>,
    only: Option<Uuid>,
    collect: PgInterval,
) -> DbResult<Vec<Uuid>> {
    sqlx::query!(
        "INSERT INTO notification_events (id, type, servers, summary, body, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        event.stamp.id,
        event.kind,
        event.servers,
        event.summary,
        event.body,
        event.stamp.now,
    )
    .execute(&mut *connection)
    .await?;
    Ok(sqlx::query_scalar!(
        r#"INSERT INTO notification_deliveries (endpoint_id, event_id, next_attempt_at)
           SELECT id, $1, clock_timestamp() + CASE WHEN kind = 'EMAIL' THEN $4 ELSE interval '0' END
           FROM notification_endpoints
           WHERE enabled AND CASE WHEN $3::uuid IS NULL THEN $2 = ANY (events) ELSE id = $3 END
           ORDER BY id RETURNING id"#,
        event.stamp.id,
        event.kind,
        only,
        collect,
    )
    .fetch_all(connection)
    .await?)
}

/// Calls off what waits of the events of this kind that speak of this server alone.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn call_off(connection: &mut PgConnection, kind: &str, server: Uuid) -> DbResult<()> {
    sqlx::query!(
        r#"UPDATE notification_deliveries d SET state = 'CANCELLED', next_attempt_at = NULL, lease_until = NULL,
               finished_at = clock_timestamp()
           FROM notification_events e
           WHERE e.id = d.event_id AND e.type = $1 AND e.servers = ARRAY[$2]::uuid[] AND d.state = 'WAITING'"#,
        kind,
        server,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets what is older than `age`, with its deliveries, at most 5,000 at a time. What waits is kept.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn forget_old(executor: impl sqlx::PgExecutor<'_>, age: PgInterval) -> DbResult<u64> {
    let done = sqlx::query!(
        r#"DELETE FROM notification_events WHERE id IN (
               SELECT e.id FROM notification_events e
               WHERE e.created_at < clock_timestamp() - $1::interval
                 AND NOT EXISTS (SELECT FROM notification_deliveries d WHERE d.event_id = e.id AND d.state = 'WAITING')
               ORDER BY e.created_at LIMIT 5000 FOR UPDATE SKIP LOCKED)"#,
        age
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected())
}
