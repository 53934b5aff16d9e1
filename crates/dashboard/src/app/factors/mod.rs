//! Second factors: authenticator apps, passkeys, and the recovery codes that stand in for them.

mod passkeys;
mod recovery;
mod totp;

pub use passkeys::{
    Ceremony, NewPasskey, RelyingParty, add_passkey, passkey_options, remove_passkey, rename_passkey,
    second_factor_options, sign_in, sign_in_options, step_up_options,
};
pub use recovery::{RecoveryCodes, make_recovery_codes};
pub use totp::{TotpEnrollment, begin_totp, confirm_totp, remove_totp};

use super::actor::Standing;
use super::audit::{self, user_target};
use super::sessions::{SecretToken, own_id};
use super::{Actor, AdminActor, App, AppError, AppResult, Proven, commit, throttle};
use chrono::{DateTime, Utc};
use proxima_db::factors::{self, Factors};
use proxima_db::passkeys::{PasskeyRow, Purpose};
use proxima_db::users::UserRow;
use proxima_db::{PgConnection, Tx, sessions, throttles, users};
use proxima_types::{FieldError, ProofMethod, Role, UserId};
use serde_json::json;
use uuid::Uuid;
use webauthn_rs::prelude::PublicKeyCredential;
use zeroize::Zeroizing;

/// A second factor as it was given.
pub enum SecondFactor {
    Totp(Zeroizing<String>),
    RecoveryCode(Zeroizing<String>),
    Passkey { ceremony: Uuid, credential: Box<PublicKeyCredential> },
}

impl SecondFactor {
    #[must_use]
    pub fn method(&self) -> ProofMethod {
        match self {
            Self::Totp(_) => ProofMethod::Totp,
            Self::RecoveryCode(_) => ProofMethod::RecoveryCode,
            Self::Passkey { .. } => ProofMethod::Passkey,
        }
    }
}

/// A second factor that is about to be checked; a passkey's challenge is used up already.
pub(super) enum Prepared {
    Totp(Zeroizing<String>),
    RecoveryCode([u8; 32]),
    Passkey(Option<passkeys::Answered>),
}

pub(super) async fn prepare(app: &App, user: UserId, given: SecondFactor, purpose: Purpose) -> AppResult<Prepared> {
    Ok(match given {
        SecondFactor::Totp(code) => Prepared::Totp(code),
        SecondFactor::RecoveryCode(code) => Prepared::RecoveryCode(recovery::digest(&code)),
        SecondFactor::Passkey { ceremony, credential } => {
            Prepared::Passkey(passkeys::answered(app, user, ceremony, credential, purpose).await?)
        }
    })
}

/// Whether it is this person's, and used for the first time.
pub(super) async fn check(app: &App, tx: &mut PgConnection, user: UserId, given: Prepared) -> AppResult<bool> {
    match given {
        Prepared::Totp(code) => totp::check(app, tx, user, &code).await,
        Prepared::RecoveryCode(digest) => Ok(factors::use_recovery_code(tx, user, digest).await?),
        Prepared::Passkey(Some(answered)) => passkeys::check(app, tx, user, answered).await,
        Prepared::Passkey(None) => Ok(false),
    }
}

/// What a wrong one is answered with.
pub(super) fn wrong(method: ProofMethod) -> AppError {
    let (field, message) = match method {
        ProofMethod::Passkey => ("credential", "This passkey was not accepted. Try again, or use another way."),
        ProofMethod::RecoveryCode => ("code", "This is none of your recovery codes, or it was used."),
        _ => ("code", "This code is wrong or was used. Wait for the next one, and check your device's clock."),
    };
    FieldError::new(field, "wrong", message).into()
}

/// All that one's own security page shows.
pub struct Security {
    pub factors: Factors,
    pub passkeys: Vec<PasskeyRow>,
    pub second_factor_required: bool,
    pub stepped_up_until: Option<DateTime<Utc>>,
}

/// # Errors
/// When the database is not to be had.
pub async fn security(app: &App, actor: &Actor) -> AppResult<Security> {
    let user = own_id(actor)?;
    let stepped_up_until = match actor.standing {
        Standing::Session(standing) => standing.stepped_up_until,
        _ => None,
    };
    Ok(Security {
        factors: factors::of(&app.db, user).await?,
        passkeys: proxima_db::passkeys::list(&app.db, user).await?,
        second_factor_required: app.requires_second_factor(actor.role),
        stepped_up_until,
    })
}

/// What adding a factor gives.
pub struct Enrolled {
    /// The session's new token.
    pub token: SecretToken,
    /// With the first factor.
    pub recovery_codes: Option<RecoveryCodes>,
}

