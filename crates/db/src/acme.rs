//! What several dashboards share of the certificate that an ACME authority issues: account, certificate, challenge, and who
//! is at it.

use crate::{DbResult, PgConnection};
use chrono::{DateTime, Utc};
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

/// A certificate as it stands, and how the attempts to have one go.
#[derive(Debug, Clone)]
pub struct CertificateRow {
    pub id: Uuid,
    /// PEM, the host's own certificate first.
    pub chain: Option<String>,
    pub key_ciphertext: Option<Vec<u8>>,
    pub not_after: Option<DateTime<Utc>>,
    pub renew_at: Option<DateTime<Utc>>,
    /// In a row.
    pub failures: i32,
    pub last_error: Option<String>,
    pub last_error_at: Option<DateTime<Utc>>,
    pub next_attempt_at: DateTime<Utc>,
}

/// # Errors
/// See [`crate::DbError`].
pub async fn find(connection: &mut PgConnection, host: &str, directory: &str) -> DbResult<Option<CertificateRow>> {
    Ok(sqlx::query_as!(
        CertificateRow,
        "SELECT id, chain, key_ciphertext, not_after, renew_at, failures, last_error, last_error_at, next_attempt_at
         FROM acme_certificates WHERE host = $1 AND directory = $2",
        host,
        directory
    )
    .fetch_optional(connection)
    .await?)
}

/// Takes the work of having a certificate issued, for `lease`: when there is none or it is to be renewed, no attempt is
/// being waited for (`now` does not wait), and nobody else is at it. `id` is that of a new row.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn claim(
    connection: &mut PgConnection,
    id: Uuid,
    host: &str,
    directory: &str,
    lease: PgInterval,
    now: bool,
) -> DbResult<Option<Uuid>> {
    sqlx::query!(
        "INSERT INTO acme_certificates (id, host, directory) VALUES ($1, $2, $3) ON CONFLICT (host, directory) DO NOTHING",
        id,
        host,
        directory
    )
    .execute(&mut *connection)
    .await?;
    Ok(sqlx::query_scalar!(
        "UPDATE acme_certificates SET claimed_until = now() + $3
         WHERE host = $1 AND directory = $2 AND (renew_at IS NULL OR renew_at <= now()) AND ($4 OR next_attempt_at <= now())
         AND (claimed_until IS NULL OR claimed_until <= now())
         RETURNING id",
        host,
        directory,
        lease,
        now
    )
    .fetch_optional(connection)
    .await?)
}

/// Lets every dashboard answer the authority's challenge, for `lease`.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn show_challenge(
    connection: &mut PgConnection,
    id: Uuid,
    digest: &[u8; 32],
    lease: PgInterval,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE acme_certificates SET challenge_digest = $2, challenge_until = now() + $3 WHERE id = $1",
        id,
        &digest[..],
        lease
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The digest that an authority now looks for at `host`.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn challenge(connection: &mut PgConnection, host: &str) -> DbResult<Option<Vec<u8>>> {
    Ok(sqlx::query_scalar!(
        r#"SELECT challenge_digest AS "digest!" FROM acme_certificates
           WHERE host = $1 AND challenge_digest IS NOT NULL AND challenge_until > now()
           ORDER BY challenge_until DESC LIMIT 1"#,
        host
    )
    .fetch_optional(connection)
    .await?)
}

/// A certificate that was issued.
#[derive(Debug)]
pub struct Issued<'a> {
    pub chain: &'a str,
    pub key_ciphertext: &'a [u8],
    pub not_after: DateTime<Utc>,
    pub renew_at: DateTime<Utc>,
}

/// Stores a certificate and ends the claim.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn store(connection: &mut PgConnection, id: Uuid, issued: Issued<'_>) -> DbResult<()> {
    sqlx::query!(
        "UPDATE acme_certificates SET chain = $2, key_ciphertext = $3, not_after = $4, renew_at = $5, challenge_digest = NULL,
         challenge_until = NULL, claimed_until = NULL, failures = 0, last_error = NULL, last_error_at = NULL, next_attempt_at = now()
         WHERE id = $1",
        id,
        issued.chain,
        issued.key_ciphertext,
        issued.not_after,
        issued.renew_at
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes a failure down and ends the claim; the next attempt comes `wait` later, doubled for each failure before this one, at
/// most `longest`.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn fail(
    connection: &mut PgConnection,
    id: Uuid,
    error: &str,
    wait: PgInterval,
    longest: PgInterval,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE acme_certificates SET failures = failures + 1, last_error = $2, last_error_at = now(), claimed_until = NULL,
         challenge_digest = NULL, challenge_until = NULL,
         next_attempt_at = now() + LEAST($3::interval * power(2, LEAST(failures, 16)), $4::interval)
         WHERE id = $1",
        id,
        error,
        wait,
        longest
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes the certificate due, because its key cannot be opened any more; false when it was due already.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn make_due(connection: &mut PgConnection, id: Uuid) -> DbResult<bool> {
    let done = sqlx::query!("UPDATE acme_certificates SET renew_at = now() WHERE id = $1 AND renew_at > now()", id)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// The account at an authority: its row and its sealed credentials.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn account(connection: &mut PgConnection, directory: &str) -> DbResult<Option<(Uuid, Vec<u8>)>> {
    Ok(sqlx::query!("SELECT id, credentials_ciphertext FROM acme_accounts WHERE directory = $1", directory)
        .fetch_optional(connection)
        .await?
        .map(|row| (row.id, row.credentials_ciphertext)))
}

/// Takes the place of the account that there was, if any: its credentials cannot be used any more.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn replace_account(
    connection: &mut PgConnection,
    id: Uuid,
    directory: &str,
    credentials: &[u8],
) -> DbResult<()> {
    sqlx::query!("DELETE FROM acme_accounts WHERE directory = $1", directory).execute(&mut *connection).await?;
    sqlx::query!(
        "INSERT INTO acme_accounts (id, directory, credentials_ciphertext) VALUES ($1, $2, $3)",
        id,
        directory,
        credentials
    )
    .execute(connection)
    .await?;
    Ok(())
}
