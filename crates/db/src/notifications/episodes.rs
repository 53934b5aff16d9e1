//! Conditions of servers that are told when they begin, and some when they end. Whoever inserts the row of an episode tells
//! it, in the same transaction; so however many dashboards look, and however often, it is told once.

use crate::{DbResult, PgConnection};
use chrono::{DateTime, Utc};
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

/// How many episodes one look opens or closes at most; the next one goes on.
const AT_ONCE: i64 = 10_000;

/// A server that an event speaks of.
#[derive(Debug, Clone)]
pub struct Subject {
    pub id: Uuid,
    pub name: String,
    pub owner_username: String,
    /// By the database's clock.
    pub license_status: String,
    pub grace_expires_at: Option<DateTime<Utc>>,
    pub last_heartbeat_at: Option<DateTime<Utc>>,
}

/// The servers named, as they are now.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn subjects(connection: &mut PgConnection, ids: &[Uuid]) -> DbResult<Vec<Subject>> {
    Ok(sqlx::query_as!(
        Subject,
        r#"SELECT s.id, s.name, u.username AS owner_username,
                  license_status_at(s.license_status, s.grace_expires_at, clock_timestamp()) AS "license_status!",
                  s.grace_expires_at,
                  (SELECT max(last_heartbeat_at) FROM gateway_installs g WHERE g.server_id = s.id) AS last_heartbeat_at
           FROM servers s JOIN users u ON u.id = s.owner_id WHERE s.id = ANY ($1) ORDER BY u.username, s.id"#,
        ids
    )
    .fetch_all(connection)
    .await?)
}

/// Notes that a dashboard listens. When nobody has for longer than `gap`, the listening begins anew.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn note_listening(executor: impl sqlx::PgExecutor<'_>, gap: PgInterval) -> DbResult<()> {
    sqlx::query!(
        r#"UPDATE notification_watch SET
               since = CASE WHEN seen_at < clock_timestamp() - $1::interval THEN clock_timestamp() ELSE since END,
               seen_at = clock_timestamp()
           WHERE singleton IN (SELECT singleton FROM notification_watch FOR UPDATE SKIP LOCKED)"#,
        gap
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Whether it is time to look through the fleet: once in `every`, for all dashboards together.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn begin_look(executor: impl sqlx::PgExecutor<'_>, every: PgInterval) -> DbResult<bool> {
    let begun = sqlx::query!(
        "UPDATE notification_watch SET scanned_at = clock_timestamp() WHERE scanned_at <= clock_timestamp() - $1::interval",
        every
    )
    .execute(executor)
    .await?;
    Ok(begun.rows_affected() == 1)
}

/// Lets one transaction at a time open and close episodes, until it ends.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn one_at_a_time(connection: &mut PgConnection) -> DbResult<()> {
    sqlx::query!("SELECT pg_advisory_xact_lock(35, 0)").execute(connection).await?;
    Ok(())
}

/// Opens episodes of those of `servers` that are licensed and were last heard longer than `silence` ago, without a job under
/// way. None when the dashboards themselves have not listened for as long as `listened`.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn open_unheard(
    connection: &mut PgConnection,
    kind: &str,
    servers: &[Uuid],
    silence: PgInterval,
    listened: PgInterval,
) -> DbResult<Vec<Subject>> {
    let opened = sqlx::query_scalar!(
        r#"INSERT INTO notification_episodes (kind, server_id)
           SELECT $1, s.id FROM servers s
           WHERE s.id = ANY ($2)
             AND (SELECT since FROM notification_watch) < clock_timestamp() - $4::interval
             AND license_status_at(s.license_status, s.grace_expires_at, clock_timestamp()) <> 'EXPIRED'
             AND (SELECT max(last_heartbeat_at) FROM gateway_installs g WHERE g.server_id = s.id)
                 < clock_timestamp() - $3::interval
             AND NOT EXISTS (SELECT FROM jobs j WHERE j.server_id = s.id AND j.state IN ('QUEUED', 'RUNNING'))
           ON CONFLICT DO NOTHING RETURNING server_id"#,
        kind,
        servers,
        silence,
        listened,
    )
    .fetch_all(&mut *connection)
    .await?;
    subjects(connection, &opened).await
}