/// Ends the person's other sessions after a change of factors, and gives this one a new token.
async fn settle(app: &App, tx: &mut PgConnection, actor: &Actor, user: UserId) -> AppResult<SecretToken> {
    let session = actor.session_id.ok_or(AppError::Unauthenticated)?;
    sessions::end_all(tx, user, Some(session)).await?;
    let token = SecretToken::random(app.entropy.as_ref());
    sessions::change_token(tx, session, token.digest(), false).await?.ok_or(AppError::Unauthenticated)?;
    Ok(token)
}

async fn lock_own(tx: &mut PgConnection, actor: &Actor) -> AppResult<UserRow> {
    users::lock(tx, own_id(actor)?).await?.ok_or(AppError::Unauthenticated)
}

/// Refuses to take the last factor from somebody whose role must have one; without any, recovery codes stand in for nothing.
async fn after_removal(app: &App, tx: &mut PgConnection, user: &UserRow) -> AppResult<()> {
    if factors::of(&mut *tx, user.user_id()).await?.any() {
        return Ok(());
    }
    if app.requires_second_factor(user.role()) {
        let sentence = "This is your last second factor, and your account must have one: add another one first";
        return Err(AppError::not_now("last_second_factor", "The last second factor stays", sentence));
    }
    Ok(factors::delete_recovery_codes(tx, user.user_id()).await?)
}

fn none_to_have() -> AppError {
    AppError::not_now("no_second_factor", "No second factor", "There is no second factor: add one first")
}

/// Another person's, as far as an admin may know.
///
/// # Errors
/// [`AppError::NotFound`].
pub async fn of_user(app: &App, _admin: &AdminActor, id: UserId) -> AppResult<(Factors, bool)> {
    let user = users::find(&app.db, id).await?.ok_or(AppError::NotFound)?;
    Ok((factors::of(&app.db, id).await?, app.requires_second_factor(user.role())))
}

/// Takes all second factors from somebody who lost theirs, and ends their sessions. Whoever asks was recognised by
/// another way than this product knows.
///
/// # Errors
/// [`AppError::NotFound`], [`AppError::NotNow`] `own_second_factor` or `no_second_factor`.
pub async fn reset(app: &App, admin: &Proven<AdminActor>, id: UserId) -> AppResult<()> {
    let mut tx = app.begin().await?;
    let user = users::lock(&mut tx, id).await?.ok_or(AppError::NotFound)?;
    if admin.user_id == Some(id) {
        let sentence = "Change your own second factors on your account's page";
        return Err(AppError::not_now("own_second_factor", "Your own second factor", sentence));
    }
    reset_locked(app, tx, admin, &user).await
}

/// As [`reset`], by username from the console.
///
/// # Errors
/// [`AppError::NotFound`], [`AppError::NotNow`] `no_second_factor`.
pub async fn reset_by_name(app: &App, console: &Proven<AdminActor>, username: &str) -> AppResult<()> {
    let found = users::find_by_username(&app.db, &username.trim().to_lowercase()).await?.ok_or(AppError::NotFound)?;
    let mut tx = app.begin().await?;
    let user = users::lock(&mut tx, found.user_id()).await?.ok_or(AppError::NotFound)?;
    reset_locked(app, tx, console, &user).await
}

async fn reset_locked(app: &App, mut tx: Tx, admin: &Proven<AdminActor>, user: &UserRow) -> AppResult<()> {
    let id = user.user_id();
    let had = factors::of(&mut *tx, id).await?;
    if !had.any() {
        return Err(none_to_have());
    }
    factors::delete_all(&mut tx, id).await?;
    let ended = sessions::end_all(&mut tx, id, None).await?;
    throttles::forget_devices(&mut tx, id).await?;
    throttle::forgive(app, &mut tx, id).await?;
    let metadata = json!({
        "totp": had.totp_since.is_some(), "passkeys": had.passkeys, "recoveryCodesLeft": had.recovery_codes_left,
        "endedSessions": ended,
    });
    audit::succeeded(&mut tx, admin, "user.second_factor.reset", Some(user_target(user)), metadata).await?;
    commit(tx).await
}

impl App {
    /// Whether people of this role must have a second factor.
    pub(crate) fn requires_second_factor(&self, role: Role) -> bool {
        let policy = match role {
            Role::Admin => self.config.admin_second_factor,
            Role::Customer => self.config.customer_second_factor,
        };
        policy == crate::config::SecondFactorPolicy::Required
    }
}
