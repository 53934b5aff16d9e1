//! Passkeys (WebAuthn level 3): as a second factor, for step-up, and for signing in without a password. User verification
//! (PIN, fingerprint, face) is required always, so a passkey alone is two factors.

use super::recovery::codes_of_the_first_factor;
use super::{Enrolled, after_removal, lock_own, settle};
use crate::app::audit::{self, user_target};
use crate::app::sessions::{self, Origin, SecretToken, Shown, SignedIn, half, own_id};
use crate::app::throttle::{self, Subject};
use crate::app::{Actor, App, AppError, AppResult, Proven, commit};
use crate::config::AppConfig;
use crate::entropy::EntropyExt as _;
use chrono::{DateTime, Utc};
use proxima_db::passkeys::{self, PasskeyRow, Purpose};
use proxima_db::{PgConnection, users};
use proxima_types::account::PasskeyName;
use proxima_types::{FieldError, ProofMethod, UserId};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;
use webauthn_rs::prelude::{
    AuthenticationResult, DiscoverableAuthentication, Passkey, PasskeyAuthentication, PasskeyRegistration,
    PublicKeyCredential, RegisterPublicKeyCredential,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};

/// Passkeys of one person at most.
const PASSKEYS_MAX: usize = 20;

/// Who browsers make passkeys for: the name in the dashboard's address.
pub struct RelyingParty {
    webauthn: Webauthn,
    rp_id: String,
}

impl RelyingParty {
    /// From the public URL; without one, for looking at the product, `localhost` on any port.
    ///
    /// # Errors
    /// One sentence: why passkeys cannot be used here.
    pub fn of(config: &AppConfig) -> Result<Self, String> {
        let origin = config.public_origin.as_deref().unwrap_or("http://localhost");
        let url = Url::parse(origin).map_err(|_| format!("The public URL {origin} is not a URL"))?;
        let Some(name) = url.domain().map(str::to_owned) else {
            return Err(format!("Passkeys need a public URL with a name, and {origin} has an IP address"));
        };
        if url.scheme() != "https" && name != "localhost" {
            return Err(format!("Passkeys need a public URL with https://, and it is {origin}"));
        }
        let builder = WebauthnBuilder::new(&name, &url).map_err(|error| error.to_string())?;
        let builder = builder.rp_name("Proxima Gateway").allow_any_port(config.public_origin.is_none());
        Ok(Self { webauthn: builder.build().map_err(|error| error.to_string())?, rp_id: name })
    }

    #[must_use]
    pub fn rp_id(&self) -> &str {
        &self.rp_id
    }
}

fn party(app: &App) -> AppResult<&RelyingParty> {
    app.passkeys.as_ref().map_err(|reason| AppError::not_now("passkeys_unavailable", "No passkeys here", reason))
}

/// A challenge for the browser.
pub struct Ceremony {
    pub id: Uuid,
    /// `PublicKeyCredentialCreationOptionsJSON` or `PublicKeyCredentialRequestOptionsJSON`.
    pub options: Value,
    pub expires_at: DateTime<Utc>,
}

/// An answered challenge of a person who is known.
pub(in crate::app) struct Answered {
    state: PasskeyAuthentication,
    credential: Box<PublicKeyCredential>,
}

fn parse<T: serde::de::DeserializeOwned>(stored: Value) -> AppResult<T> {
    serde_json::from_value(stored).map_err(|error| AppError::Internal(error.into()))
}

fn json_of(value: &impl serde::Serialize) -> AppResult<Value> {
    serde_json::to_value(value).map_err(|error| AppError::Internal(error.into()))
}

fn broken(error: impl Into<anyhow::Error>) -> AppError {
    AppError::Internal(error.into())
}

/// Keeps the challenge's state, and gives its options to the browser.
async fn begin(
    app: &App,
    purpose: Purpose,
    user: Option<UserId>,
    challenge: &impl serde::Serialize,
    state: &impl serde::Serialize,
) -> AppResult<Ceremony> {
    let id = app.entropy.uuid();
    let expires_at = passkeys::begin(&app.db, id, purpose, user, &json_of(state)?).await?;
    Ok(Ceremony { id, options: json_of(challenge)?["publicKey"].take(), expires_at })
}

async fn own_passkeys(app: &App, user: UserId) -> AppResult<Vec<Passkey>> {
    let rows = passkeys::list(&app.db, user).await?;
    rows.into_iter().map(|row| parse(row.credential)).collect()
}

async fn challenge_of(app: &App, user: UserId, purpose: Purpose) -> AppResult<Ceremony> {
    let party = party(app)?;
    let own = own_passkeys(app, user).await?;
    if own.is_empty() {
        return Err(AppError::not_now("no_passkey", "No passkey", "You have no passkey"));
    }
    let (challenge, state) = party.webauthn.start_passkey_authentication(&own).map_err(broken)?;
    begin(app, purpose, Some(user), &challenge, &state).await
}

