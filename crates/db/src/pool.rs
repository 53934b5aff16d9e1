//! Connecting and migrating.

use crate::{DbError, DbResult};
use chrono::{DateTime, Utc};
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};
use std::time::Duration;

/// How long a query may run, a lock be waited for, and a transaction idle.
const SESSION_LIMITS: [(&str, &str); 3] =
    [("statement_timeout", "15s"), ("lock_timeout", "10s"), ("idle_in_transaction_session_timeout", "30s")];

/// How soon a connection that is given back answers, or is closed.
const ALIVE_WITHIN: Duration = Duration::from_secs(5);

/// One migration at a time in a database; whoever waits for it has no limit.
const MIGRATION_LOCK: i64 = 0x7072_6f78_696d_6102;

/// Opens a pool of at most `max_connections`. Waits at most 5 s for a free connection.
///
/// # Errors
/// A malformed URL, or [`DbError::Unavailable`] when the database cannot be reached.
pub async fn connect(url: &str, max_connections: u32) -> DbResult<PgPool> {
    let options: PgConnectOptions = url.parse().map_err(DbError::from)?;
    let options = options.application_name("proxima-dashboard").options(SESSION_LIMITS);
    let pool = PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(Duration::from_secs(5))
        .after_release(|connection, _| {
            Box::pin(async move {
                // The pool's own look at a returned connection has no end when the database's host is gone without a
                // word: each would keep its place in the pool until TCP gives up.
                let alive = tokio::time::timeout(ALIVE_WITHIN, connection.ping()).await;
                alive.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
            })
        })
        .connect_with(options)
        .await?;
    Ok(pool)
}

/// The host of a PostgreSQL elsewhere whose connection may be read or answered by whoever stands in between, as the URL has it.
#[must_use]
pub fn unprotected_host(url: &str) -> Option<String> {
    let options: PgConnectOptions = url.parse().ok()?;
    let host = options.get_host().to_owned();
    let here = options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let proven = matches!(options.get_ssl_mode(), PgSslMode::VerifyFull);
    (!here && !proven).then_some(host)
}

/// Brings the schema up to date. Safe when several dashboards start at once: an advisory lock
/// lets one migrate while the others wait. Takes as long as a large table takes; a table that somebody else keeps locked for
/// 10 s is an error, because everybody would wait behind the migration.
///
/// # Errors
/// A migration that fails, or a database that holds migrations this version does not know.
pub async fn migrate(pool: &PgPool) -> Result<(), sqlx::migrate::MigrateError> {
    // A connection of its own: its limits, and the lock, end with it.
    let mut connection = pool.acquire().await?.detach();
    sqlx::raw_sql("SET statement_timeout = 0; SET lock_timeout = 0").execute(&mut connection).await?;
    sqlx::query("SELECT pg_advisory_lock($1)").bind(MIGRATION_LOCK).execute(&mut connection).await?;
    sqlx::raw_sql("RESET lock_timeout").execute(&mut connection).await?;
    MIGRATOR.run(&mut connection).await?;
    Ok(connection.close().await?)
}

/// Whether a dashboard has ever brought this database up to date. Changes nothing.
///
/// # Errors
/// See [`DbError`].
pub async fn has_schema(pool: &PgPool) -> DbResult<bool> {
    Ok(sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(pool).await?)
}

/// How many migrations the schema lacks. Changes nothing.
///
/// # Errors
/// See [`DbError`].
pub async fn missing_migrations(pool: &PgPool) -> DbResult<usize> {
    let applied: Vec<i64> = if has_schema(pool).await? {
        sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success").fetch_all(pool).await?
    } else {
        Vec::new()
    };
    Ok(MIGRATOR.iter().filter(|migration| !applied.contains(&migration.version)).count())
}

/// What kind of PostgreSQL this is.
#[derive(Debug, Clone)]
pub struct Facts {
    pub version: String,
    /// The size of this database.
    pub bytes: i64,
    /// A standby, or a server that was told to change nothing.
    pub read_only: bool,
}

/// Asks PostgreSQL about itself.
///
/// # Errors
/// See [`DbError`].
pub async fn facts(pool: &PgPool) -> DbResult<Facts> {
    let (version, bytes, read_only): (String, i64, bool) = sqlx::query_as(
        "SELECT current_setting('server_version'), pg_database_size(current_database()),
                pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on'",
    )
    .fetch_one(pool)
    .await?;
    Ok(Facts { version, bytes, read_only })
}

/// The migrations, for tests that make their own databases.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!();

/// The database's clock at this moment (not at the transaction's start).
///
/// # Errors
/// See [`DbError`].
pub async fn now(connection: impl sqlx::PgExecutor<'_>) -> DbResult<DateTime<Utc>> {
    Ok(sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(connection).await?)
}

#[cfg(test)]
mod tests {
    use super::unprotected_host;

    #[test]
    fn only_a_proven_server_elsewhere_is_protected() {
        for (url, host) in [
            ("postgres://u:p@db.example.com/x?sslmode=verify-full", None),
            ("postgres://u:p@127.0.0.1/x", None),
            ("postgres://u:p@[::1]/x", None),
            ("postgres://u:p@localhost/x?sslmode=disable", None),
            ("postgres://u@/x?host=/run/postgresql", None),
            ("postgres://u:p@db.example.com/x", Some("db.example.com")),
            ("postgres://u:p@192.0.2.7/x?sslmode=require", Some("192.0.2.7")),
            ("postgres://u:p@db.example.com/x?sslmode=verify-ca", Some("db.example.com")),
        ] {
            assert_eq!(unprotected_host(url).as_deref(), host, "{url}");
        }
    }
}
