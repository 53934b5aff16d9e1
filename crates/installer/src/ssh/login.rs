//! Proving who we are, by the one credential there is.

use super::credential::{Credential, fingerprint, read_key};
use super::handler::{Observed, describe};
use crate::problem::Problem;
use crate::text::clean;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse, Prompt};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg};
use russh::{MethodKind, MethodSet};
use secrecy::{ExposeSecret as _, SecretString};

/// Rounds of questions in keyboard-interactive, at most; an ordinary server has one or two.
const ROUNDS_MAX: usize = 5;
/// Characters of a question that are shown.
const PROMPT_CHARS_MAX: usize = 100;

/// Logs in. Asks which ways there are first, so that no secret goes to a server that would not
/// use it.
pub(super) async fn log_in(
    handle: &mut Handle<Observed>,
    observed: &Observed,
    user: &str,
    credential: &Credential,
) -> Result<(), Problem> {
    let lost = |error: &russh::Error| cut_off(observed, &describe(error));
    let offered = match handle.authenticate_none(user).await.map_err(|error| lost(&error))? {
        AuthResult::Success => return Ok(()),
        AuthResult::Failure { remaining_methods, .. } => remaining_methods,
    };
    if handle.is_closed() || offered.is_empty() {
        return Err(cut_off(observed, ""));
    }
    match credential {
        Credential::Password(password) => log_in_by_password(handle, observed, user, password, &offered).await,
        Credential::PrivateKey { pem, passphrase } => {
            if !offered.contains(&MethodKind::PublicKey) {
                return Err(not_offered("a key", &offered));
            }
            let (pem, passphrase) = (pem.clone(), passphrase.clone());
            // Deriving a passphrase's key takes a good part of a second.
            let key = tokio::task::spawn_blocking(move || read_key(&pem, passphrase.as_ref())).await;
            let key = key.unwrap_or(Err(Problem::KeyUnreadable { reason: "reading it failed".to_owned() }))?;
            let hash = if key.algorithm().is_rsa() {
                // Never SHA-1 (`ssh-rsa`): a server that takes nothing else is refused by itself.
                let best = handle.best_supported_rsa_hash().await.map_err(|error| lost(&error))?;
                Some(best.flatten().unwrap_or(HashAlg::Sha512))
            } else {
                None
            };
            let refused = Problem::KeyRefused { user: user.to_owned(), fingerprint: fingerprint(&key) };
            let key = PrivateKeyWithHashAlg::new(key, hash);
            let result = handle.authenticate_publickey(user, key).await.map_err(|error| lost(&error))?;
            judge(handle, observed, result, refused)
        }
    }
}

async fn log_in_by_password(
    handle: &mut Handle<Observed>,
    observed: &Observed,
    user: &str,
    password: &SecretString,
    offered: &MethodSet,
) -> Result<(), Problem> {
    let refused = Problem::PasswordRefused { user: user.to_owned() };
    if offered.contains(&MethodKind::Password) {
        let result = handle.authenticate_password(user, password.expose_secret()).await;
        return judge(handle, observed, result.map_err(|error| cut_off(observed, &describe(&error)))?, refused);
    }
    if !offered.contains(&MethodKind::KeyboardInteractive) {
        return Err(not_offered("password", offered));
    }
    let lost = |error: &russh::Error| cut_off(observed, &describe(error));
    let mut answered = false;
    let mut response =
        handle.authenticate_keyboard_interactive_start(user, None::<String>).await.map_err(|error| lost(&error))?;
    for _ in 0..ROUNDS_MAX {
        let prompts = match response {
            KeyboardInteractiveAuthResponse::Success => return Ok(()),
            KeyboardInteractiveAuthResponse::Failure { remaining_methods, partial_success } => {
                return judge(handle, observed, AuthResult::Failure { remaining_methods, partial_success }, refused);
            }
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => prompts,
        };
        let answers = match prompts.as_slice() {
            [] => vec![],
            [Prompt { echo: false, .. }] if !answered => {
                answered = true;
                vec![password.expose_secret().to_owned()]
            }
            [first, ..] => {
                return Err(Problem::MoreThanPassword {
                    prompt: clean(first.prompt.trim().as_bytes(), PROMPT_CHARS_MAX),
                });
            }
        };
        response = handle.authenticate_keyboard_interactive_respond(answers).await.map_err(|error| lost(&error))?;
    }
    Err(Problem::MoreThanPassword { prompt: "…".to_owned() })
}

fn judge(handle: &Handle<Observed>, observed: &Observed, result: AuthResult, refused: Problem) -> Result<(), Problem> {
    match result {
        AuthResult::Success => Ok(()),
        AuthResult::Failure { partial_success: true, .. } => {
            Err(Problem::MoreThanPassword { prompt: "a second factor".to_owned() })
        }
        // russh gives an empty set when the connection ended instead of an answer.
        AuthResult::Failure { remaining_methods, .. }
            if remaining_methods.is_empty() && handle.is_closed() && !observed.nothing_left() =>
        {
            Err(cut_off(observed, ""))
        }
        AuthResult::Failure { .. } => Err(refused),
    }
}

fn cut_off(observed: &Observed, said: &str) -> Problem {
    let said = observed.parting().filter(|parting| !parting.is_empty()).unwrap_or_else(|| said.to_owned());
    Problem::LoginCutOff { said }
}

fn not_offered(ours: &'static str, offered: &MethodSet) -> Problem {
    let offered = offered.iter().map(|method| <&str>::from(method).to_owned()).collect();
    Problem::MethodNotOffered { ours, offered }
}
