//! What a backup needs of the database: one snapshot for all of it, and the schema in its place.

use crate::{DbResult, PgConnection, PgPool, Tx};
use chrono::{DateTime, Utc};
use sqlx::Connection as _;

/// What `pg_restore` calls itself, so that the next restore finds one that outlived the program that started it.
pub const RESTORE_NAME: &str = "proxima-dashboard restore";
/// One restore at a time in a database.
const RESTORE_LOCK: i64 = 0x7072_6f78_696d_6101;

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

/// A restore that began and has not come to its end: what the database holds belongs to nobody.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Unfinished {
    /// The backup, as its path was given.
    pub file: String,
    pub began_at: DateTime<Utc>,
}

/// The restore that has not finished, if there is one. Its mark is a table that no migration knows; the transaction that makes
/// room writes it, and the one that ends the restore removes it.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn unfinished(connection: &mut PgConnection) -> DbResult<Option<Unfinished>> {
    let marked: bool = sqlx::query_scalar("SELECT to_regclass('public.restore_unfinished') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !marked {
        return Ok(None);
    }
    let found = sqlx::query_as("SELECT file, began_at FROM public.restore_unfinished").fetch_one(connection).await?;
    Ok(Some(found))
}

/// Whether this connection is the only one that restores this database, from now until it is closed. What the `pg_restore` of
/// one that was killed still does is ended.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn restore_alone(connection: &mut PgConnection) -> DbResult<bool> {
    let alone: bool =
        sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(RESTORE_LOCK).fetch_one(&mut *connection).await?;
    if alone {
        sqlx::query(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid()",
        )
        .bind(RESTORE_NAME)
        .execute(connection)
        .await?;
    }
    Ok(alone)
}

/// Makes room, and marks the database: what it holds is put aside; what a restore that did not finish has left is dropped, and
/// what that one had put aside stays so.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn begin_restore(connection: &mut PgConnection, file: &str) -> DbResult<()> {
    let holds = destination(connection).await?.tables > 0;
    let unfinished = unfinished(connection).await?.is_some();
    let mut tx = unlimited(connection).await?;
    if unfinished {
        empty(&mut tx).await?;
    } else if holds {
        let script = "ALTER SCHEMA public RENAME TO proxima_before_restore; CREATE SCHEMA public AUTHORIZATION pg_database_owner";
        sqlx::raw_sql(script).execute(&mut *tx).await?;
    }
    sqlx::query("CREATE TABLE public.restore_unfinished (file text NOT NULL, began_at timestamptz NOT NULL)")
        .execute(&mut *tx)
        .await?;
    sqlx::query("INSERT INTO public.restore_unfinished VALUES ($1, clock_timestamp())")
        .bind(file)
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

/// Gives the database back as it was before the restore that has not finished; false when there is none.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn undo_restore(connection: &mut PgConnection) -> DbResult<bool> {
    if unfinished(connection).await?.is_none() {
        return Ok(false);
    }
    let aside: bool = sqlx::query_scalar("SELECT to_regnamespace('proxima_before_restore') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    let only_the_mark = destination(connection).await?.tables == 1;
    let mut tx = unlimited(connection).await?;
    if aside {
        let script = "DROP SCHEMA public CASCADE; ALTER SCHEMA proxima_before_restore RENAME TO public";
        sqlx::raw_sql(script).execute(&mut *tx).await?;
    } else if only_the_mark {
        // The schema may be somebody else's.
        sqlx::query("DROP TABLE public.restore_unfinished").execute(&mut *tx).await?;
    } else {
        empty(&mut tx).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// Ends a restore, in the transaction that makes its database one to work with: the mark is gone, and what was there before.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn end_restore(tx: &mut PgConnection) -> DbResult<()> {
    let script = "SET LOCAL statement_timeout = 0; DROP SCHEMA IF EXISTS proxima_before_restore CASCADE; \
                  DROP TABLE public.restore_unfinished";
    sqlx::raw_sql(script).execute(tx).await?;
    Ok(())
}

/// A transaction that may take as long as large files take to be removed.
async fn unlimited(connection: &mut PgConnection) -> DbResult<sqlx::Transaction<'_, sqlx::Postgres>> {
    let mut tx = connection.begin().await?;
    sqlx::query("SET LOCAL statement_timeout = 0").execute(&mut *tx).await?;
    Ok(tx)
}

async fn empty(tx: &mut PgConnection) -> DbResult<()> {
    let script = "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION pg_database_owner";
    sqlx::raw_sql(script).execute(tx).await?;
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
