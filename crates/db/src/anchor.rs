//! What a dashboard's anchor (invariant 13) compares the database with.

use crate::{DbResult, PgConnection, PgPool, Tx};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Where the database stands, read in one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub installation_id: Uuid,
    pub incarnation: i32,
    /// The newest audit row; 0 while there is none.
    pub head_id: i64,
    pub head_hash: Vec<u8>,
    /// How many keys were ever retired.
    pub retirements: i64,
    /// The hash of the audit row that was asked for, if there is one.
    pub anchored_hash: Option<Vec<u8>>,
}

/// Where the database stands, and which hash the audit row `anchored` has.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn observe(connection: impl sqlx::PgExecutor<'_>, anchored: i64) -> DbResult<Seen> {
    Ok(sqlx::query_as!(
        Seen,
        r#"SELECT st.installation_id, st.incarnation, h.id AS head_id, h.hash AS head_hash, h.retirements,
                  (SELECT hash FROM audit_log WHERE id = $1) AS "anchored_hash?"
           FROM settings st CROSS JOIN audit_head h"#,
        anchored
    )
    .fetch_one(connection)
    .await?)
}

/// A transaction that reads one state of the database, whatever others commit meanwhile, and writes nothing.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn snapshot(pool: &PgPool) -> DbResult<Tx> {
    let mut tx = pool.begin().await?;
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").execute(&mut *tx).await?;
    Ok(tx)
}

/// A key that was retired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retirement {
    pub number: i64,
    pub digest: Vec<u8>,
    pub server_id: Uuid,
    pub server_name: String,
    pub reason: String,
    pub retired_at: DateTime<Utc>,
}

/// The retirements numbered above `after`, oldest first, at most `limit`.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn retirements_after(
    connection: impl sqlx::PgExecutor<'_>,
    after: i64,
    limit: u32,
) -> DbResult<Vec<Retirement>> {
    Ok(sqlx::query_as!(
        Retirement,
        r#"SELECT number AS "number!", digest, server_id, server_name, reason, retired_at
           FROM retired_keys WHERE number > $1 ORDER BY number LIMIT $2"#,
        after,
        i64::from(limit),
    )
    .fetch_all(connection)
    .await?)
}

/// The signed documents that vouch for a database that is not what an anchor knows: acceptances of newer incarnations,
/// newest first, and the checkpoint of retention.
#[derive(Debug, Clone, Default)]
pub struct Vouchers {
    pub acceptances: Vec<String>,
    pub checkpoint: Option<String>,
}

/// # Errors
/// See [`crate::DbError`].
pub async fn vouchers(connection: &mut PgConnection, incarnation: i32) -> DbResult<Vouchers> {
    let acceptances = sqlx::query_scalar!(
        "SELECT document FROM restores_accepted WHERE incarnation > $1 ORDER BY incarnation DESC",
        incarnation
    )
    .fetch_all(&mut *connection)
    .await?;
    let checkpoint = sqlx::query_scalar!("SELECT document FROM audit_checkpoint").fetch_optional(connection).await?;
    Ok(Vouchers { acceptances, checkpoint })
}

/// The hash of an audit row.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn hash_of(connection: impl sqlx::PgExecutor<'_>, id: i64) -> DbResult<Option<Vec<u8>>> {
    Ok(sqlx::query_scalar!("SELECT hash FROM audit_log WHERE id = $1", id).fetch_optional(connection).await?)
}

/// When the newest audit row was written.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn head_time(connection: impl sqlx::PgExecutor<'_>) -> DbResult<Option<DateTime<Utc>>> {
    Ok(sqlx::query_scalar!("SELECT time FROM audit_log ORDER BY id DESC LIMIT 1").fetch_optional(connection).await?)
}

/// Whether the database holds no account at all.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn is_empty(connection: impl sqlx::PgExecutor<'_>) -> DbResult<bool> {
    Ok(sqlx::query_scalar!(r#"SELECT NOT EXISTS (SELECT FROM users) AS "empty!""#).fetch_one(connection).await?)
}

/// Keeps everybody else from changing the log's head, and says where it is.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn lock_head(connection: &mut PgConnection, anchored: i64) -> DbResult<Seen> {
    sqlx::query_scalar!("SELECT id FROM audit_head FOR UPDATE").fetch_one(&mut *connection).await?;
    observe(connection, anchored).await
}

/// Of these retirements, those that the database does not know.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn unknown_digests(connection: impl sqlx::PgExecutor<'_>, digests: &[Vec<u8>]) -> DbResult<Vec<Vec<u8>>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT d AS "digest!" FROM UNNEST($1::bytea[]) d
           WHERE NOT EXISTS (SELECT FROM retired_keys r WHERE r.digest = d)"#,
        digests
    )
    .fetch_all(connection)
    .await?)
}

