//! Sessions that somebody else ends: an admin one person's, the console anybody's or everybody's.

use crate::app::audit::{self, user_target};
use crate::app::{AdminActor, App, AppError, AppResult, Proven, commit};
use proxima_db::users::UserRow;
use proxima_db::{Tx, sessions, users};
use proxima_types::UserId;
use serde_json::json;

/// Ends every session of another person, and the sign-ins of theirs that are under way. They can sign in again. Returns how
/// many sessions those were.
///
/// # Errors
/// [`AppError::NotFound`], [`AppError::NotNow`] `own_sessions`.
pub async fn sign_out(app: &App, admin: &Proven<AdminActor>, id: UserId) -> AppResult<u64> {
    let mut tx = app.begin().await?;
    let user = users::lock(&mut tx, id).await?.ok_or(AppError::NotFound)?;
    if admin.user_id == Some(id) {
        let sentence = "End your own sessions on your account's page";
        return Err(AppError::not_now("own_sessions", "Your own sessions", sentence));
    }
    sign_out_locked(tx, admin, &user).await
}

/// As [`sign_out`], by username from the console.
///
/// # Errors
/// [`AppError::NotFound`].
pub async fn sign_out_by_name(app: &App, console: &Proven<AdminActor>, username: &str) -> AppResult<u64> {
    let found = users::find_by_username(&app.db, &username.trim().to_lowercase()).await?.ok_or(AppError::NotFound)?;
    let mut tx = app.begin().await?;
    let user = users::lock(&mut tx, found.user_id()).await?.ok_or(AppError::NotFound)?;
    sign_out_locked(tx, console, &user).await
}

async fn sign_out_locked(mut tx: Tx, admin: &Proven<AdminActor>, user: &UserRow) -> AppResult<u64> {
    let ended = sessions::end_all(&mut tx, user.user_id(), None).await?;
    let metadata = json!({ "endedSessions": ended });
    audit::succeeded(&mut tx, admin, "user.sign_out", Some(user_target(user)), metadata).await?;
    commit(tx).await?;
    Ok(ended)
}

/// Ends every session of everybody, from the console. Returns how many those were.
///
/// # Errors
/// When the database is not to be had.
pub async fn sign_out_everybody(app: &App, console: &Proven<AdminActor>) -> AppResult<u64> {
    let mut tx = app.begin().await?;
    let ended = sessions::end_everybodys(&mut tx).await?;
    audit::succeeded(&mut tx, console, "session.revoke_all", None, json!({ "endedSessions": ended })).await?;
    commit(tx).await?;
    Ok(ended)
}
