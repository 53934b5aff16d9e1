//! Authenticator apps: codes of six digits that change every 30 seconds (RFC 6238), judged by the database's clock with a
//! step of tolerance, each good once.

use super::recovery::{RecoveryCodes, codes_of_the_first_factor};
use super::{Enrolled, after_removal, lock_own, settle, wrong};
use crate::app::audit::{self, user_target};
use crate::app::sessions::{SecretToken, own_id};
use crate::app::throttle::{self, Subject};
use crate::app::{Actor, App, AppError, AppResult, Proven, commit};
use crate::entropy::EntropyExt as _;
use crate::keyring::Place;
use chrono::{DateTime, Utc};
use proxima_db::{PgConnection, factors, users};
use proxima_types::{ProofMethod, UserId};
use qrcodegen::{QrCode, QrCodeEcc};
use serde_json::json;
use std::fmt::Write as _;
use totp_rs::{Algorithm, Builder, Secret, Totp};
use zeroize::Zeroizing;

const ISSUER: &str = "Proxima Gateway";
/// RFC 4226 section 4 recommends 160 bits.
const SECRET_BYTES: usize = 20;
/// Light modules around a QR code (ISO/IEC 18004).
const QUIET_ZONE: i32 = 4;

/// An authenticator app that is to be confirmed by a code.
pub struct TotpEnrollment {
    /// Base32, for typing.
    pub secret: Zeroizing<String>,
    /// `otpauth://…`, for a link on the device itself.
    pub uri: Zeroizing<String>,
    pub qr_svg: Zeroizing<String>,
    pub expires_at: DateTime<Utc>,
}

