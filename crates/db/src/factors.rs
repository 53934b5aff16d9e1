//! Second factors: authenticator apps and recovery codes. Passkeys are in [`crate::passkeys`].

use crate::{DbResult, PgConnection, PgPool};
use chrono::{DateTime, Utc};
use proxima_types::UserId;

/// What a person has, beside a password.
#[derive(Debug, Clone, Default)]
pub struct Factors {
    pub totp_since: Option<DateTime<Utc>>,
    pub totp_used_at: Option<DateTime<Utc>>,
    pub passkeys: i64,
    pub recovery_codes_left: i64,
    pub recovery_codes_made_at: Option<DateTime<Utc>>,
}

impl Factors {
    /// Recovery codes alone are none: they stand in for one.
    #[must_use]
    pub fn any(&self) -> bool {
        self.totp_since.is_some() || self.passkeys > 0
    }

    #[must_use]
    pub fn count(&self) -> i64 {
        i64::from(self.totp_since.is_some()) + self.passkeys
    }
}

/// # Errors
/// See [`crate::DbError`].
pub async fn of(connection: impl sqlx::PgExecutor<'_>, user: UserId) -> DbResult<Factors> {
    Ok(sqlx::query_as!(
        Factors,
        r#"SELECT (SELECT created_at FROM totp_factors WHERE user_id = $1) AS totp_since,
                  (SELECT last_used_at FROM totp_factors WHERE user_id = $1) AS totp_used_at,
                  (SELECT count(*) FROM passkeys WHERE user_id = $1) AS "passkeys!",
                  count(*) FILTER (WHERE used_at IS NULL) AS "recovery_codes_left!",
                  min(made_at) AS recovery_codes_made_at
           FROM recovery_codes WHERE user_id = $1"#,
        user.0
    )
    .fetch_one(connection)
    .await?)
}

/// Begins an enrolment, in place of one that was not confirmed. Returns when it ends.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn begin_totp(connection: &mut PgConnection, user: UserId, sealed: &[u8]) -> DbResult<DateTime<Utc>> {
    Ok(sqlx::query_scalar!(
        r#"INSERT INTO totp_enrollments (user_id, secret_ciphertext, expires_at)
           VALUES ($1, $2, now() + interval '15 minutes')
           ON CONFLICT (user_id) DO UPDATE
               SET secret_ciphertext = EXCLUDED.secret_ciphertext, expires_at = EXCLUDED.expires_at
           RETURNING expires_at"#,
        user.0,
        sealed
    )
    .fetch_one(connection)
    .await?)
}

/// The sealed secret of an enrolment under way, locked, and the present time.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn lock_totp_enrollment(
    connection: &mut PgConnection,
    user: UserId,
) -> DbResult<Option<(Vec<u8>, DateTime<Utc>)>> {
    let row = sqlx::query!(
        r#"SELECT secret_ciphertext, clock_timestamp() AS "now!" FROM totp_enrollments
           WHERE user_id = $1 AND expires_at > now() FOR UPDATE"#,
        user.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| (row.secret_ciphertext, row.now)))
}

/// Makes the enrolled secret the factor; `used_step` is the step of the code that confirmed it.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn set_totp(connection: &mut PgConnection, user: UserId, sealed: &[u8], used_step: i64) -> DbResult<()> {
    sqlx::query!(
        r#"INSERT INTO totp_factors (user_id, secret_ciphertext, used_step) VALUES ($1, $2, $3)
           ON CONFLICT (user_id) DO UPDATE SET secret_ciphertext = EXCLUDED.secret_ciphertext,
               used_step = EXCLUDED.used_step, created_at = now(), last_used_at = NULL"#,
        user.0,
        sealed,
        used_step
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("DELETE FROM totp_enrollments WHERE user_id = $1", user.0).execute(connection).await?;
    Ok(())
}

/// An authenticator app, locked until the transaction ends.
#[derive(Debug)]
pub struct LockedTotp {
    pub secret_ciphertext: Vec<u8>,
    pub used_step: i64,
    pub now: DateTime<Utc>,
}

/// # Errors
/// See [`crate::DbError`].
pub async fn lock_totp(connection: &mut PgConnection, user: UserId) -> DbResult<Option<LockedTotp>> {
    Ok(sqlx::query_as!(
        LockedTotp,
        r#"SELECT secret_ciphertext, used_step, clock_timestamp() AS "now!" FROM totp_factors
           WHERE user_id = $1 FOR UPDATE"#,
        user.0
    )
    .fetch_optional(connection)
    .await?)
}

/// Remembers that the code of `step` was used.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn use_totp(connection: &mut PgConnection, user: UserId, step: i64) -> DbResult<()> {
    sqlx::query!("UPDATE totp_factors SET used_step = $2, last_used_at = now() WHERE user_id = $1", user.0, step)
        .execute(connection)
        .await?;
    Ok(())
}

/// `false` when there was none.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn delete_totp(connection: &mut PgConnection, user: UserId) -> DbResult<bool> {
    let done = sqlx::query!("DELETE FROM totp_factors WHERE user_id = $1", user.0).execute(connection).await?;
    Ok(done.rows_affected() == 1)
}

/// Replaces a person's recovery codes.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn set_recovery_codes(connection: &mut PgConnection, user: UserId, digests: &[[u8; 32]]) -> DbResult<()> {
    let digests: Vec<Vec<u8>> = digests.iter().map(|digest| digest.to_vec()).collect();
    sqlx::query!("DELETE FROM recovery_codes WHERE user_id = $1", user.0).execute(&mut *connection).await?;
    sqlx::query!("INSERT INTO recovery_codes (user_id, digest) SELECT $1, unnest($2::bytea[])", user.0, &digests)
        .execute(connection)
        .await?;
    Ok(())
}

/// Uses a recovery code up; `false` when it is none, or was used.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn use_recovery_code(connection: &mut PgConnection, user: UserId, digest: [u8; 32]) -> DbResult<bool> {
    let done = sqlx::query!(
        "UPDATE recovery_codes SET used_at = now() WHERE user_id = $1 AND digest = $2 AND used_at IS NULL",
        user.0,
        &digest[..]
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Forgets recovery codes that stand in for nothing any more.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn delete_recovery_codes(connection: &mut PgConnection, user: UserId) -> DbResult<()> {
    sqlx::query!("DELETE FROM recovery_codes WHERE user_id = $1", user.0).execute(connection).await?;
    Ok(())
}

/// Forgets every factor of `user`, and what is under way.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn delete_all(connection: &mut PgConnection, user: UserId) -> DbResult<()> {
    sqlx::query!("DELETE FROM totp_factors WHERE user_id = $1", user.0).execute(&mut *connection).await?;
    sqlx::query!("DELETE FROM totp_enrollments WHERE user_id = $1", user.0).execute(&mut *connection).await?;
    sqlx::query!("DELETE FROM passkeys WHERE user_id = $1", user.0).execute(&mut *connection).await?;
    sqlx::query!("DELETE FROM passkey_ceremonies WHERE user_id = $1", user.0).execute(&mut *connection).await?;
    delete_recovery_codes(connection, user).await
}

/// Forgets enrolments and challenges that nobody finished.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn sweep(pool: &PgPool) -> DbResult<()> {
    sqlx::query!("DELETE FROM totp_enrollments WHERE expires_at <= now()").execute(pool).await?;
    sqlx::query!("DELETE FROM passkey_ceremonies WHERE expires_at <= now()").execute(pool).await?;
    sqlx::query!("DELETE FROM pending_logins WHERE expires_at <= now()").execute(pool).await?;
    Ok(())
}
