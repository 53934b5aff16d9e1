//! Server-side sessions: only a digest of the token is stored.

use crate::users::UserRow;
use crate::{DbResult, PgConnection, PgPool};
use chrono::{DateTime, Utc};
use ipnetwork::IpNetwork;
use proxima_types::{SessionId, UserId};
use sqlx::postgres::types::PgInterval;
use std::net::IpAddr;
use uuid::Uuid;

/// A session as its owner sees it.
#[derive(Debug, Clone)]
pub struct SessionRow {
    pub id: Uuid,
    pub created_at: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub ip: Option<IpNetwork>,
    pub user_agent: Option<String>,
    pub signed_in_with: String,
}

/// Who is behind a valid session token.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub session_id: SessionId,
    pub user: UserRow,
    /// The session was last marked as seen more than a minute ago.
    pub stale: bool,
    /// Until when the person counts as having shown that it is them; `None` when that is over, or when the token is the
    /// one before the last change of token.
    pub stepped_up_until: Option<DateTime<Utc>>,
    pub signed_in_with: String,
    pub totp: bool,
    pub passkeys: bool,
    /// The session was opened by a temporary password, and there is none in its place yet.
    pub must_change_password: bool,
}

pub struct NewSession<'a> {
    pub id: SessionId,
    pub token_digest: [u8; 32],
    pub user: UserId,
    pub absolute: PgInterval,
    pub ip: Option<IpAddr>,
    pub user_agent: Option<&'a str>,
    pub signed_in_with: &'static str,
    /// By a temporary password.
    pub password_temporary: bool,
}

/// # Errors
/// [`crate::DbError::Gone`] when the user was deleted meanwhile.
pub async fn insert(connection: &mut PgConnection, session: NewSession<'_>) -> DbResult<()> {
    sqlx::query!(
        r#"INSERT INTO sessions (id, token_digest, user_id, expires_at, ip, user_agent, signed_in_with, password_temporary)
           VALUES ($1, $2, $3, now() + $4, $5, $6, $7, $8)"#,
        session.id.0,
        &session.token_digest[..],
        session.user.0,
        session.absolute,
        session.ip.map(IpNetwork::from),
        session.user_agent,
        session.signed_in_with,
        session.password_temporary,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The session of a token, unless it is past its idle or absolute end.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn find(pool: &PgPool, token_digest: [u8; 32], idle: PgInterval) -> DbResult<Option<SignedIn>> {
    let row = sqlx::query!(
        r#"SELECT s.id AS session_id, s.last_seen_at < now() - interval '1 minute' AS "stale!",
                  CASE WHEN s.token_digest = $1 AND s.stepped_up_at > now() - interval '5 minutes'
                      THEN s.stepped_up_at + interval '5 minutes' END AS stepped_up_until,
                  s.signed_in_with,
                  EXISTS (SELECT 1 FROM totp_factors WHERE user_id = u.id) AS "totp!",
                  EXISTS (SELECT 1 FROM passkeys WHERE user_id = u.id) AS "passkeys!",
                  s.password_temporary AND u.password_temporary_until IS NOT NULL AS "must_change_password!",
                  u.id, u.username, u.display_name, u.login_slug, u.role, u.created_at, u.password_temporary_until
           FROM sessions s JOIN users u ON u.id = s.user_id
           WHERE (s.token_digest = $1 OR s.previous_digest = $1 AND s.previous_until > now())
             AND s.expires_at > now() AND s.last_seen_at > now() - $2::interval"#,
        &token_digest[..],
        idle,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| SignedIn {
        session_id: SessionId(row.session_id),
        stale: row.stale,
        stepped_up_until: row.stepped_up_until,
        signed_in_with: row.signed_in_with,
        totp: row.totp,
        passkeys: row.passkeys,
        must_change_password: row.must_change_password,
        user: UserRow {
            id: row.id,
            username: row.username,
            display_name: row.display_name,
            login_slug: row.login_slug,
            role: row.role,
            created_at: row.created_at,
            password_temporary_until: row.password_temporary_until,
        },
    }))
}

/// # Errors
/// See [`crate::DbError`].
pub async fn touch(pool: &PgPool, id: SessionId) -> DbResult<()> {
    sqlx::query!("UPDATE sessions SET last_seen_at = now() WHERE id = $1", id.0).execute(pool).await?;
    Ok(())
}

/// Gives a session another token, so that a copy of the old one ends; the old one stays good for ten seconds, for requests
/// that are on their way. `stepped_up`: the person has just shown that it is them. Returns until when that counts, or
/// `None` when the session has ended.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn change_token(
    connection: &mut PgConnection,
    id: SessionId,
    token_digest: [u8; 32],
    stepped_up: bool,
) -> DbResult<Option<DateTime<Utc>>> {
    Ok(sqlx::query_scalar!(
        r#"UPDATE sessions SET previous_digest = token_digest, previous_until = now() + interval '10 seconds',
               token_digest = $2, stepped_up_at = CASE WHEN $3 THEN now() ELSE stepped_up_at END
           WHERE id = $1 RETURNING stepped_up_at + interval '5 minutes' AS "until!""#,
        id.0,
        &token_digest[..],
        stepped_up
    )
    .fetch_optional(connection)
    .await?)
}

