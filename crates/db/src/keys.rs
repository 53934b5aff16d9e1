//! Which master and signing keys there are (never the keys themselves), and which dashboards hold them.

use crate::{DbResult, PgConnection};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A master key, as every dashboard on this database is to use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterKeyRow {
    pub id: i32,
    /// `ANNOUNCED`, `ACTIVE`, `REPLACED`, `RETIRED` or `LOST`.
    pub state: String,
    pub canary_ciphertext: Vec<u8>,
    pub created_at: DateTime<Utc>,
    pub activated_at: Option<DateTime<Utc>>,
    pub retired_at: Option<DateTime<Utc>>,
}

/// The public half of a signing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeyRow {
    pub id: i32,
    pub public_key: Vec<u8>,
    pub key_id: String,
    /// `LIVE`, `RETIRED` or `LOST`.
    pub state: String,
    pub created_at: DateTime<Utc>,
    pub retired_at: Option<DateTime<Utc>>,
}

/// # Errors
/// See [`crate::DbError`].
pub async fn masters(connection: &mut PgConnection) -> DbResult<Vec<MasterKeyRow>> {
    Ok(sqlx::query_as!(
        MasterKeyRow,
        "SELECT id, state, canary_ciphertext, created_at, activated_at, retired_at FROM master_keys ORDER BY id"
    )
    .fetch_all(connection)
    .await?)
}

/// # Errors
/// See [`crate::DbError`].
pub async fn signing(connection: &mut PgConnection) -> DbResult<Vec<SigningKeyRow>> {
    Ok(sqlx::query_as!(
        SigningKeyRow,
        "SELECT id, public_key, key_id, state, created_at, retired_at FROM signing_keys ORDER BY id"
    )
    .fetch_all(connection)
    .await?)
}

/// Lets nobody else change keys until the transaction ends.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn lock(connection: &mut PgConnection) -> DbResult<()> {
    sqlx::query!("LOCK TABLE master_keys, signing_keys IN SHARE ROW EXCLUSIVE MODE").execute(connection).await?;
    Ok(())
}

/// # Errors
/// See [`crate::DbError`].
pub async fn insert_master(connection: &mut PgConnection, id: i32, state: &str, canary: &[u8]) -> DbResult<()> {
    sqlx::query!(
        r#"INSERT INTO master_keys (id, state, canary_ciphertext, activated_at)
           VALUES ($1, $2, $3, CASE WHEN $2 IN ('ACTIVE', 'REPLACED') THEN clock_timestamp() END)"#,
        id,
        state,
        canary
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// # Errors
/// See [`crate::DbError`].
pub async fn insert_signing(
    connection: &mut PgConnection,
    id: i32,
    public_key: &[u8; 32],
    key_id: &str,
) -> DbResult<()> {
    sqlx::query!(
        "INSERT INTO signing_keys (id, public_key, key_id, state) VALUES ($1, $2, $3, 'LIVE')",
        id,
        &public_key[..],
        key_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The announced key seals from now on, and the one before only opens.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn activate_master(connection: &mut PgConnection, id: i32) -> DbResult<()> {
    sqlx::query!("UPDATE master_keys SET state = 'REPLACED' WHERE state = 'ACTIVE'").execute(&mut *connection).await?;
    sqlx::query!("UPDATE master_keys SET state = 'ACTIVE', activated_at = clock_timestamp() WHERE id = $1", id)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends keys: `RETIRED` or `LOST`. Waits for transactions that store something sealed with one of them.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn end_masters(connection: &mut PgConnection, ids: &[i32], state: &str) -> DbResult<()> {
    sqlx::query!("UPDATE master_keys SET state = $2, retired_at = clock_timestamp() WHERE id = ANY ($1)", ids, state)
        .execute(connection)
        .await?;
    Ok(())
}

/// As [`end_masters`].
///
/// # Errors
/// See [`crate::DbError`].
pub async fn end_signing(connection: &mut PgConnection, ids: &[i32], state: &str) -> DbResult<()> {
    sqlx::query!("UPDATE signing_keys SET state = $2, retired_at = clock_timestamp() WHERE id = ANY ($1)", ids, state)
        .execute(connection)
        .await?;
    Ok(())
}

/// A dashboard that runs on this database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DashboardRow {
    pub instance: Uuid,
    pub hostname: String,
    pub version: String,
    pub started_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
    pub master_key_ids: Vec<i32>,
    pub signing_key_ids: Vec<i32>,
    pub sealing_key_id: Option<i32>,
    pub problems: Vec<String>,
}

/// What a dashboard says of itself.
#[derive(Debug, Clone)]
pub struct Presence<'a> {
    pub instance: Uuid,
    pub hostname: &'a str,
    pub version: &'a str,
    pub master_key_ids: &'a [i32],
    pub signing_key_ids: &'a [i32],
    pub sealing_key_id: Option<i32>,
    pub problems: &'a [String],
}

/// Renews a dashboard's row, and forgets those that fell silent a day ago.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn show(connection: &mut PgConnection, presence: &Presence<'_>) -> DbResult<()> {
    sqlx::query!(
        r#"INSERT INTO dashboards AS d (instance, hostname, version, master_key_ids, signing_key_ids, sealing_key_id, problems)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (instance) DO UPDATE SET seen_at = clock_timestamp(), master_key_ids = EXCLUDED.master_key_ids,
               signing_key_ids = EXCLUDED.signing_key_ids, sealing_key_id = EXCLUDED.sealing_key_id,
               problems = EXCLUDED.problems"#,
        presence.instance,
        presence.hostname,
        presence.version,
        presence.master_key_ids,
        presence.signing_key_ids,
        presence.sealing_key_id,
        presence.problems,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("DELETE FROM dashboards WHERE seen_at < clock_timestamp() - interval '1 day'")
        .execute(connection)
        .await?;
    Ok(())
}

/// A dashboard that stops in order takes its row with it.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn leave(connection: impl sqlx::PgExecutor<'_>, instance: Uuid) -> DbResult<()> {
    sqlx::query!("DELETE FROM dashboards WHERE instance = $1", instance).execute(connection).await?;
    Ok(())
}

/// The dashboards that renewed their row within the last 30 s.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn running(connection: &mut PgConnection) -> DbResult<Vec<DashboardRow>> {
    Ok(sqlx::query_as!(
        DashboardRow,
        r#"SELECT instance, hostname, version, started_at, seen_at, master_key_ids, signing_key_ids, sealing_key_id, problems
           FROM dashboards WHERE seen_at > clock_timestamp() - interval '30 seconds' ORDER BY started_at, instance"#
    )
    .fetch_all(connection)
    .await?)
}

/// An installed gateway, and what it trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowerRow {
    pub username: String,
    pub server_name: String,
    pub version: String,
    pub last_heartbeat_at: DateTime<Utc>,
    /// Its version says which keys it trusts.
    pub says: bool,
}