fn place(table: &'static str, user: UserId) -> Place<'static> {
    Place { table, row: user.0, column: "secret" }
}

fn totp(secret: &str, account: &str) -> AppResult<Totp> {
    let secret = Secret::try_from_base32(secret).map_err(|error| internal(&error))?;
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_step_duration(30)
        .with_skew(1)
        .with_secret(secret)
        .with_account_name(account)
        .with_issuer(Some(ISSUER))
        .build()
        .map_err(|error| internal(&error))
}

fn internal(error: &impl std::fmt::Debug) -> AppError {
    AppError::Internal(anyhow::anyhow!("an authenticator's secret cannot be used: {error:?}"))
}

/// The step of a code that is good at this time.
fn step(totp: &Totp, code: &str, now: DateTime<Utc>) -> Option<i64> {
    let digits: Zeroizing<String> = Zeroizing::new(code.chars().filter(|c| !c.is_whitespace()).collect());
    let now = u64::try_from(now.timestamp()).ok()?;
    totp.check(&digits, now).and_then(|step| i64::try_from(step).ok())
}

/// Begins to add an authenticator app, or to replace the present one, which stays good until the confirmation.
///
/// # Errors
/// When the database is not to be had.
pub async fn begin_totp(app: &App, actor: &Proven<Actor>) -> AppResult<TotpEnrollment> {
    let id = own_id(actor)?;
    let user = users::find(&app.db, id).await?.ok_or(AppError::Unauthenticated)?;
    let secret = Zeroizing::new(Secret::from(app.entropy.bytes::<SECRET_BYTES>()).to_base32());
    let account = match &app.passkeys {
        Ok(party) if party.rp_id() != "localhost" => format!("{}@{}", user.username, party.rp_id()),
        _ => user.username.clone(),
    };
    let uri = Zeroizing::new(totp(&secret, &account)?.to_url().map_err(|error| internal(&error))?);
    let sealed = app.keyring.seal(place("totp_enrollments", id), &secret, app.entropy.as_ref())?;
    let mut tx = app.begin().await?;
    let expires_at = factors::begin_totp(&mut tx, id, &sealed).await?;
    commit(tx).await?;
    let qr_svg = qr_svg(&uri)?;
    Ok(TotpEnrollment { secret, uri, qr_svg, expires_at })
}

/// Confirms it by its first code.
///
/// # Errors
/// [`AppError::NotNow`] `no_enrollment`, [`AppError::Invalid`] naming `code`, [`AppError::TooMany`].
pub async fn confirm_totp(app: &App, actor: &Actor, code: &str) -> AppResult<Enrolled> {
    let id = own_id(actor)?;
    let attempt = throttle::attempt(app, &[Subject::Factor(id)]).await?;
    let mut tx = app.begin().await?;
    let user = lock_own(&mut tx, actor).await?;
    let Some((sealed, now)) = factors::lock_totp_enrollment(&mut tx, id).await? else {
        let sentence = "There is nothing to confirm: begin again with a new QR code";
        return Err(AppError::not_now("no_enrollment", "Begin again", sentence));
    };
    let secret =
        app.keyring.open_sealed(place("totp_enrollments", id), &sealed).map_err(|e| AppError::Internal(e.into()))?;
    let step = step(&totp(&secret, &user.username)?, code, now).ok_or_else(|| wrong(ProofMethod::Totp))?;
    let replaced = factors::of(&mut *tx, id).await?.totp_since.is_some();
    let sealed = app.keyring.seal(place("totp_factors", id), &secret, app.entropy.as_ref())?;
    factors::set_totp(&mut tx, id, &sealed, step).await?;
    attempt.succeeded(&mut tx).await?;
    let recovery_codes: Option<RecoveryCodes> = codes_of_the_first_factor(app, &mut tx, id).await?;
    let token = settle(app, &mut tx, actor, id).await?;
    let metadata = json!({ "replaced": replaced });
    audit::succeeded(&mut tx, actor, "user.totp.add", Some(user_target(&user)), metadata).await?;
    commit(tx).await?;
    Ok(Enrolled { token, recovery_codes })
}

/// # Errors
/// [`AppError::NotFound`] when there is none, [`AppError::NotNow`] `last_second_factor`.
pub async fn remove_totp(app: &App, actor: &Proven<Actor>) -> AppResult<SecretToken> {
    let mut tx = app.begin().await?;
    let user = lock_own(&mut tx, actor).await?;
    if !factors::delete_totp(&mut tx, user.user_id()).await? {
        return Err(AppError::NotFound);
    }
    after_removal(app, &mut tx, &user).await?;
    let token = settle(app, &mut tx, actor, user.user_id()).await?;
    audit::succeeded(&mut tx, actor, "user.totp.remove", Some(user_target(&user)), json!({})).await?;
    commit(tx).await?;
    Ok(token)
}

/// Whether a code is good now, for the first time; then it is used.
pub(super) async fn check(app: &App, tx: &mut PgConnection, user: UserId, code: &str) -> AppResult<bool> {
    let Some(locked) = factors::lock_totp(tx, user).await? else { return Ok(false) };
    let sealed = &locked.secret_ciphertext;
    let secret =
        app.keyring.open_sealed(place("totp_factors", user), sealed).map_err(|e| AppError::Internal(e.into()))?;
    match step(&totp(&secret, "")?, code, locked.now) {
        // RFC 6238 section 5.2: a code that was accepted is not accepted again, nor one before it.
        Some(step) if step > locked.used_step => {
            factors::use_totp(tx, user, step).await?;
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Dark on white, without scripts, styles or ids: one path of unit squares.
fn qr_svg(text: &str) -> AppResult<Zeroizing<String>> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).map_err(|error| internal(&error))?;
    let side = code.size() + 2 * QUIET_ZONE;
    let mut svg = Zeroizing::new(format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{side}v{side}H0z"/><path d=""##
    ));
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|&x| code.get_module(x, y)) {
            let _ = write!(svg, "M{} {}h1v1h-1z", x + QUIET_ZONE, y + QUIET_ZONE);
        }
    }
    svg.push_str(r#""/></svg>"#);
    Ok(svg)
}