/// Closes the episodes of this kind whose server was heard within `fresh`, and returns those servers; and, without a word,
/// those of servers that are gone, uninstalled or not licensed any more.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn close_heard(connection: &mut PgConnection, kind: &str, fresh: PgInterval) -> DbResult<Vec<Subject>> {
    let ended: Vec<Uuid> = sqlx::query_scalar!(
        r#"WITH ended AS (
               SELECT e.server_id, open.licensed AND open.heard_at IS NOT NULL AS heard
               FROM notification_episodes e LEFT JOIN servers s ON s.id = e.server_id
               CROSS JOIN LATERAL (
                   SELECT s.id IS NOT NULL
                          AND license_status_at(s.license_status, s.grace_expires_at, clock_timestamp()) <> 'EXPIRED' AS licensed,
                          (SELECT max(last_heartbeat_at) FROM gateway_installs g WHERE g.server_id = e.server_id) AS heard_at) open
               WHERE e.kind = $1
                 AND (NOT open.licensed OR open.heard_at IS NULL OR open.heard_at >= clock_timestamp() - $2::interval)
               LIMIT $3),
           closed AS (
               DELETE FROM notification_episodes e USING ended WHERE e.kind = $1 AND e.server_id = ended.server_id
               RETURNING ended.server_id, ended.heard)
           SELECT server_id AS "server_id!" FROM closed WHERE heard"#,
        kind,
        fresh,
        AT_ONCE,
    )
    .fetch_all(&mut *connection)
    .await?;
    subjects(connection, &ended).await
}

/// Opens episodes of the licenses whose grace ends within `hours`.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn open_ending(connection: &mut PgConnection, kind: &str, hours: i32) -> DbResult<Vec<Subject>> {
    let opened = sqlx::query_scalar!(
        r#"INSERT INTO notification_episodes (kind, server_id)
           SELECT $1, s.id FROM servers s
           WHERE s.license_status <> 'ACTIVE' AND s.expiry_observed_at IS NULL AND s.license_status = 'GRACE'
             AND s.grace_expires_at > clock_timestamp()
             AND s.grace_expires_at <= clock_timestamp() + make_interval(hours => $2)
             AND NOT EXISTS (SELECT FROM notification_episodes e WHERE e.kind = $1 AND e.server_id = s.id)
           LIMIT $3
           ON CONFLICT DO NOTHING RETURNING server_id"#,
        kind,
        hours,
        AT_ONCE,
    )
    .fetch_all(&mut *connection)
    .await?;
    subjects(connection, &opened).await
}

/// Closes the episodes of licenses that end later by now, or not at all, or have ended; returns those that do not end soon
/// any more.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn close_ending(connection: &mut PgConnection, kind: &str, hours: i32) -> DbResult<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        r#"WITH closed AS (
               DELETE FROM notification_episodes e
               USING (SELECT e.server_id, s.license_status, s.grace_expires_at
                      FROM notification_episodes e LEFT JOIN servers s ON s.id = e.server_id WHERE e.kind = $1) open
               WHERE e.kind = $1 AND e.server_id = open.server_id
                 AND (open.license_status IS DISTINCT FROM 'GRACE' OR open.grace_expires_at <= clock_timestamp()
                      OR open.grace_expires_at > clock_timestamp() + make_interval(hours => $2))
               RETURNING open.server_id,
                   open.license_status = 'ACTIVE' OR (open.license_status = 'GRACE' AND open.grace_expires_at > clock_timestamp()) AS spared)
           SELECT server_id AS "server_id!" FROM closed WHERE spared"#,
        kind,
        hours,
    )
    .fetch_all(connection)
    .await?)
}

/// Opens episodes of the licenses whose passing into EXPIRED was observed, and closes those of licenses that are valid again.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn open_expired(connection: &mut PgConnection, kind: &str) -> DbResult<Vec<Subject>> {
    sqlx::query!(
        r#"DELETE FROM notification_episodes e WHERE e.kind = $1
             AND NOT EXISTS (SELECT FROM servers s WHERE s.id = e.server_id AND s.expiry_observed_at IS NOT NULL)"#,
        kind
    )
    .execute(&mut *connection)
    .await?;
    let opened = sqlx::query_scalar!(
        r#"INSERT INTO notification_episodes (kind, server_id)
           SELECT $1, s.id FROM servers s
           WHERE s.expiry_observed_at IS NOT NULL
             AND NOT EXISTS (SELECT FROM notification_episodes e WHERE e.kind = $1 AND e.server_id = s.id)
           LIMIT $2
           ON CONFLICT DO NOTHING RETURNING server_id"#,
        kind,
        AT_ONCE,
    )
    .fetch_all(&mut *connection)
    .await?;
    subjects(connection, &opened).await
}

/// Opens the platform's own episode of this kind; `false` when it is open already.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn open_platform(connection: &mut PgConnection, kind: &str) -> DbResult<bool> {
    let done = sqlx::query!(
        "INSERT INTO notification_episodes (kind, server_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        kind,
        Uuid::nil()
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// # Errors
/// See [`crate::DbError`].
pub async fn close_platform(executor: impl sqlx::PgExecutor<'_>, kind: &str) -> DbResult<()> {
    sqlx::query!("DELETE FROM notification_episodes WHERE kind = $1 AND server_id = $2", kind, Uuid::nil())
        .execute(executor)
        .await?;
    Ok(())
}