/// A server whose row still carries a retired key.
#[derive(Debug, Clone)]
pub struct Carrier {
    pub server_id: Uuid,
    pub server_name: String,
    pub owner_username: String,
    /// Its present key is one of them.
    pub present: bool,
    /// The next key of its rotation is one of them.
    pub next: bool,
    /// A rotation is open.
    pub rotating: bool,
}

/// The servers that carry one of these keys.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn carriers(connection: impl sqlx::PgExecutor<'_>, digests: &[Vec<u8>]) -> DbResult<Vec<Carrier>> {
    Ok(sqlx::query_as!(
        Carrier,
        r#"SELECT s.id AS server_id, s.name AS server_name, u.username AS owner_username,
                  (s.api_key_digest = ANY ($1)) AS "present!", COALESCE(s.next_key_digest = ANY ($1), false) AS "next!",
                  (s.next_key_digest IS NOT NULL) AS "rotating!"
           FROM servers s JOIN users u ON u.id = s.owner_id
           WHERE s.api_key_digest = ANY ($1) OR s.next_key_digest = ANY ($1) ORDER BY s.id"#,
        digests
    )
    .fetch_all(connection)
    .await?)
}

/// Writes down a retirement that the database has forgotten; one that it knows stays as it is.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn replay(connection: &mut PgConnection, retirements: &[Retirement]) -> DbResult<u64> {
    let column = |text: fn(&Retirement) -> String| -> Vec<String> { retirements.iter().map(text).collect() };
    Ok(sqlx::query!(
        r#"INSERT INTO retired_keys (digest, server_id, server_name, reason, retired_at)
           SELECT * FROM UNNEST($1::bytea[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
           ON CONFLICT (digest) DO NOTHING"#,
        &retirements.iter().map(|retirement| retirement.digest.clone()).collect::<Vec<_>>(),
        &retirements.iter().map(|retirement| retirement.server_id).collect::<Vec<_>>(),
        &column(|retirement| retirement.server_name.clone()),
        &column(|retirement| retirement.reason.clone()),
        &retirements.iter().map(|retirement| retirement.retired_at).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?
    .rows_affected())
}

/// Takes a rotation's next key into force; the trigger remembers the present one as retired.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn promote_next_key(connection: &mut PgConnection, server: Uuid) -> DbResult<()> {
    sqlx::query!(
        r#"UPDATE servers SET api_key_digest = next_key_digest, api_key_ciphertext = next_key_ciphertext,
               api_key_last4 = next_key_last4, next_key_digest = NULL, next_key_ciphertext = NULL, next_key_last4 = NULL,
               last_rotation_started_at = rotation_started_at, last_rotation_ended_at = clock_timestamp(),
               last_rotation_adopted_at = clock_timestamp(),
               rotation_started_at = NULL, rotation_started_by = NULL, rotation_limit_at = NULL, updated_at = now()
           WHERE id = $1 AND next_key_digest IS NOT NULL"#,
        server
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What a restored database believes to be under way, and is not: jobs on customers' boxes, install commands, sign-ins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stale {
    pub jobs: u64,
    pub sessions: u64,
    pub install_tokens: u64,
}

/// Ends what was under way when the backup was made.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn end_stale(connection: &mut PgConnection) -> DbResult<Stale> {
    let jobs = sqlx::query!(
        r#"UPDATE jobs SET state = 'CANCELLED', fence = fence + 1, finished_at = clock_timestamp(), lease_until = NULL,
               api_secret_ciphertext = NULL
           WHERE state IN ('QUEUED', 'RUNNING')"#
    )
    .execute(&mut *connection)
    .await?
    .rows_affected();
    let sessions = sqlx::query!("DELETE FROM sessions").execute(&mut *connection).await?.rows_affected();
    let install_tokens = sqlx::query!("DELETE FROM install_tokens").execute(connection).await?.rows_affected();
    Ok(Stale { jobs, sessions, install_tokens })
}

/// Opens an incarnation: it supersedes every configuration of the ones before, also of those that were opened after the
/// state that was restored, and of which nobody knows any more. So it follows this one and `known`, and is not below the
/// tens of seconds since 1970: nobody opens two so quickly.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn open_incarnation(connection: &mut PgConnection, known: i32) -> DbResult<i32> {
    Ok(sqlx::query_scalar!(
        r#"UPDATE settings SET incarnation = GREATEST(incarnation + 1, $1 + 1, floor(extract(epoch FROM clock_timestamp()) / 10)::integer)
           RETURNING incarnation"#,
        known
    )
    .fetch_one(connection)
    .await?)
}

/// # Errors
/// See [`crate::DbError`].
pub async fn keep_acceptance(connection: &mut PgConnection, incarnation: i32, document: &str) -> DbResult<()> {
    sqlx::query!("INSERT INTO restores_accepted (incarnation, document) VALUES ($1, $2)", incarnation, document)
        .execute(connection)
        .await?;
    Ok(())
}
