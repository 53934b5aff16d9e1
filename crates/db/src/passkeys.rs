//! Passkeys, and the challenges that browsers were given for them.

use crate::{DbResult, PgConnection, PgPool};
use chrono::{DateTime, Utc};
use proxima_types::UserId;
use serde_json::Value;
use uuid::Uuid;

#[derive(Debug, Clone)]
pub struct PasskeyRow {
    pub id: Uuid,
    pub credential: Value,
    pub name: String,
    /// Kept by a platform that copies it to other devices.
    pub synced: bool,
    pub created_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
}

/// What a challenge is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    SignIn,
    SecondFactor,
    StepUp,
    Register,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "SIGN_IN",
            Self::SecondFactor => "SECOND_FACTOR",
            Self::StepUp => "STEP_UP",
            Self::Register => "REGISTER",
        }
    }
}

/// Challenges of strangers that may be open at once; beyond it the oldest are forgotten.
const CEREMONIES_MAX: i64 = 20_000;

/// Oldest first.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn list(connection: impl sqlx::PgExecutor<'_>, user: UserId) -> DbResult<Vec<PasskeyRow>> {
    Ok(sqlx::query_as!(
        PasskeyRow,
        r#"SELECT id, credential, name, synced, created_at, last_used_at FROM passkeys
           WHERE user_id = $1 ORDER BY created_at, id"#,
        user.0
    )
    .fetch_all(connection)
    .await?)
}

/// One passkey of `user` by the id that browsers name, locked until the transaction ends.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn lock_by_credential(
    connection: &mut PgConnection,
    user: UserId,
    credential_id: &[u8],
) -> DbResult<Option<PasskeyRow>> {
    Ok(sqlx::query_as!(
        PasskeyRow,
        r#"SELECT id, credential, name, synced, created_at, last_used_at FROM passkeys
           WHERE user_id = $1 AND credential_id = $2 FOR UPDATE"#,
        user.0,
        credential_id
    )
    .fetch_optional(connection)
    .await?)
}

/// # Errors
/// [`crate::DbError::Conflict`] `passkeys_credential_key` when it is somebody's already.
pub async fn insert(
    connection: &mut PgConnection,
    user: UserId,
    id: Uuid,
    credential_id: &[u8],
    credential: &Value,
    (name, synced): (&str, bool),
) -> DbResult<PasskeyRow> {
    Ok(sqlx::query_as!(
        PasskeyRow,
        r#"INSERT INTO passkeys (id, user_id, credential_id, credential, name, synced) VALUES ($1, $2, $3, $4, $5, $6)
           RETURNING id, credential, name, synced, created_at, last_used_at"#,
        id,
        user.0,
        credential_id,
        credential,
        name,
        synced
    )
    .fetch_one(connection)
    .await?)
}

/// Remembers a use, with the counter and flags that came with it.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn used(connection: &mut PgConnection, id: Uuid, credential: &Value, synced: bool) -> DbResult<()> {
    sqlx::query!(
        "UPDATE passkeys SET credential = $2, synced = $3, last_used_at = now() WHERE id = $1",
        id,
        credential,
        synced
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// # Errors
/// See [`crate::DbError`].
pub async fn rename(connection: &mut PgConnection, user: UserId, id: Uuid, name: &str) -> DbResult<Option<PasskeyRow>> {
    Ok(sqlx::query_as!(
        PasskeyRow,
        r#"UPDATE passkeys SET name = $3 WHERE user_id = $1 AND id = $2
           RETURNING id, credential, name, synced, created_at, last_used_at"#,
        user.0,
        id,
        name
    )
    .fetch_optional(connection)
    .await?)
}

/// Its name, when there was one.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn delete(connection: &mut PgConnection, user: UserId, id: Uuid) -> DbResult<Option<String>> {
    Ok(sqlx::query_scalar!("DELETE FROM passkeys WHERE user_id = $1 AND id = $2 RETURNING name", user.0, id)
        .fetch_optional(connection)
        .await?)
}

/// Keeps a challenge for five minutes. Returns when it ends.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn begin(
    pool: &PgPool,
    id: Uuid,
    purpose: Purpose,
    user: Option<UserId>,
    state: &Value,
) -> DbResult<DateTime<Utc>> {
    Ok(sqlx::query_scalar!(
        r#"INSERT INTO passkey_ceremonies (id, purpose, user_id, state, expires_at)
           VALUES ($1, $2, $3, $4, now() + interval '5 minutes') RETURNING expires_at"#,
        id,
        purpose.as_str(),
        user.map(|user| user.0),
        state
    )
    .fetch_one(pool)
    .await?)
}

/// Takes a challenge: it is good once, for what and whom it was made. The deletion is its own transaction, so that a refused
/// answer uses it up too.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn take(pool: &PgPool, id: Uuid, purpose: Purpose, user: Option<UserId>) -> DbResult<Option<Value>> {
    Ok(sqlx::query_scalar!(
        r#"DELETE FROM passkey_ceremonies
           WHERE id = $1 AND purpose = $2 AND user_id IS NOT DISTINCT FROM $3 AND expires_at > now() RETURNING state"#,
        id,
        purpose.as_str(),
        user.map(|user| user.0)
    )
    .fetch_optional(pool)
    .await?)
}

/// Forgets the oldest of strangers' challenges beyond the bound.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn sweep(pool: &PgPool) -> DbResult<()> {
    sqlx::query!(
        "DELETE FROM passkey_ceremonies WHERE user_id IS NULL AND expires_at <
             (SELECT expires_at FROM passkey_ceremonies WHERE user_id IS NULL ORDER BY expires_at DESC OFFSET $1 LIMIT 1)",
        CEREMONIES_MAX
    )
    .execute(pool)
    .await?;
    Ok(())
}
