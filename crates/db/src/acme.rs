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

/// Why work may be taken that is not due.
#[derive(Debug, Clone, Copy, Default)]
pub struct Haste {
    /// Whoever asks for it does not want to wait for the next attempt.
    pub now: bool,
    /// The stored certificate is of no use here.
    pub anyway: bool,
}

/// Takes the work of having a certificate issued, for `lease`: when there is none or it is to be renewed, no attempt is
/// being waited for, and nobody else is at it. `claimant` is the process; its id names a new row, too.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn claim(
    connection: &mut PgConnection,
    claimant: Uuid,
    host: &str,
    directory: &str,
    lease: PgInterval,
    haste: Haste,
) -> DbResult<Option<Uuid>> {
    sqlx::query!(
        "INSERT INTO acme_certificates (id, host, directory) VALUES ($1, $2, $3) ON CONFLICT (host, directory) DO NOTHING",
        claimant,
        host,
        directory
    )
    .execute(&mut *connection)
    .await?;
    Ok(sqlx::query_scalar!(
        "UPDATE acme_certificates SET claimed_by = $6, claimed_until = now() + $3
         WHERE host = $1 AND directory = $2 AND ($5 OR renew_at IS NULL OR renew_at <= now())
         AND ($4 OR next_attempt_at <= now()) AND (claimed_until IS NULL OR claimed_until <= now())
         RETURNING id",
        host,
        directory,
        lease,
        haste.now,
        haste.anyway,
        claimant
    )
    .fetch_optional(connection)
    .await?)
}

/// Lets go of what `claimant` is at: another process, or the next start, need not wait.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn let_go(connection: &mut PgConnection, claimant: Uuid) -> DbResult<()> {
    sqlx::query!(
        "UPDATE acme_certificates SET claimed_by = NULL, claimed_until = NULL, challenge_digest = NULL, challenge_until = NULL
         WHERE claimed_by = $1",
        claimant
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A claim: the certificate's row, and the process that is at it. What another one has taken meanwhile is not touched.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    pub certificate: Uuid,
    pub claimant: Uuid,
}

/// Lets every dashboard answer the authority's challenge, for `lease`.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn show_challenge(
    connection: &mut PgConnection,
    claim: Claim,
    digest: &[u8; 32],
    lease: PgInterval,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE acme_certificates SET challenge_digest = $2, challenge_until = now() + $3 WHERE id = $1 AND claimed_by = $4",
        claim.certificate,
        &digest[..],
        lease,
        claim.claimant
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
pub async fn store(connection: &mut PgConnection, claim: Claim, issued: Issued<'_>) -> DbResult<()> {
    sqlx::query!(
        "UPDATE acme_certificates SET chain = $2, key_ciphertext = $3, not_after = $4, renew_at = $5, challenge_digest = NULL,
         challenge_until = NULL, claimed_by = NULL, claimed_until = NULL, failures = 0, last_error = NULL, last_error_at = NULL,
         next_attempt_at = now()
         WHERE id = $1 AND claimed_by = $6",
        claim.certificate,
        issued.chain,
        issued.key_ciphertext,
        issued.not_after,
        issued.renew_at,
        claim.claimant
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
    claim: Claim,
    error: &str,
    wait: PgInterval,
    longest: PgInterval,
) -> DbResult<()> {
    sqlx::query!(
        "UPDATE acme_certificates SET failures = failures + 1, last_error = $2, last_error_at = now(), claimed_by = NULL,
         claimed_until = NULL, challenge_digest = NULL, challenge_until = NULL,
         next_attempt_at = now() + LEAST($3::interval * power(2, LEAST(failures, 16)), $4::interval)
         WHERE id = $1 AND claimed_by = $5",
        claim.certificate,
        error,
        wait,
        longest,
        claim.claimant
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The account at an authority.
#[derive(Debug, Clone)]
pub struct AccountRow {
    pub id: Uuid,
    pub credentials_ciphertext: Vec<u8>,
    /// The address that the authority was told.
    pub contact: Option<String>,
    /// The key that bound it to an external account.
    pub external_key_id: Option<String>,
}

/// # Errors
/// See [`crate::DbError`].
pub async fn account(connection: &mut PgConnection, directory: &str) -> DbResult<Option<AccountRow>> {
    Ok(sqlx::query_as!(
        AccountRow,
        "SELECT id, credentials_ciphertext, contact, external_key_id FROM acme_accounts WHERE directory = $1",
        directory
    )
    .fetch_optional(connection)
    .await?)
}

/// Remembers what the authority was told.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn set_contact(connection: &mut PgConnection, account: Uuid, contact: Option<&str>) -> DbResult<()> {
    sqlx::query!("UPDATE acme_accounts SET contact = $2 WHERE id = $1", account, contact).execute(connection).await?;
    Ok(())
}

/// Forgets the account: the authority does not know it any more, or its credentials cannot be opened.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn forget_account(connection: &mut PgConnection, directory: &str) -> DbResult<()> {
    sqlx::query!("DELETE FROM acme_accounts WHERE directory = $1", directory).execute(connection).await?;
    Ok(())
}

/// Takes the place of the account that there was, if any.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn replace_account(connection: &mut PgConnection, directory: &str, account: &AccountRow) -> DbResult<()> {
    forget_account(&mut *connection, directory).await?;
    sqlx::query!(
        "INSERT INTO acme_accounts (id, directory, credentials_ciphertext, contact, external_key_id) VALUES ($1, $2, $3, $4, $5)",
        account.id,
        directory,
        account.credentials_ciphertext,
        account.contact,
        account.external_key_id
    )
    .execute(connection)
    .await?;
    Ok(())
}
