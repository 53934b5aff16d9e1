//! Attempts to prove who one is, counted so that every dashboard on this database agrees.

use crate::{DbResult, PgConnection, PgPool};
use proxima_types::UserId;

/// What an attempt is counted for, and how many failures cost nothing.
#[derive(Debug, Clone, Copy)]
pub struct Charge {
    pub key: [u8; 32],
    pub free: i32,
}

/// Rows that are kept at most; beyond it the oldest are forgotten.
const ROWS_MAX: i64 = 200_000;
/// Browsers that are remembered for one person.
const DEVICES_MAX: i64 = 20;

/// Charges an attempt, which the caller then makes: `None`. Or the seconds to wait, and nothing was charged.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn charge(pool: &PgPool, charges: &[Charge]) -> DbResult<Option<f64>> {
    let keys: Vec<Vec<u8>> = charges.iter().map(|charge| charge.key.to_vec()).collect();
    let free: Vec<i32> = charges.iter().map(|charge| charge.free).collect();
    let wait =
        sqlx::query_scalar!(r#"SELECT throttle_charge($1, $2) AS "wait!""#, &keys, &free).fetch_one(pool).await?;
    Ok((wait > 0.0).then_some(wait))
}

/// Forgets every failure of a key, after a success.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn clear(connection: &mut PgConnection, key: [u8; 32]) -> DbResult<()> {
    sqlx::query!("DELETE FROM throttles WHERE key = $1", &key[..]).execute(connection).await?;
    Ok(())
}

/// Takes the charge of one attempt back, after a success.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn refund(connection: &mut PgConnection, key: [u8; 32]) -> DbResult<()> {
    sqlx::query!(
        "UPDATE throttles SET failures = greatest(0, failures - 1), blocked_until = least(blocked_until, charged_at)
         WHERE key = $1",
        &key[..]
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets what no longer delays anybody, and the oldest beyond the bound.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn sweep(pool: &PgPool) -> DbResult<()> {
    // By then every failure is forgiven: the most that count are 32, one each 10 minutes.
    sqlx::query!("DELETE FROM throttles WHERE charged_at < now() - interval '6 hours'").execute(pool).await?;
    sqlx::query!(
        "DELETE FROM throttles WHERE charged_at < (SELECT charged_at FROM throttles ORDER BY charged_at DESC OFFSET $1 LIMIT 1)",
        ROWS_MAX
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Whether `user` signed in with this browser before.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn knows_device(pool: &PgPool, user: UserId, digest: [u8; 32]) -> DbResult<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM known_devices WHERE user_id = $1 AND digest = $2) AS "known!""#,
        user.0,
        &digest[..]
    )
    .fetch_one(pool)
    .await?)
}

/// Remembers a browser of `user`; of many, the latest used.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn remember_device(connection: &mut PgConnection, user: UserId, digest: [u8; 32]) -> DbResult<()> {
    sqlx::query!(
        "INSERT INTO known_devices (user_id, digest) VALUES ($1, $2)
         ON CONFLICT (user_id, digest) DO UPDATE SET last_used_at = now()",
        user.0,
        &digest[..]
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "DELETE FROM known_devices WHERE user_id = $1 AND digest IN
             (SELECT digest FROM known_devices WHERE user_id = $1 ORDER BY last_used_at DESC OFFSET $2)",
        user.0,
        DEVICES_MAX
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets every browser of `user`.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn forget_devices(connection: &mut PgConnection, user: UserId) -> DbResult<()> {
    sqlx::query!("DELETE FROM known_devices WHERE user_id = $1", user.0).execute(connection).await?;
    Ok(())
}
