//! Removing the audit log's beginning: rows up to a signed checkpoint, whose hash the next row follows.

use crate::{DbResult, PgConnection};
use chrono::{DateTime, Utc};

/// The row up to which the log was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub id: i64,
    pub hash: Vec<u8>,
    pub pruned_at: DateTime<Utc>,
    /// A signed document.
    pub document: String,
}

/// # Errors
/// See [`crate::DbError`].
pub async fn checkpoint(connection: impl sqlx::PgExecutor<'_>) -> DbResult<Option<Checkpoint>> {
    Ok(sqlx::query_as!(Checkpoint, "SELECT id, hash, pruned_at, document FROM audit_checkpoint")
        .fetch_optional(connection)
        .await?)
}

/// How many days rows are kept, and since when there are any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub days: Option<i32>,
    /// Of the oldest row.
    pub oldest: Option<DateTime<Utc>>,
}

/// # Errors
/// See [`crate::DbError`].
pub async fn policy(connection: impl sqlx::PgExecutor<'_>) -> DbResult<Policy> {
    Ok(sqlx::query_as!(
        Policy,
        r#"SELECT audit_retention_days AS days, (SELECT time FROM audit_log ORDER BY id LIMIT 1) AS "oldest?"
           FROM settings"#
    )
    .fetch_one(connection)
    .await?)
}

/// # Errors
/// See [`crate::DbError`].
pub async fn set_days(connection: &mut PgConnection, days: Option<i32>) -> DbResult<()> {
    sqlx::query!("UPDATE settings SET audit_retention_days = $1", days).execute(connection).await?;
    Ok(())
}

/// The end of a beginning that may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub id: i64,
    pub hash: Vec<u8>,
    pub time: DateTime<Utc>,
    pub rows: i64,
}

/// The longest beginning of the log, at most `limit` rows, all of which are older than the policy's days; never the
/// newest row. `None` when there is nothing to remove, or no policy.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn due(connection: &mut PgConnection, limit: i64) -> DbResult<Option<Due>> {
    Ok(sqlx::query_as!(
        Due,
        r#"WITH kept AS (SELECT clock_timestamp() - make_interval(days => audit_retention_days) AS since
                         FROM settings WHERE audit_retention_days IS NOT NULL),
                oldest AS (SELECT id, hash, time, time < (SELECT since FROM kept) AS old
                           FROM audit_log WHERE id < (SELECT id FROM audit_head) AND EXISTS (SELECT FROM kept)
                           ORDER BY id LIMIT $1),
                young AS (SELECT min(id) AS id FROM oldest WHERE NOT old)
           SELECT id, hash, time, (SELECT count(*) FROM oldest o WHERE o.id <= e.id) AS "rows!"
           FROM oldest e WHERE id < COALESCE((SELECT id FROM young), 9223372036854775807)
           ORDER BY id DESC LIMIT 1"#,
        limit
    )
    .fetch_optional(connection)
    .await?)
}

/// Moves the checkpoint and removes everything up to it. The transaction is the removal's own.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn remove(connection: &mut PgConnection, due: &Due, document: &str) -> DbResult<()> {
    sqlx::query!(
        r#"INSERT INTO audit_checkpoint (id, hash, document) VALUES ($1, $2, $3)
           ON CONFLICT (singleton) DO UPDATE SET id = EXCLUDED.id, hash = EXCLUDED.hash, document = EXCLUDED.document,
               pruned_at = now()"#,
        due.id,
        &due.hash,
        document
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query("SET LOCAL proxima.audit_prune = 'on'").execute(&mut *connection).await?;
    sqlx::query!("DELETE FROM audit_log WHERE id <= $1", due.id).execute(&mut *connection).await?;
    sqlx::query("SET LOCAL proxima.audit_prune = 'off'").execute(connection).await?;
    Ok(())
}

/// Forgets the names that no row has any more.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn forget_names(connection: &mut PgConnection) -> DbResult<()> {
    sqlx::query!("DELETE FROM audit_names n WHERE NOT EXISTS (SELECT FROM audit_log a WHERE a.target_name = n.name)")
        .execute(connection)
        .await?;
    Ok(())
}