/// How many servers have an installation, and for how many of them the newest one trusts the key.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn count_followers(connection: &mut PgConnection, key_id: &str) -> DbResult<(i64, i64)> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "all!", count(*) FILTER (WHERE $1 = ANY (string_to_array(trusted_keys, ' '))) AS "follow!"
           FROM (SELECT DISTINCT ON (server_id) trusted_keys FROM gateway_installs
                 ORDER BY server_id, last_heartbeat_at DESC) newest"#,
        key_id
    )
    .fetch_one(connection)
    .await?;
    Ok((row.all, row.follow))
}

/// What installed gateways trust, as each says (ids separated by spaces; `None` for versions that do not), and how many
/// servers do so.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn trust(connection: &mut PgConnection) -> DbResult<Vec<(Option<String>, i64)>> {
    let rows = sqlx::query!(
        r#"SELECT trusted_keys, count(*) AS "servers!"
           FROM (SELECT DISTINCT ON (server_id) trusted_keys FROM gateway_installs
                 ORDER BY server_id, last_heartbeat_at DESC) newest
           GROUP BY trusted_keys"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.trusted_keys, row.servers)).collect())
}

/// Some of the servers whose newest installation does not trust the key: those heard last come first.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn not_following(connection: &mut PgConnection, key_id: &str, limit: i64) -> DbResult<Vec<FollowerRow>> {
    Ok(sqlx::query_as!(
        FollowerRow,
        r#"SELECT u.username, s.name AS server_name, newest.version, newest.last_heartbeat_at,
                  newest.trusted_keys IS NOT NULL AS "says!"
           FROM (SELECT DISTINCT ON (server_id) * FROM gateway_installs ORDER BY server_id, last_heartbeat_at DESC) newest
           JOIN servers s ON s.id = newest.server_id JOIN users u ON u.id = s.owner_id
           WHERE NOT COALESCE($1 = ANY (string_to_array(newest.trusted_keys, ' ')), false)
           ORDER BY newest.last_heartbeat_at DESC LIMIT $2"#,
        key_id,
        limit
    )
    .fetch_all(connection)
    .await?)
}
