//! Signing in: the password, then a second factor if the person has one; or a passkey, which is both.

use super::{Origin, SecretToken, Shown, SignedIn, open};
use crate::app::audit::{self, user_target};
use crate::app::factors::{self, SecondFactor};
use crate::app::passwords::Lane;
use crate::app::throttle::{self, Subject};
use crate::app::{Actor, App, AppError, AppResult, commit};
use chrono::{DateTime, Utc};
use proxima_db::users::UserRow;
use proxima_db::{pending_logins, throttles, users};
use proxima_types::{ProofMethod, UserId};
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

/// What a right password is answered with.
pub enum Login {
    SignedIn(Box<SignedIn>),
    SecondFactor(HalfLogin),
}

/// The password was right; the second factor is to follow within five minutes.
pub struct HalfLogin {
    /// Opens the second step and nothing else.
    pub token: SecretToken,
    pub methods: Vec<ProofMethod>,
    pub expires_at: DateTime<Utc>,
}

/// Signs in by username, or on a personal login page by its slug (then only that person).
///
/// # Errors
/// [`AppError::InvalidCredentials`], the same after the same work for an unknown name; [`AppError::TooMany`];
/// [`AppError::TemporaryPasswordExpired`].
pub async fn login(
    app: &App,
    username: Option<&str>,
    slug: Option<&str>,
    password: Zeroizing<String>,
    origin: &Origin,
) -> AppResult<Login> {
    let username = username.map(|name| name.trim().to_lowercase());
    // PostgreSQL holds no NUL, so nobody is called that.
    let unstorable = [username.as_deref(), slug].into_iter().flatten().any(|name| name.contains('\0'));
    let found = if unstorable { None } else { users::find_credentials(&app.db, username.as_deref(), slug).await? };
    let (user, hash, expired) = match found {
        Some(found) => (Some(found.user), Some(found.password_hash), found.password_expired),
        None => (None, None, false),
    };
    let typed = format!("{}\0{}", username.as_deref().unwrap_or_default(), slug.unwrap_or_default());
    // Nobody has the nil id: the same questions are asked for a name that nobody has.
    let id = user.as_ref().map_or(UserId(Uuid::nil()), UserRow::user_id);
    let device = match &origin.device {
        Some(token) if throttles::knows_device(&app.db, id, token.digest()).await? => Some(token.digest()),
        _ => None,
    };
    let account = if user.is_some() { Subject::Account(id) } else { Subject::Name(&typed) };
    let subjects: Vec<Subject<'_>> = match &device {
        Some(digest) => vec![Subject::Device(id, digest)],
        None => [Some(account), origin.ip.map(Subject::Address)].into_iter().flatten().collect(),
    };
    let attempt = throttle::attempt(app, &subjects).await?;
    let lane = if device.is_some() { Lane::Known } else { Lane::Strangers };
    let matches = app.passwords.verify(lane, password.clone(), hash.clone()).await?;
    let hash = if matches { renew_hash(app, id, password, hash).await } else { hash };
    let mut tx = app.begin().await?;
    // A change of password, or a deletion, that came in between ends this login as it ends the sessions before it.
    let present = users::hold_password_hash(&mut tx, id).await?;
    let Some(user) = user.filter(|_| matches && present.is_some() && present == hash) else {
        return refuse(tx, id, origin).await;
    };
    if expired {
        return refuse_expired(tx, &user, origin).await;
    }
    attempt.succeeded(&mut tx).await?;
    let factors = proxima_db::factors::of(&mut *tx, id).await?;
    if !factors.any() {
        let shown = Shown { with: ProofMethod::Password, password: true };
        let signed_in = open(app, &mut tx, &user, shown, origin).await?;
        commit(tx).await?;
        return Ok(Login::SignedIn(Box::new(signed_in)));
    }
    let token = SecretToken::random(app.entropy.as_ref());
    let expires_at = pending_logins::insert(&mut tx, token.digest(), id).await?;
    commit(tx).await?;
    let methods = [
        (factors.totp_since.is_some(), ProofMethod::Totp),
        (factors.passkeys > 0 && app.passkeys.is_ok(), ProofMethod::Passkey),
        (factors.recovery_codes_left > 0, ProofMethod::RecoveryCode),
    ];
    let methods = methods.into_iter().filter_map(|(has, method)| has.then_some(method)).collect();
    Ok(Login::SecondFactor(HalfLogin { token, methods, expires_at }))
}

