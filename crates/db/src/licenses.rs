//! A server's license: read under a lock, changed, and its passing into EXPIRED observed.

use crate::rotations::OpenRotation;
use crate::{DbResult, PgConnection};
use chrono::{DateTime, Utc};
use proxima_types::{KeyDigest, License, LicenseStatus, ServerId};
use uuid::Uuid;

/// A license row, locked.
#[derive(Debug, Clone)]
pub struct LockedLicense {
    pub server_id: ServerId,
    pub server_name: String,
    pub owner_username: String,
    pub license: License,
    pub api_key_ciphertext: Vec<u8>,
    pub rotation: Option<OpenRotation>,
    /// The database's clock after the lock was had.
    pub now: DateTime<Utc>,
}

/// Locks a server's row until the transaction ends: of two admins at once the second sees what
/// the first has done.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn lock(connection: &mut PgConnection, id: ServerId) -> DbResult<Option<LockedLicense>> {
    let row = sqlx::query!(
        r#"SELECT s.name, s.license_status, s.grace_expires_at, s.api_key_ciphertext, s.next_key_last4,
                  s.rotation_started_at, s.rotation_started_by, s.rotation_limit_at, u.username
           FROM servers s JOIN users u ON u.id = s.owner_id WHERE s.id = $1 FOR UPDATE OF s"#,
        id.0
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(LockedLicense {
        server_id: id,
        server_name: row.name,
        owner_username: row.username,
        license: License { stored: parse_status(&row.license_status), grace_expires_at: row.grace_expires_at },
        api_key_ciphertext: row.api_key_ciphertext,
        rotation: OpenRotation::of(
            row.next_key_last4,
            row.rotation_started_at,
            row.rotation_started_by,
            row.rotation_limit_at,
        ),
        now: crate::now(connection).await?,
    }))
}

/// The CHECK on the column lets nothing else in.
pub(crate) fn parse_status(text: &str) -> LicenseStatus {
    text.parse().unwrap_or(LicenseStatus::Expired)
}

/// # Errors
/// See [`crate::DbError`].
pub async fn set(connection: &mut PgConnection, id: ServerId, license: License) -> DbResult<()> {
    sqlx::query!(
        "UPDATE servers SET license_status = $2, grace_expires_at = $3, updated_at = now() WHERE id = $1",
        id.0,
        license.stored.as_str(),
        license.grace_expires_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Replaces the key, and ends a rotation by taking its next key back: the trigger remembers both as retired.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn set_key(
    connection: &mut PgConnection,
    id: ServerId,
    digest: KeyDigest,
    ciphertext: &[u8],
    last4: &str,
) -> DbResult<()> {
    sqlx::query!(
        r#"UPDATE servers SET api_key_digest = $2, api_key_ciphertext = $3, api_key_last4 = $4,
               next_key_digest = NULL, next_key_ciphertext = NULL, next_key_last4 = NULL, rotation_started_at = NULL,
               rotation_started_by = NULL, rotation_limit_at = NULL, last_rotation_started_at = NULL,
               last_rotation_ended_at = NULL, last_rotation_adopted_at = NULL, updated_at = now()
           WHERE id = $1"#,
        id.0,
        digest.as_bytes(),
        ciphertext,
        last4,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The sealed key and secret of a customer's server, for its `config.json`.
pub struct SealedSecrets {
    pub server_name: String,
    /// Of the newest key: the next one while a rotation is open.
    pub api_key_ciphertext: Vec<u8>,
    pub api_secret_ciphertext: Vec<u8>,
}

/// # Errors
/// See [`crate::DbError`].
pub async fn sealed_secrets(connection: &mut PgConnection, id: ServerId) -> DbResult<Option<SealedSecrets>> {
    let row = sqlx::query!(
        r#"SELECT name, COALESCE(next_key_ciphertext, api_key_ciphertext) AS "api_key_ciphertext!", api_secret_ciphertext
           FROM servers WHERE id = $1"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| SealedSecrets {
        server_name: row.name,
        api_key_ciphertext: row.api_key_ciphertext,
        api_secret_ciphertext: row.api_secret_ciphertext,
    }))
}

/// A license whose passing into EXPIRED is seen for the first time.
#[derive(Debug, Clone)]
pub struct ObservedExpiry {
    pub server_id: Uuid,
    pub server_name: String,
    pub grace_expires_at: Option<DateTime<Utc>>,
}

/// Marks every license that is EXPIRED and not yet observed so (at most 500 at a time), and returns
/// them: the caller audits each in the same transaction. A row that somebody else is changing is
/// left for the next time.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn observe_expiries(connection: &mut PgConnection) -> DbResult<Vec<ObservedExpiry>> {
    Ok(sqlx::query_as!(
        ObservedExpiry,
        r#"UPDATE servers s SET expiry_observed_at = clock_timestamp()
           FROM (SELECT id FROM servers
                 WHERE license_status <> 'ACTIVE' AND expiry_observed_at IS NULL
                   AND license_status_at(license_status, grace_expires_at, clock_timestamp()) = 'EXPIRED'
                 LIMIT 500 FOR UPDATE SKIP LOCKED) due
           WHERE s.id = due.id
           RETURNING s.id AS server_id, s.name AS server_name, s.grace_expires_at"#
    )
    .fetch_all(connection)
    .await?)
}