/// For the second step of a sign-in.
///
/// # Errors
/// [`AppError::LoginExpired`], [`AppError::NotNow`].
pub async fn second_factor_options(app: &App, token: &SecretToken) -> AppResult<Ceremony> {
    let user = half(app, token).await?;
    challenge_of(app, user.user_id(), Purpose::SecondFactor).await
}

/// # Errors
/// [`AppError::NotNow`].
pub async fn step_up_options(app: &App, actor: &Actor) -> AppResult<Ceremony> {
    challenge_of(app, own_id(actor)?, Purpose::StepUp).await
}

/// For a sign-in without a password: the browser says who it is.
///
/// # Errors
/// [`AppError::NotNow`], [`AppError::TooMany`].
pub async fn sign_in_options(app: &App, origin: &Origin) -> AppResult<Ceremony> {
    let party = party(app)?;
    if let Some(ip) = origin.ip {
        throttle::attempt(app, &[Subject::Challenge(ip)]).await?;
    }
    let (challenge, state) = party.webauthn.start_discoverable_authentication().map_err(broken)?;
    begin(app, Purpose::SignIn, None, &challenge, &state).await
}

/// # Errors
/// [`AppError::PasskeyRefused`], whatever the reason; [`AppError::TooMany`].
pub async fn sign_in(
    app: &App,
    ceremony: Uuid,
    credential: &PublicKeyCredential,
    slug: Option<&str>,
    origin: &Origin,
) -> AppResult<SignedIn> {
    let party = party(app)?;
    let subjects: Vec<Subject<'_>> = origin.ip.map(Subject::Address).into_iter().collect();
    let attempt = throttle::attempt(app, &subjects).await?;
    let state = passkeys::take(&app.db, ceremony, Purpose::SignIn, None).await?;
    let state: DiscoverableAuthentication = parse(state.ok_or(AppError::PasskeyRefused)?)?;
    let (user, credential_id) =
        party.webauthn.identify_discoverable_authentication(credential).map_err(|_| AppError::PasskeyRefused)?;
    let mut tx = app.begin().await?;
    let user = users::lock(&mut tx, UserId(user)).await?.ok_or(AppError::PasskeyRefused)?;
    let row = passkeys::lock_by_credential(&mut tx, user.user_id(), credential_id).await?;
    let row = row.ok_or(AppError::PasskeyRefused)?;
    let mut passkey: Passkey = parse(row.credential.clone())?;
    let result = party.webauthn.finish_discoverable_authentication_v2(credential, state, &passkey);
    // A personal login page signs in that person only.
    let here = slug.is_none() || slug == user.login_slug.as_deref();
    let (Ok(result), true) = (result, here) else {
        let actor = sessions::signing_in(&user, origin.ip);
        let metadata = json!({ "step": ProofMethod::Passkey });
        audit::failed(&mut tx, &actor, "user.login.failed", Some(user_target(&user)), metadata).await?;
        commit(tx).await?;
        return Err(AppError::PasskeyRefused);
    };
    note_use(&mut tx, row.id, &mut passkey, &result).await?;
    attempt.succeeded(&mut tx).await?;
    let shown = Shown { with: ProofMethod::Passkey, password: false };
    let signed_in = sessions::open(app, &mut tx, &user, shown, origin).await?;
    commit(tx).await?;
    Ok(signed_in)
}

/// Uses up the challenge that a browser answered; `None` when there is none like it.
pub(super) async fn answered(
    app: &App,
    user: UserId,
    ceremony: Uuid,
    credential: Box<PublicKeyCredential>,
    purpose: Purpose,
) -> AppResult<Option<Answered>> {
    let state = passkeys::take(&app.db, ceremony, purpose, Some(user)).await?;
    state.map(|state| Ok(Answered { state: parse(state)?, credential })).transpose()
}

/// Whether the answer is of a passkey that this person still has. A counter that went back (a copied key) is refused by the
/// library.
pub(super) async fn check(app: &App, tx: &mut PgConnection, user: UserId, given: Answered) -> AppResult<bool> {
    let Answered { state, credential } = given;
    let Some(row) = passkeys::lock_by_credential(tx, user, credential.get_credential_id()).await? else {
        return Ok(false);
    };
    let Ok(result) = party(app)?.webauthn.finish_passkey_authentication(&credential, &state) else {
        return Ok(false);
    };
    let mut passkey: Passkey = parse(row.credential)?;
    note_use(tx, row.id, &mut passkey, &result).await?;
    Ok(true)
}

async fn note_use(
    tx: &mut PgConnection,
    id: Uuid,
    passkey: &mut Passkey,
    result: &AuthenticationResult,
) -> AppResult<()> {
    passkey.update_credential(result);
    Ok(passkeys::used(tx, id, &json_of(passkey)?, result.backup_state()).await?)
}

