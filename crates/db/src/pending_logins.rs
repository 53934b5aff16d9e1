//! Sign-ins whose password was right and whose second factor is still to come.

use crate::users::UserRow;
use crate::{DbResult, PgConnection, PgPool};
use chrono::{DateTime, Utc};
use proxima_types::UserId;

/// Wrong second factors after which the password is asked for again.
const FAILURES_MAX: i32 = 5;

/// Good for five minutes. Returns when it ends.
///
/// # Errors
/// [`crate::DbError::Gone`] when the user was deleted meanwhile.
pub async fn insert(connection: &mut PgConnection, digest: [u8; 32], user: UserId) -> DbResult<DateTime<Utc>> {
    Ok(sqlx::query_scalar!(
        "INSERT INTO pending_logins (token_digest, user_id, expires_at) VALUES ($1, $2, now() + interval '5 minutes')
         RETURNING expires_at",
        &digest[..],
        user.0
    )
    .fetch_one(connection)
    .await?)
}

/// Who is signing in.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn find(pool: &PgPool, digest: [u8; 32]) -> DbResult<Option<UserRow>> {
    Ok(sqlx::query_as!(
        UserRow,
        r#"SELECT u.id, u.username, u.display_name, u.login_slug, u.role, u.created_at,
                  u.password_temporary_until
           FROM pending_logins p JOIN users u ON u.id = p.user_id
           WHERE p.token_digest = $1 AND p.expires_at > now() AND p.failures < $2"#,
        &digest[..],
        FAILURES_MAX
    )
    .fetch_optional(pool)
    .await?)
}

/// Counts a wrong second factor.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn fail(connection: &mut PgConnection, digest: [u8; 32]) -> DbResult<()> {
    sqlx::query!("UPDATE pending_logins SET failures = failures + 1 WHERE token_digest = $1", &digest[..])
        .execute(connection)
        .await?;
    Ok(())
}

/// Uses it up; `false` when it ended meanwhile.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn take(connection: &mut PgConnection, digest: [u8; 32]) -> DbResult<bool> {
    let done = sqlx::query!(
        "DELETE FROM pending_logins WHERE token_digest = $1 AND expires_at > now() AND failures < $2",
        &digest[..],
        FAILURES_MAX
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
