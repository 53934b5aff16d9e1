//! Signing in and out, and one's own account.

use super::audit::{self, user_target};
use super::users::CreateUser;
use super::{Actor, AdminActor, App, AppError, AppResult, commit};
use crate::entropy::EntropyExt as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proxima_db::audit::Target;
use proxima_db::sessions::{NewSession, SessionRow};
use proxima_db::users::UserRow;
use proxima_db::{servers::interval, sessions, users};
use proxima_types::{DisplayName, FieldError, Password, Role, SessionId, UserId};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::net::IpAddr;
use zeroize::Zeroizing;

/// The longest user agent that is kept, in characters.
const USER_AGENT_MAX: usize = 256;

/// Where a request comes from, for the session list and the audit log.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    pub ip: Option<IpAddr>,
    pub user_agent: Option<String>,
}

/// The secret that a browser's cookie holds: 32 random bytes, base64url. Only its digest is stored.
pub struct SessionToken(Zeroizing<String>);

impl SessionToken {
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

fn token_digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Signs in by username, or on a personal login page by its slug (then only that person).
///
/// # Errors
/// [`AppError::InvalidCredentials`], the same after the same work for an unknown name.
pub async fn login(
    app: &App,
    username: Option<&str>,
    slug: Option<&str>,
    password: Zeroizing<String>,
    origin: &Origin,
) -> AppResult<(UserRow, SessionToken)> {
    let username = username.map(|name| name.trim().to_lowercase());
    // PostgreSQL holds no NUL, so nobody is called that.
    let unstorable = [username.as_deref(), slug].into_iter().flatten().any(|name| name.contains('\0'));
    let found = if unstorable { None } else { users::find_credentials(&app.db, username.as_deref(), slug).await? };
    let (user, hash) = match found {
        Some(credentials) => (Some(credentials.user), Some(credentials.password_hash)),
        None => (None, None),
    };
    let matches = app.passwords.verify(password, hash.clone()).await?;
    // A name that nobody has is not written down: people type passwords there.
    let Some(user) = user else { return Err(AppError::InvalidCredentials) };
    let actor = actor_of(&user, None, origin.ip);
    let mut tx = app.begin().await?;
    // A change of password, or a deletion, that came in between ends this login as it ends the sessions before it.
    let present = users::hold_password_hash(&mut tx, user.user_id()).await?;
    if present.is_none() {
        return Err(AppError::InvalidCredentials);
    }
    if !matches || present != hash {
        audit::failed(&mut tx, &actor, "user.login.failed", Some(user_target(&user)), json!({})).await?;
        commit(tx).await?;
        return Err(AppError::InvalidCredentials);
    }
    let token = SessionToken(Zeroizing::new(URL_SAFE_NO_PAD.encode(app.entropy.bytes::<32>())));
    let user_agent: Option<String> =
        origin.user_agent.as_ref().map(|text| text.chars().filter(|c| !c.is_control()).take(USER_AGENT_MAX).collect());
    let session = NewSession {
        id: SessionId(app.entropy.uuid()),
        token_digest: token_digest(token.expose()),
        user: user.user_id(),
        absolute: interval(app.config.session_absolute),
        ip: origin.ip,
        user_agent: user_agent.as_deref(),
    };
    sessions::insert(&mut tx, session).await?;
    audit::succeeded(&mut tx, &actor, "user.login", Some(user_target(&user)), json!({})).await?;
    commit(tx).await?;
    Ok((user, token))
}

/// Who is behind a session token.
///
/// # Errors
/// [`AppError::Unauthenticated`] when the session has ended.
pub async fn authenticate(app: &App, token: &str, ip: Option<IpAddr>) -> AppResult<Actor> {
    let idle = interval(app.config.session_idle);
    let signed_in = sessions::find(&app.db, token_digest(token), idle).await?.ok_or(AppError::Unauthenticated)?;
    if signed_in.stale {
        sessions::touch(&app.db, signed_in.session_id).await?;
    }
    Ok(actor_of(&signed_in.user, Some(signed_in.session_id), ip))
}

fn actor_of(user: &UserRow, session_id: Option<SessionId>, ip: Option<IpAddr>) -> Actor {
    Actor { user_id: Some(user.user_id()), username: user.username.clone(), role: user.role(), session_id, ip }
}

/// # Errors
/// When the database is not to be had.
pub async fn logout(app: &App, actor: &Actor) -> AppResult<()> {
    let (Some(user), Some(session)) = (actor.user_id, actor.session_id) else { return Ok(()) };
    let mut tx = app.begin().await?;
    if sessions::end(&mut tx, user, session).await? {
        audit::succeeded(&mut tx, actor, "user.logout", own_target(actor).as_ref().copied(), json!({})).await?;
    }
    commit(tx).await
}

fn own_target(actor: &Actor) -> Option<Target<'_>> {
    Some(Target { id: actor.user_id.map(|id| id.0), kind: "user", name: &actor.username })
}

