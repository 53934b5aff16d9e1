//! Step-up: showing again that it is oneself, before privileged acts.

use super::{SecretToken, own_id, own_target};
use crate::app::audit;
use crate::app::factors::{self, SecondFactor};
use crate::app::passwords::Lane;
use crate::app::throttle::{self, Subject};
use crate::app::{Actor, App, AppError, AppResult, commit};
use chrono::{DateTime, Utc};
use proxima_db::passkeys::Purpose;
use proxima_db::{sessions, users};
use proxima_types::{FieldError, ProofMethod};
use serde_json::json;
use zeroize::Zeroizing;

/// What is shown.
pub enum StepUp {
    Password(Zeroizing<String>),
    /// An authenticator's code or a passkey; recovery codes are for signing in.
    Factor(SecondFactor),
}

/// The session's new token, and until when its person counts as having shown that it is them.
pub struct SteppedUp {
    pub token: SecretToken,
    pub until: DateTime<Utc>,
}

/// # Errors
/// [`AppError::Invalid`] naming `password`, `code` or `credential`; [`AppError::TooMany`].
pub async fn step_up(app: &App, actor: &Actor, given: StepUp) -> AppResult<SteppedUp> {
    let user = own_id(actor)?;
    let session = actor.session_id.ok_or(AppError::Unauthenticated)?;
    let attempt = throttle::attempt(app, &[Subject::Proof(user)]).await?;
    let (method, right, prepared) = match given {
        StepUp::Password(password) => {
            let hash = users::password_hash(&app.db, user).await?;
            (ProofMethod::Password, app.passwords.verify(Lane::Known, password, hash).await?, None)
        }
        StepUp::Factor(given) => {
            (given.method(), true, Some(factors::prepare(app, user, given, Purpose::StepUp).await?))
        }
    };
    let mut tx = app.begin().await?;
    let right = match prepared {
        Some(prepared) => factors::check(app, &mut tx, user, prepared).await?,
        None => right,
    };
    let mut metadata = json!({ "with": method });
    if !right {
        metadata["refused"] = json!(match method {
            ProofMethod::Password => "wrong_password",
            ProofMethod::Passkey => "wrong_passkey",
            _ => "wrong_code",
        });
        audit::failed(&mut tx, actor, "user.step_up.failed", own_target(actor), metadata).await?;
        commit(tx).await?;
        return Err(match method {
            ProofMethod::Password => FieldError::new("password", "wrong", "This is not your password.").into(),
            other => factors::wrong(other),
        });
    }
    attempt.succeeded(&mut tx).await?;
    let token = SecretToken::random(app.entropy.as_ref());
    let until = sessions::change_token(&mut tx, session, token.digest(), true).await?;
    let until = until.ok_or(AppError::Unauthenticated)?;
    audit::succeeded(&mut tx, actor, "user.step_up", own_target(actor), metadata).await?;
    commit(tx).await?;
    Ok(SteppedUp { token, until })
}
