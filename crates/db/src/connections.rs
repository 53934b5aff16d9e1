//! How a customer's box is reached: the address, what is stored to log in with (sealed), and the host key that a
//! person confirmed.

use crate::servers::Scope;
use crate::{DbResult, PgConnection};
use chrono::{DateTime, Utc};
use proxima_types::{CredentialKind, ServerId};
use sqlx::PgExecutor;

/// A connection as it is stored.
#[derive(Debug, Clone)]
pub struct ConnectionRow {
    pub host: String,
    pub port: i32,
    pub username: String,
    pub credential_kind: Option<String>,
    pub credential_ciphertext: Option<Vec<u8>>,
    pub credential_stored_at: Option<DateTime<Utc>>,
    pub sudo_ciphertext: Option<Vec<u8>>,
    pub pinned_algorithm: Option<String>,
    pub pinned_fingerprint: Option<String>,
    pub pinned_line: Option<String>,
    pub pinned_at: Option<DateTime<Utc>>,
    pub pinned_by: Option<String>,
    pub offered_algorithm: Option<String>,
    pub offered_fingerprint: Option<String>,
    pub offered_line: Option<String>,
    pub offered_at: Option<DateTime<Utc>>,
    pub changed_at: Option<DateTime<Utc>>,
    pub updated_at: DateTime<Utc>,
}

impl ConnectionRow {
    #[must_use]
    pub fn credential_kind(&self) -> Option<CredentialKind> {
        self.credential_kind.as_deref().and_then(|word| word.parse().ok())
    }
}

/// A host key: its algorithm, `SHA256:…`, and the key itself as OpenSSH writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    pub algorithm: String,
    pub fingerprint: String,
    pub line: String,
}

/// A server's name, whose owner is in `scope`, and its connection if it has one. `None`: no such server for this caller.
#[derive(Debug, Clone)]
pub struct Found {
    pub server_name: String,
    pub owner_username: String,
    pub connection: Option<ConnectionRow>,
}

/// Reads a connection; with `lock` the server's row is locked until the transaction ends, which orders everybody who
/// changes its connection or queues its jobs.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn find(
    connection: &mut PgConnection,
    scope: Scope,
    server: ServerId,
    lock: bool,
) -> DbResult<Option<Found>> {
    let owner = scope.owner();
    if lock {
        sqlx::query!(
            "SELECT FROM servers WHERE id = $1 AND ($2::uuid IS NULL OR owner_id = $2) FOR UPDATE",
            server.0,
            owner
        )
        .fetch_optional(&mut *connection)
        .await?;
    }
    let named = sqlx::query!(
        r#"SELECT s.name, u.username FROM servers s JOIN users u ON u.id = s.owner_id
           WHERE s.id = $1 AND ($2::uuid IS NULL OR s.owner_id = $2)"#,
        server.0,
        owner,
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(named) = named else { return Ok(None) };
    let row = row(connection, server).await?;
    Ok(Some(Found { server_name: named.name, owner_username: named.username, connection: row }))
}

/// A server's connection, whoever asks.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn row(executor: impl PgExecutor<'_>, server: ServerId) -> DbResult<Option<ConnectionRow>> {
    Ok(sqlx::query_as!(
        ConnectionRow,
        r#"SELECT host, port, username, credential_kind, credential_ciphertext, credential_stored_at, sudo_ciphertext,
                  pinned_algorithm, pinned_fingerprint, pinned_line, pinned_at, pinned_by,
                  offered_algorithm, offered_fingerprint, offered_line, offered_at, changed_at, updated_at
           FROM connections WHERE server_id = $1"#,
        server.0,
    )
    .fetch_optional(executor)
    .await?)
}

/// Where a box is, and as whom to log in.
#[derive(Debug, Clone, Copy)]
pub struct Address<'a> {
    pub host: &'a str,
    pub port: u16,
    pub username: &'a str,
}

/// Saves the address. Another host or port than before forgets all that belonged to the old one: its host key, and what
/// was stored to log in with. Returns whether it did.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn save_address(connection: &mut PgConnection, server: ServerId, address: Address<'_>) -> DbResult<bool> {
    let forgotten = sqlx::query!(
        "DELETE FROM connections WHERE server_id = $1 AND (host, port) IS DISTINCT FROM ($2, $3)",
        server.0,
        address.host,
        i32::from(address.port),
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        r#"INSERT INTO connections (server_id, host, port, username) VALUES ($1, $2, $3, $4)
           ON CONFLICT (server_id) DO UPDATE SET username = EXCLUDED.username, updated_at = clock_timestamp()"#,
        server.0,
        address.host,
        i32::from(address.port),
        address.username,
    )
    .execute(connection)
    .await?;
    Ok(forgotten.rows_affected() == 1)
}