/// The live sessions of a person, newest first.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn list(pool: &PgPool, user: UserId, idle: PgInterval) -> DbResult<Vec<SessionRow>> {
    Ok(sqlx::query_as!(
        SessionRow,
        r#"SELECT id, created_at, last_seen_at, expires_at, ip, user_agent, signed_in_with FROM sessions
           WHERE user_id = $1 AND expires_at > now() AND last_seen_at > now() - $2::interval
           ORDER BY last_seen_at DESC LIMIT 200"#,
        user.0,
        idle,
    )
    .fetch_all(pool)
    .await?)
}

/// Ends one session of `user`; `false` when there is none with that id.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn end(connection: &mut PgConnection, user: UserId, id: SessionId) -> DbResult<bool> {
    let done =
        sqlx::query!("DELETE FROM sessions WHERE id = $1 AND user_id = $2", id.0, user.0).execute(connection).await?;
    Ok(done.rows_affected() == 1)
}

/// A session that was ended, and whose it was.
#[derive(Debug)]
pub struct EndedSession {
    pub id: Uuid,
    pub username: String,
}

/// Ends the session of a token, also of one that was changed in the last seconds; `None` when there is none.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn end_by_token(connection: &mut PgConnection, token_digest: [u8; 32]) -> DbResult<Option<EndedSession>> {
    Ok(sqlx::query_as!(
        EndedSession,
        r#"DELETE FROM sessions s USING users u
           WHERE u.id = s.user_id AND (s.token_digest = $1 OR s.previous_digest = $1 AND s.previous_until > now())
           RETURNING s.id, u.username"#,
        &token_digest[..]
    )
    .fetch_optional(connection)
    .await?)
}

/// Ends every session of `user` but `except`, and every sign-in of theirs that is under way.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn end_all(connection: &mut PgConnection, user: UserId, except: Option<SessionId>) -> DbResult<u64> {
    sqlx::query!("DELETE FROM pending_logins WHERE user_id = $1", user.0).execute(&mut *connection).await?;
    let done = sqlx::query!(
        "DELETE FROM sessions WHERE user_id = $1 AND ($2::uuid IS NULL OR id <> $2)",
        user.0,
        except.map(|id| id.0),
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Ends every session of everybody, and every sign-in that is under way. Returns how many sessions those were.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn end_everybodys(connection: &mut PgConnection) -> DbResult<u64> {
    // Rows are deleted elsewhere too, in other orders: two who wait for each other would both fail.
    sqlx::query!("LOCK TABLE pending_logins, sessions IN SHARE ROW EXCLUSIVE MODE").execute(&mut *connection).await?;
    sqlx::query!("DELETE FROM pending_logins").execute(&mut *connection).await?;
    let done = sqlx::query!("DELETE FROM sessions").execute(connection).await?;
    Ok(done.rows_affected())
}

/// Forgets sessions that ended by themselves.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn delete_ended(pool: &PgPool, idle: PgInterval) -> DbResult<u64> {
    let done =
        sqlx::query!("DELETE FROM sessions WHERE expires_at <= now() OR last_seen_at <= now() - $1::interval", idle)
            .execute(pool)
            .await?;
    Ok(done.rows_affected())
}