fn own_id(actor: &Actor) -> AppResult<UserId> {
    actor.user_id.ok_or(AppError::Unauthenticated)
}

/// # Errors
/// [`AppError::Unauthenticated`] when the account was deleted.
pub async fn me(app: &App, actor: &Actor) -> AppResult<UserRow> {
    users::find(&app.db, own_id(actor)?).await?.ok_or(AppError::Unauthenticated)
}

/// # Errors
/// [`AppError::Invalid`].
pub async fn set_display_name(app: &App, actor: &Actor, name: Option<&str>) -> AppResult<UserRow> {
    let name = name.map(str::trim).filter(|name| !name.is_empty()).map(DisplayName::parse).transpose()?;
    let mut tx = app.begin().await?;
    let mut user = users::lock(&mut tx, own_id(actor)?).await?.ok_or(AppError::Unauthenticated)?;
    let before = std::mem::replace(&mut user.display_name, name.map(|name| name.as_str().to_owned()));
    users::update(&mut tx, &user).await?;
    let metadata = json!({ "displayName": { "from": before, "to": user.display_name } });
    audit::succeeded(&mut tx, actor, "user.update", Some(user_target(&user)), metadata).await?;
    commit(tx).await?;
    Ok(user)
}

/// Changes one's own password; ends one's other sessions.
///
/// # Errors
/// [`AppError::Invalid`] naming `currentPassword` or `newPassword`.
pub async fn change_password(app: &App, actor: &Actor, current: Zeroizing<String>, new: &str) -> AppResult<()> {
    let user = me(app, actor).await?;
    let related: Vec<&str> =
        [Some(user.username.as_str()), user.display_name.as_deref()].into_iter().flatten().collect();
    let new = Password::parse("newPassword", new, &related)?;
    let hash = users::password_hash(&app.db, user.user_id()).await?;
    if !app.passwords.verify(current, hash).await? {
        return Err(FieldError::new("currentPassword", "wrong", "This is not your current password.").into());
    }
    let hash = app.passwords.hash(&new).await?;
    let mut tx = app.begin().await?;
    users::set_password_hash(&mut tx, user.user_id(), &hash).await?;
    let ended = sessions::end_all(&mut tx, user.user_id(), actor.session_id).await?;
    let metadata = json!({ "endedSessions": ended });
    audit::succeeded(&mut tx, actor, "user.password.change", Some(user_target(&user)), metadata).await?;
    commit(tx).await
}

/// Sets a password from the console; ends every session of that person.
///
/// # Errors
/// [`AppError::NotFound`], [`AppError::Invalid`].
pub async fn reset_password(app: &App, console: &AdminActor, username: &str, password: &str) -> AppResult<()> {
    let user = users::find_by_username(&app.db, &username.trim().to_lowercase()).await?.ok_or(AppError::NotFound)?;
    let password = Password::parse("password", password, &[&user.username])?;
    let hash = app.passwords.hash(&password).await?;
    let mut tx = app.begin().await?;
    users::set_password_hash(&mut tx, user.user_id(), &hash).await?;
    sessions::end_all(&mut tx, user.user_id(), None).await?;
    audit::succeeded(&mut tx, console, "user.password.reset", Some(user_target(&user)), json!({})).await?;
    commit(tx).await
}

/// # Errors
/// When the database is not to be had.
pub async fn list(app: &App, actor: &Actor) -> AppResult<Vec<SessionRow>> {
    Ok(sessions::list(&app.db, own_id(actor)?, interval(app.config.session_idle)).await?)
}

/// Ends one of one's own sessions.
///
/// # Errors
/// [`AppError::NotFound`] for another person's too.
pub async fn revoke(app: &App, actor: &Actor, id: SessionId) -> AppResult<()> {
    let mut tx = app.begin().await?;
    if !sessions::end(&mut tx, own_id(actor)?, id).await? {
        return Err(AppError::NotFound);
    }
    let target = Target { id: Some(id.0), kind: "session", name: &actor.username };
    audit::succeeded(&mut tx, actor, "session.revoke", Some(target), json!({})).await?;
    commit(tx).await
}

/// Makes an admin from the console, or at the first start.
///
/// # Errors
/// As [`super::users::create`].
pub async fn create_admin(app: &App, username: &str, password: &str) -> AppResult<()> {
    let input =
        CreateUser { username, password, display_name: None, login_slug: None, role: Role::Admin, server_name: None };
    super::users::create(app, &Actor::console(), input).await.map(drop)
}
