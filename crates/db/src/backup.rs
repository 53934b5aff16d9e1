//! What a backup needs of the database: one snapshot for all of it, and the schema in its place.

use crate::{DbResult, PgConnection, PgPool, Tx};
use chrono::{DateTime, Utc};

/// The facts of one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// As `pg_dump --snapshot` wants it.
    pub snapshot: String,
    pub taken_at: DateTime<Utc>,
    /// Of the server, such as 150018.
    pub postgres: i32,
    pub migration: i64,
    pub audit_id: i64,
    pub audit_hash: Vec<u8>,
    pub users: i64,
    pub servers: i64,
}

/// Begins a transaction whose snapshot others can use while it lasts.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn snapshot(pool: &PgPool) -> DbResult<(Tx, Facts)> {
    let mut tx = pool.begin().await?;
    sqlx::query!("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").execute(&mut *tx).await?;
    // It waits for as long as the dump takes.
    sqlx::query!("SET LOCAL idle_in_transaction_session_timeout = 0").execute(&mut *tx).await?;
    let migration = newest_migration(&mut tx).await?;
    let facts = sqlx::query!(
        r#"SELECT pg_export_snapshot() AS "snapshot!", clock_timestamp() AS "taken_at!",
                  current_setting('server_version_num')::int AS "postgres!", h.id AS audit_id, h.hash AS audit_hash,
                  (SELECT count(*) FROM users) AS "users!", (SELECT count(*) FROM servers) AS "servers!"
           FROM audit_head h"#
    )
    .fetch_one(&mut *tx)
    .await?;
    let facts = Facts {
        snapshot: facts.snapshot,
        taken_at: facts.taken_at,
        postgres: facts.postgres,
        migration,
        audit_id: facts.audit_id,
        audit_hash: facts.audit_hash,
        users: facts.users,
        servers: facts.servers,
    };
    Ok((tx, facts))
}

/// The newest migration that this program knows.
#[must_use]
pub fn known_migration() -> i64 {
    crate::pool::MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or_default()
}

async fn newest_migration(connection: &mut PgConnection) -> DbResult<i64> {
    let newest: Option<i64> =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success").fetch_one(connection).await?;
    Ok(newest.unwrap_or_default())
}

/// A database that something is to be restored into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    pub name: String,
    /// Of the server, such as 150018.
    pub postgres: i32,
    /// In the schema `public`.
    pub tables: i64,
}

/// # Errors
/// See [`crate::DbError`].
pub async fn destination(connection: &mut PgConnection) -> DbResult<Destination> {
    let row = sqlx::query!(
        r#"SELECT current_database()::text AS "name!", current_setting('server_version_num')::int AS "postgres!",
                  (SELECT count(*) FROM pg_tables WHERE schemaname = 'public') AS "tables!""#
    )
    .fetch_one(connection)
    .await?;
    Ok(Destination { name: row.name, postgres: row.postgres, tables: row.tables })
}

/// How many dashboards run on it, as their rows say.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn running_dashboards(connection: &mut PgConnection) -> DbResult<usize> {
    let known: bool =
        sqlx::query_scalar("SELECT to_regclass('public.dashboards') IS NOT NULL").fetch_one(&mut *connection).await?;
    if known { Ok(crate::keys::running(connection).await?.len()) } else { Ok(0) }
}

/// Puts what is there aside, for [`drop_aside`] or [`put_back`], and makes room.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn put_aside(connection: &mut PgConnection) -> DbResult<()> {
    let script = "BEGIN; ALTER SCHEMA public RENAME TO proxima_before_restore;
                  CREATE SCHEMA public AUTHORIZATION pg_database_owner; COMMIT";
    sqlx::raw_sql(script).execute(connection).await?;
    Ok(())
}

/// # Errors
/// See [`crate::DbError`].
pub async fn put_back(connection: &mut PgConnection) -> DbResult<()> {
    let script = "BEGIN; DROP SCHEMA public CASCADE; ALTER SCHEMA proxima_before_restore RENAME TO public; COMMIT";
    sqlx::raw_sql(script).execute(connection).await?;
    Ok(())
}

/// # Errors
/// See [`crate::DbError`].
pub async fn drop_aside(connection: &mut PgConnection) -> DbResult<()> {
    sqlx::raw_sql("DROP SCHEMA IF EXISTS proxima_before_restore CASCADE").execute(connection).await?;
    Ok(())
}

/// Forgets the dashboards that ran when the backup was taken.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn forget_dashboards(connection: &mut PgConnection) -> DbResult<()> {
    sqlx::query!("DELETE FROM dashboards").execute(connection).await?;
    Ok(())
}

/// What the audit log knows of the newest backup that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    pub at: DateTime<Utc>,
    pub succeeded: bool,
    /// By the database's clock.
    pub hours_ago: i64,
}

/// # Errors
/// See [`crate::DbError`].
pub async fn newest(connection: impl sqlx::PgExecutor<'_>) -> DbResult<Option<Made>> {
    Ok(sqlx::query_as!(
        Made,
        r#"SELECT time AS at, outcome = 'SUCCESS' AS "succeeded!",
                  floor(extract(epoch FROM clock_timestamp() - time) / 3600)::bigint AS "hours_ago!"
           FROM audit_log WHERE action = 'database.backup' ORDER BY time DESC, id DESC LIMIT 1"#
    )
    .fetch_optional(connection)
    .await?)
}
