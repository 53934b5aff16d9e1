//! The few servers among very many that have said nothing for long. An index of when each was heard would have to be written
//! with every heartbeat; the table is read instead, a small slice at a time, so that no heartbeat waits for a whole reading.

use crate::{DbResult, PgConnection, PgPool};
use sqlx::postgres::types::PgInterval;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How many servers one look finds at most; the next one goes on.
const AT_ONCE: usize = 10_000;
/// Pages of a slice: 4 MiB, read in about two milliseconds.
const SLICE: i64 = 512;
/// Between two slices the database has so many times as long for others as the slice took.
const REST: u32 = 4;
/// But no longer rest than this: a whole look at a million servers takes a minute at most for resting.
const REST_MAX: Duration = Duration::from_millis(250);

/// Servers of which an episode of this kind is to be opened (see [`super::episodes::open_unheard`]) as far as can be seen
/// now; some of them, when they are very many.
///
/// A row that moves while the table is read may be missed: it was heard just then.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn servers(pool: &PgPool, kind: &str, silence: PgInterval) -> DbResult<Vec<Uuid>> {
    in_slices(pool, kind, silence, SLICE).await
}

/// As [`servers()`], `slice` pages at a time.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn in_slices(pool: &PgPool, kind: &str, silence: PgInterval, slice: i64) -> DbResult<Vec<Uuid>> {
    let pages = sqlx::query_scalar!(
        r#"SELECT pg_relation_size('gateway_installs') / current_setting('block_size')::bigint AS "pages!""#
    )
    .fetch_one(pool)
    .await?;
    let (mut found, mut first) = (Vec::new(), 0);
    while first < pages && found.len() < AT_ONCE {
        let mut connection = pool.acquire().await?;
        let began = Instant::now();
        found.extend(in_pages(&mut connection, kind, silence, first, first + slice).await?);
        drop(connection);
        first += slice;
        if first < pages {
            tokio::time::sleep((began.elapsed() * REST).min(REST_MAX)).await;
        }
    }
    Ok(found)
}

async fn in_pages(
    connection: &mut PgConnection,
    kind: &str,
    silence: PgInterval,
    first: i64,
    end: i64,
) -> DbResult<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        // OFFSET 0: what else counts is looked up for the few that are late.
        r#"SELECT g.server_id AS "server_id!"
           FROM (SELECT server_id, install_id, last_heartbeat_at FROM gateway_installs
                 WHERE ctid >= $3::text::tid AND ctid < $4::text::tid
                   AND last_heartbeat_at < statement_timestamp() - $2::interval OFFSET 0) g
           WHERE NOT EXISTS (SELECT FROM notification_episodes e WHERE e.kind = $1 AND e.server_id = g.server_id)
             AND NOT EXISTS (SELECT FROM gateway_installs n WHERE n.server_id = g.server_id
                             AND (n.last_heartbeat_at, n.install_id) > (g.last_heartbeat_at, g.install_id))
             AND NOT EXISTS (SELECT FROM jobs j WHERE j.server_id = g.server_id AND j.state IN ('QUEUED', 'RUNNING'))
             AND EXISTS (SELECT FROM servers s WHERE s.id = g.server_id
                         AND license_status_at(s.license_status, s.grace_expires_at, statement_timestamp()) <> 'EXPIRED')"#,
        kind,
        silence,
        format!("({first},0)"),
        format!("({end},0)"),
    )
    .fetch_all(connection)
    .await?)
}

/// Servers with an open episode of the kind `open` and none of the kind `unless` that were last heard longer than `silence`
/// ago; some of them, when they are very many.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn for_longer(
    executor: impl sqlx::PgExecutor<'_>,
    open: &str,
    unless: &str,
    silence: PgInterval,
) -> DbResult<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "SELECT e.server_id FROM notification_episodes e
         WHERE e.kind = $1
           AND NOT EXISTS (SELECT FROM notification_episodes l WHERE l.kind = $2 AND l.server_id = e.server_id)
           AND (SELECT max(last_heartbeat_at) FROM gateway_installs g WHERE g.server_id = e.server_id)
               < statement_timestamp() - $3::interval
         LIMIT $4",
        open,
        unless,
        silence,
        i64::try_from(AT_ONCE).unwrap_or(i64::MAX),
    )
    .fetch_all(executor)
    .await?)
}
