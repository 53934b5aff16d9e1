//! Signing in and out, and one's own account.

mod login;
mod sign_out;
mod step_up;
mod token;

pub(crate) use login::half;
pub use login::{HalfLogin, Login, login, second_factor};
pub use sign_out::{sign_out, sign_out_by_name, sign_out_everybody};
pub use step_up::{StepUp, SteppedUp, step_up};
pub use token::SecretToken;

use super::actor::{SessionStanding, Standing};
use super::audit::{self, user_target};
use super::passwords::Lane;
use super::throttle::{self, Subject};
use super::users::CreateUser;
use super::{Actor, AdminActor, App, AppError, AppResult, Proven, commit};
use crate::entropy::EntropyExt as _;
use proxima_db::audit::Target;
use proxima_db::factors::{self, Factors};
use proxima_db::sessions::{NewSession, SessionRow};
use proxima_db::users::UserRow;
use proxima_db::{PgConnection, servers::interval, sessions, throttles, users};
use proxima_types::{DisplayName, FieldError, Password, ProofMethod, Role, SessionId, UserId};
use serde_json::json;
use std::net::IpAddr;
use zeroize::Zeroizing;

/// The longest user agent that is kept, in characters.
const USER_AGENT_MAX: usize = 256;

/// Where a request comes from: for the session list, the audit log and the throttles.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    pub ip: Option<IpAddr>,
    pub user_agent: Option<String>,
    /// What says that a person signed in with this browser before.
    pub device: Option<SecretToken>,
    /// Of the session that this browser has already: a sign-in ends it.
    pub session: Option<SecretToken>,
}

/// Who is signed in, as their own pages need to know.
#[derive(Debug, Clone)]
pub struct Profile {
    pub user: UserRow,
    pub factors: Factors,
    pub second_factor_required: bool,
    pub signed_in_with: ProofMethod,
    /// Whether this session is good for nothing but choosing a password.
    pub must_change_password: bool,
}

impl Profile {
    #[must_use]
    pub fn must_enroll(&self) -> bool {
        self.second_factor_required && !self.factors.any()
    }
}

/// How a person showed who they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    /// The last of it.
    pub with: ProofMethod,
    /// Whether the password was a part of it.
    pub password: bool,
}

/// A new session.
pub struct SignedIn {
    pub profile: Profile,
    pub token: SecretToken,
    /// For the browser to keep beyond the session.
    pub device: SecretToken,
}

/// Opens a session for a person who has shown who they are, and ends the one that their browser had, whoever's it was: its
/// token is lost with the cookie that is replaced, and must not stay good for somebody who copied it. Audited.
pub(super) async fn open(
    app: &App,
    tx: &mut PgConnection,
    user: &UserRow,
    shown: Shown,
    origin: &Origin,
) -> AppResult<SignedIn> {
    let Shown { with, password } = shown;
    let must_change_password = password && user.password_temporary_until.is_some();
    let token = SecretToken::random(app.entropy.as_ref());
    let device = origin.device.clone().unwrap_or_else(|| SecretToken::random(app.entropy.as_ref()));
    throttles::remember_device(tx, user.user_id(), device.digest()).await?;
    let user_agent: Option<String> =
        origin.user_agent.as_ref().map(|text| text.chars().filter(|c| !c.is_control()).take(USER_AGENT_MAX).collect());
    let session = NewSession {
        id: SessionId(app.entropy.uuid()),
        token_digest: token.digest(),
        user: user.user_id(),
        absolute: interval(app.config.session_absolute),
        ip: origin.ip,
        user_agent: user_agent.as_deref(),
        signed_in_with: with.as_str(),
        password_temporary: must_change_password,
    };
    let former = match &origin.session {
        Some(former) => sessions::end_by_token(tx, former.digest()).await?,
        None => None,
    };
    sessions::insert(tx, session).await?;
    let factors = factors::of(&mut *tx, user.user_id()).await?;
    let actor = signing_in(user, origin.ip);
    if let Some(former) = former {
        let target = Target { id: Some(former.id), kind: "session", name: &former.username };
        audit::succeeded(tx, &actor, "session.replace", Some(target), json!({})).await?;
    }
    audit::succeeded(tx, &actor, "user.login", Some(user_target(user)), json!({ "with": with })).await?;
    let second_factor_required = app.requires_second_factor(user.role());
    let profile =
        Profile { user: user.clone(), factors, second_factor_required, signed_in_with: with, must_change_password };
    Ok(SignedIn { profile, token, device })
}