/// A hash of a lower cost than today's is replaced while its password is at hand; what prevents that prevents no sign-in. Of
/// two sign-ins at that same moment one is refused as after a change of password: once in the life of a hash.
async fn renew_hash(app: &App, id: UserId, password: Zeroizing<String>, hash: Option<String>) -> Option<String> {
    let old = hash?;
    let renewed = async {
        let Some(new) = app.passwords.renewed(password, &old).await? else { return Ok(None) };
        let replaced = users::replace_password_hash(&app.db, id, &old, &new).await?;
        AppResult::Ok(replaced.then_some(new))
    };
    match renewed.await {
        Ok(new) => Some(new.unwrap_or(old)),
        Err(error) => {
            tracing::warn!(error = ?anyhow::Error::from(error), "a password's hash of a lower cost could not be renewed");
            Some(old)
        }
    }
}

/// The failure is on record; a name that nobody has is not written down, because people type passwords there.
async fn refuse(mut tx: proxima_db::Tx, id: UserId, origin: &Origin) -> AppResult<Login> {
    let metadata = json!({ "step": ProofMethod::Password });
    match users::find(&mut *tx, id).await? {
        Some(user) => {
            let actor = super::signing_in(&user, origin.ip);
            audit::failed(&mut tx, &actor, "user.login.failed", Some(user_target(&user)), metadata).await?;
        }
        None => audit::failed(&mut tx, &Actor::anonymous(origin.ip), "user.login.failed", None, metadata).await?,
    }
    commit(tx).await?;
    metrics::counter!("proxima_login_failures_total").increment(1);
    Err(AppError::InvalidCredentials)
}

/// A temporary password that was not used in time. Only whoever knows it learns that.
async fn refuse_expired(mut tx: proxima_db::Tx, user: &UserRow, origin: &Origin) -> AppResult<Login> {
    let actor = super::signing_in(user, origin.ip);
    let metadata = json!({ "step": ProofMethod::Password, "expired": true });
    audit::failed(&mut tx, &actor, "user.login.failed", Some(user_target(user)), metadata).await?;
    commit(tx).await?;
    metrics::counter!("proxima_login_failures_total").increment(1);
    Err(AppError::TemporaryPasswordExpired)
}

/// Whose half-made sign-in a token is.
pub(crate) async fn half(app: &App, token: &SecretToken) -> AppResult<UserRow> {
    pending_logins::find(&app.db, token.digest()).await?.ok_or(AppError::LoginExpired)
}

/// The second step.
///
/// # Errors
/// [`AppError::LoginExpired`]; [`AppError::Invalid`] naming `code` or `credential`; [`AppError::TooMany`].
pub async fn second_factor(
    app: &App,
    token: &SecretToken,
    given: SecondFactor,
    origin: &Origin,
) -> AppResult<SignedIn> {
    let user = half(app, token).await?;
    let attempt = throttle::attempt(app, &[Subject::Factor(user.user_id())]).await?;
    let method = given.method();
    let prepared = factors::prepare(app, user.user_id(), given, proxima_db::passkeys::Purpose::SecondFactor).await?;
    let mut tx = app.begin().await?;
    // In the order of every change of an account, which deletes half-made sign-ins too.
    let user = users::lock(&mut tx, user.user_id()).await?.ok_or(AppError::LoginExpired)?;
    if !factors::check(app, &mut tx, user.user_id(), prepared).await? {
        pending_logins::fail(&mut tx, token.digest()).await?;
        let actor = super::signing_in(&user, origin.ip);
        let metadata = json!({ "step": method });
        audit::failed(&mut tx, &actor, "user.login.failed", Some(user_target(&user)), metadata).await?;
        commit(tx).await?;
        return Err(factors::wrong(method));
    }
    if !pending_logins::take(&mut tx, token.digest()).await? {
        return Err(AppError::LoginExpired);
    }
    attempt.succeeded(&mut tx).await?;
    let signed_in = open(app, &mut tx, &user, Shown { with: method, password: true }, origin).await?;
    commit(tx).await?;
    Ok(signed_in)
}