/// # Errors
/// See [`crate::DbError`].
pub async fn set_credential(
    connection: &mut PgConnection,
    server: ServerId,
    kind: CredentialKind,
    ciphertext: &[u8],
) -> DbResult<()> {
    sqlx::query!(
        r#"UPDATE connections SET credential_kind = $2, credential_ciphertext = $3,
               credential_stored_at = clock_timestamp(), updated_at = clock_timestamp()
           WHERE server_id = $1"#,
        server.0,
        kind.as_str(),
        ciphertext,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets what is stored to log in with, and for sudo.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn clear_credential(connection: &mut PgConnection, server: ServerId) -> DbResult<()> {
    sqlx::query!(
        r#"UPDATE connections SET credential_kind = NULL, credential_ciphertext = NULL, credential_stored_at = NULL,
               sudo_ciphertext = NULL, updated_at = clock_timestamp()
           WHERE server_id = $1"#,
        server.0,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// # Errors
/// See [`crate::DbError`].
pub async fn set_sudo(connection: &mut PgConnection, server: ServerId, ciphertext: Option<&[u8]>) -> DbResult<()> {
    sqlx::query!(
        "UPDATE connections SET sudo_ciphertext = $2, updated_at = clock_timestamp() WHERE server_id = $1",
        server.0,
        ciphertext,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Remembers the key that a host showed. `true` when it is another than the pinned one and nobody had seen that yet.
/// Nothing is stored when the connection points elsewhere by now.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn set_offered(
    connection: &mut PgConnection,
    server: ServerId,
    host: &str,
    port: i32,
    key: &HostKey,
) -> DbResult<bool> {
    let newly = sqlx::query_scalar!(
        r#"UPDATE connections c SET offered_algorithm = $4, offered_fingerprint = $5, offered_line = $6,
               offered_at = clock_timestamp(),
               changed_at = CASE WHEN before.pinned_fingerprint <> $5 THEN COALESCE(before.changed_at, clock_timestamp())
                                 ELSE before.changed_at END
           FROM (SELECT * FROM connections WHERE server_id = $1 FOR UPDATE) before
           WHERE c.server_id = $1 AND c.host = $2 AND c.port = $3
           RETURNING (before.changed_at IS NULL AND c.changed_at IS NOT NULL) AS "newly!""#,
        server.0,
        host,
        port,
        key.algorithm,
        key.fingerprint,
        key.line,
    )
    .fetch_optional(connection)
    .await?;
    Ok(newly.unwrap_or(false))
}

/// Remembers that the host showed another key than the pinned one, `pinned`. `true` when nobody had seen that yet, and that
/// key is the pinned one still.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn set_changed(connection: &mut PgConnection, server: ServerId, pinned: Option<&str>) -> DbResult<bool> {
    let done = sqlx::query!(
        r#"UPDATE connections SET changed_at = clock_timestamp()
           WHERE server_id = $1 AND pinned_at IS NOT NULL AND changed_at IS NULL AND pinned_fingerprint = $2"#,
        server.0,
        pinned,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Pins the key that the host showed last, if it has this fingerprint.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn pin_offered(
    connection: &mut PgConnection,
    server: ServerId,
    fingerprint: &str,
    by: &str,
) -> DbResult<bool> {
    let done = sqlx::query!(
        r#"UPDATE connections SET pinned_algorithm = offered_algorithm, pinned_fingerprint = offered_fingerprint,
               pinned_line = offered_line, pinned_at = clock_timestamp(), pinned_by = $3, changed_at = NULL,
               updated_at = clock_timestamp()
           WHERE server_id = $1 AND offered_fingerprint = $2"#,
        server.0,
        fingerprint,
        by,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Forgets all of it. `true` when there was something.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn delete(connection: &mut PgConnection, server: ServerId) -> DbResult<bool> {
    let done = sqlx::query!("DELETE FROM connections WHERE server_id = $1", server.0).execute(connection).await?;
    Ok(done.rows_affected() == 1)
}