/// A person of whom the session is still to come.
pub(super) fn signing_in(user: &UserRow, ip: Option<IpAddr>) -> Actor {
    Actor {
        user_id: Some(user.user_id()),
        username: user.username.clone(),
        role: user.role(),
        session_id: None,
        ip,
        standing: Standing::SigningIn,
    }
}

/// Who is behind a session token.
///
/// # Errors
/// [`AppError::Unauthenticated`] when the session has ended.
pub async fn authenticate(app: &App, token: &SecretToken, ip: Option<IpAddr>) -> AppResult<Actor> {
    let idle = interval(app.config.session_idle);
    let found = sessions::find(&app.db, token.digest(), idle).await?.ok_or(AppError::Unauthenticated)?;
    if found.stale {
        sessions::touch(&app.db, found.session_id).await?;
    }
    let required = app.requires_second_factor(found.user.role());
    let standing = SessionStanding {
        signed_in_with: ProofMethod::from_stored(&found.signed_in_with),
        stepped_up_until: found.stepped_up_until,
        totp: found.totp,
        passkeys: found.passkeys,
        must_change_password: found.must_change_password,
        must_enroll: required && !found.totp && !found.passkeys,
    };
    Ok(Actor {
        session_id: Some(found.session_id),
        standing: Standing::Session(standing),
        ..signing_in(&found.user, ip)
    })
}

/// # Errors
/// When the database is not to be had.
pub async fn logout(app: &App, actor: &Actor) -> AppResult<()> {
    let (Some(user), Some(session)) = (actor.user_id, actor.session_id) else { return Ok(()) };
    let mut tx = app.begin().await?;
    if sessions::end(&mut tx, user, session).await? {
        audit::succeeded(&mut tx, actor, "user.logout", own_target(actor), json!({})).await?;
    }
    commit(tx).await
}

pub(super) fn own_target(actor: &Actor) -> Option<Target<'_>> {
    Some(Target { id: actor.user_id.map(|id| id.0), kind: "user", name: &actor.username })
}

pub(super) fn own_id(actor: &Actor) -> AppResult<UserId> {
    actor.user_id.ok_or(AppError::Unauthenticated)
}

/// # Errors
/// [`AppError::Unauthenticated`] when the account was deleted.
pub async fn me(app: &App, actor: &Actor) -> AppResult<Profile> {
    let user = users::find(&app.db, own_id(actor)?).await?.ok_or(AppError::Unauthenticated)?;
    profile(app, actor, user).await
}

async fn profile(app: &App, actor: &Actor, user: UserRow) -> AppResult<Profile> {
    let Standing::Session(standing) = actor.standing else { return Err(AppError::Unauthenticated) };
    Ok(Profile {
        factors: factors::of(&app.db, user.user_id()).await?,
        second_factor_required: app.requires_second_factor(user.role()),
        signed_in_with: standing.signed_in_with,
        must_change_password: standing.must_change_password,
        user,
    })
}

/// # Errors
/// [`AppError::Invalid`].
pub async fn set_display_name(app: &App, actor: &Actor, name: Option<&str>) -> AppResult<Profile> {
    let name = name.map(str::trim).filter(|name| !name.is_empty()).map(DisplayName::parse).transpose()?;
    let mut tx = app.begin().await?;
    let mut user = users::lock(&mut tx, own_id(actor)?).await?.ok_or(AppError::Unauthenticated)?;
    let before = std::mem::replace(&mut user.display_name, name.map(|name| name.as_str().to_owned()));
    users::update(&mut tx, &user).await?;
    let metadata = json!({ "displayName": { "from": before, "to": user.display_name } });
    audit::succeeded(&mut tx, actor, "user.update", Some(user_target(&user)), metadata).await?;
    commit(tx).await?;
    profile(app, actor, user).await
}