/// For a new passkey of one's own.
///
/// # Errors
/// [`AppError::NotNow`] `passkeys_unavailable` or `too_many_passkeys`.
pub async fn passkey_options(app: &App, actor: &Proven<Actor>) -> AppResult<Ceremony> {
    let party = party(app)?;
    let id = own_id(actor)?;
    let user = users::find(&app.db, id).await?.ok_or(AppError::Unauthenticated)?;
    let own = own_passkeys(app, id).await?;
    if own.len() >= PASSKEYS_MAX {
        return Err(too_many());
    }
    let known = own.iter().map(|passkey| passkey.cred_id().clone()).collect();
    let shown = user.display_name.as_deref().unwrap_or(&user.username);
    let started = party.webauthn.start_passkey_registration(id.0, &user.username, shown, Some(known));
    let (challenge, state) = started.map_err(broken)?;
    let mut ceremony = begin(app, Purpose::Register, Some(id), &challenge, &state).await?;
    // Kept on the device where it can be, so that signing in needs no username.
    ceremony.options["authenticatorSelection"]["residentKey"] = json!("preferred");
    Ok(ceremony)
}

fn too_many() -> AppError {
    let sentence = format!("You have {PASSKEYS_MAX} passkeys: remove one first");
    AppError::not_now("too_many_passkeys", "Too many passkeys", sentence)
}

/// A passkey as the browser made it.
pub struct NewPasskey<'a> {
    pub ceremony: Uuid,
    pub name: &'a str,
    pub credential: &'a RegisterPublicKeyCredential,
}

/// # Errors
/// [`AppError::Invalid`] naming `name` or `credential`; [`AppError::NotNow`] `too_many_passkeys`.
pub async fn add_passkey(app: &App, actor: &Actor, input: NewPasskey<'_>) -> AppResult<(PasskeyRow, Enrolled)> {
    let party = party(app)?;
    let name = PasskeyName::parse("name", input.name)?;
    let id = own_id(actor)?;
    let refused = || FieldError::new("credential", "refused", "This passkey was not accepted. Try again.");
    let state = passkeys::take(&app.db, input.ceremony, Purpose::Register, Some(id)).await?;
    let state: PasskeyRegistration = parse(state.ok_or_else(refused)?)?;
    let made = party.webauthn.finish_passkey_registration(input.credential, &state).map_err(|_| refused())?;
    let stored = json_of(&made)?;
    let synced = stored["cred"]["backup_state"].as_bool().unwrap_or(false);
    let mut tx = app.begin().await?;
    let user = lock_own(&mut tx, actor).await?;
    if passkeys::list(&mut *tx, id).await?.len() >= PASSKEYS_MAX {
        return Err(too_many());
    }
    let row = passkeys::insert(&mut tx, id, app.entropy.uuid(), made.cred_id(), &stored, (name.as_str(), synced)).await;
    let row = row.map_err(|error| match error {
        proxima_db::DbError::Conflict { .. } => AppError::from(refused()),
        other => other.into(),
    })?;
    let recovery_codes = codes_of_the_first_factor(app, &mut tx, id).await?;
    let token = settle(app, &mut tx, actor, id).await?;
    let metadata = json!({ "name": row.name, "synced": synced });
    audit::succeeded(&mut tx, actor, "user.passkey.add", Some(user_target(&user)), metadata).await?;
    commit(tx).await?;
    Ok((row, Enrolled { token, recovery_codes }))
}

/// # Errors
/// [`AppError::Invalid`], [`AppError::NotFound`].
pub async fn rename_passkey(app: &App, actor: &Actor, id: Uuid, name: &str) -> AppResult<PasskeyRow> {
    let name = PasskeyName::parse("name", name)?;
    let mut tx = app.begin().await?;
    let user = lock_own(&mut tx, actor).await?;
    let row = passkeys::rename(&mut tx, user.user_id(), id, name.as_str()).await?.ok_or(AppError::NotFound)?;
    let metadata = json!({ "passkeyId": id, "name": row.name });
    audit::succeeded(&mut tx, actor, "user.passkey.rename", Some(user_target(&user)), metadata).await?;
    commit(tx).await?;
    Ok(row)
}

/// # Errors
/// [`AppError::NotFound`], [`AppError::NotNow`] `last_second_factor`.
pub async fn remove_passkey(app: &App, actor: &Proven<Actor>, id: Uuid) -> AppResult<SecretToken> {
    let mut tx = app.begin().await?;
    let user = lock_own(&mut tx, actor).await?;
    let name = passkeys::delete(&mut tx, user.user_id(), id).await?.ok_or(AppError::NotFound)?;
    after_removal(app, &mut tx, &user).await?;
    let token = settle(app, &mut tx, actor, user.user_id()).await?;
    audit::succeeded(&mut tx, actor, "user.passkey.remove", Some(user_target(&user)), json!({ "name": name })).await?;
    commit(tx).await?;
    Ok(token)
}