/// Changes one's own password; ends one's other sessions, and gives this one a new token. The present password is the proof
/// that other changes of credentials need a step-up for.
///
/// # Errors
/// [`AppError::Invalid`] naming `currentPassword` or `newPassword`; [`AppError::TooMany`] wrong ones.
pub async fn change_password(
    app: &App,
    actor: &Actor,
    current: Zeroizing<String>,
    new: &str,
) -> AppResult<SecretToken> {
    let user = users::find(&app.db, own_id(actor)?).await?.ok_or(AppError::Unauthenticated)?;
    let session = actor.session_id.ok_or(AppError::Unauthenticated)?;
    let related: Vec<&str> =
        [Some(user.username.as_str()), user.display_name.as_deref()].into_iter().flatten().collect();
    let new = Password::parse("newPassword", new, &related)?;
    let attempt = throttle::attempt(app, &[Subject::Proof(user.user_id())]).await?;
    let hash = users::password_hash(&app.db, user.user_id()).await?;
    let same = current.as_str() == new.expose();
    if !app.passwords.verify(Lane::Known, current, hash).await? {
        return Err(FieldError::new("currentPassword", "wrong", "This is not your current password.").into());
    }
    if same && user.password_temporary_until.is_some() {
        return Err(
            FieldError::new("newPassword", "same", "Choose another one than the password you were given.").into()
        );
    }
    let hash = app.passwords.hash(&new).await?;
    let mut tx = app.begin().await?;
    users::set_password_hash(&mut tx, user.user_id(), &hash, false).await?;
    let ended = sessions::end_all(&mut tx, user.user_id(), Some(session)).await?;
    let token = SecretToken::random(app.entropy.as_ref());
    sessions::change_token(&mut tx, session, token.digest(), true).await?.ok_or(AppError::Unauthenticated)?;
    attempt.succeeded(&mut tx).await?;
    let metadata = json!({ "endedSessions": ended });
    audit::succeeded(&mut tx, actor, "user.password.change", Some(user_target(&user)), metadata).await?;
    commit(tx).await?;
    Ok(token)
}

/// Sets a password from the console, which its owner may have to replace; ends every session of that person.
///
/// # Errors
/// [`AppError::NotFound`], [`AppError::Invalid`].
pub async fn reset_password(
    app: &App,
    console: &Proven<AdminActor>,
    username: &str,
    password: &str,
    temporary: bool,
) -> AppResult<()> {
    let user = users::find_by_username(&app.db, &username.trim().to_lowercase()).await?.ok_or(AppError::NotFound)?;
    let password = Password::parse("password", password, &[&user.username])?;
    let hash = app.passwords.hash(&password).await?;
    let mut tx = app.begin().await?;
    users::set_password_hash(&mut tx, user.user_id(), &hash, temporary).await?;
    sessions::end_all(&mut tx, user.user_id(), None).await?;
    throttles::forget_devices(&mut tx, user.user_id()).await?;
    throttle::forgive(app, &mut tx, user.user_id()).await?;
    audit::succeeded(
        &mut tx,
        console,
        "user.password.reset",
        Some(user_target(&user)),
        json!({ "temporary": temporary }),
    )
    .await?;
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

/// Ends all of one's own sessions but this one. Returns how many.
///
/// # Errors
/// When the database is not to be had.
pub async fn revoke_others(app: &App, actor: &Actor) -> AppResult<u64> {
    let mut tx = app.begin().await?;
    let ended = sessions::end_all(&mut tx, own_id(actor)?, actor.session_id).await?;
    if ended > 0 {
        let metadata = json!({ "endedSessions": ended });
        audit::succeeded(&mut tx, actor, "session.revoke_others", own_target(actor), metadata).await?;
    }
    commit(tx).await?;
    Ok(ended)
}

/// Makes an admin from the console, or at the first start, whose password they may have to replace.
///
/// # Errors
/// As [`super::users::create`].
pub async fn create_admin(app: &App, username: &str, password: &str, temporary: bool) -> AppResult<()> {
    let input = CreateUser {
        username,
        password,
        temporary_password: temporary,
        display_name: None,
        login_slug: None,
        role: Role::Admin,
        server_name: None,
    };
    super::users::create(app, &Actor::console(), input).await.map(drop)
}
