//! Saving a connection.

use super::credential::{Secret, seal_secret, seal_sudo};
use super::{find, lock, refuse_while_a_job_runs, target};
use crate::app::audit;
use crate::app::{Actor, App, AppError, AppResult, Proven, commit};
use proxima_db::connections::{self, Address, ConnectionRow};
use proxima_installer::{Credential, Problem, ProblemReport, Target};
use proxima_types::{FieldError, FieldErrors, ServerId};
use serde_json::json;
use zeroize::Zeroizing;

/// The longest password for a login or for sudo, in bytes.
const PASSWORD_BYTES_MAX: usize = 1024;

/// The form, as typed. Without a new password or private key the stored one stays, unless the address changes.
pub struct SaveConnection {
    pub host: String,
    pub port: u32,
    pub user: String,
    pub password: Option<Zeroizing<String>>,
    pub private_key: Option<Zeroizing<String>>,
    pub passphrase: Option<Zeroizing<String>>,
    /// An outer `None` keeps what is stored, an inner one forgets it.
    pub sudo_password: Option<Option<Zeroizing<String>>>,
}

struct Checked {
    target: Target,
    secret: Option<Secret>,
    sudo: Option<Option<Zeroizing<String>>>,
}

impl SaveConnection {
    fn check(self) -> Result<Checked, FieldErrors> {
        let mut errors = FieldErrors::new();
        let target = match Target::new(&self.host, u16::try_from(self.port).unwrap_or(0), &self.user) {
            Ok(target) => Some(target),
            Err(found) => {
                found.into_vec().into_iter().for_each(|error| errors.push(error));
                None
            }
        };
        for (field, text) in [
            ("password", &self.password),
            ("passphrase", &self.passphrase),
            ("sudoPassword", &self.sudo_password.clone().flatten()),
        ] {
            if let Some(text) = text {
                errors.check(check_password(field, text));
            }
        }
        let secret = match (self.password, self.private_key) {
            (Some(_), Some(_)) => {
                errors.push(FieldError::new("privateKey", "ambiguous", "Enter a password or a private key, not both."));
                None
            }
            (Some(password), None) => Some(Secret::Password { password }),
            (None, Some(private_key)) => Some(Secret::PrivateKey { private_key, passphrase: self.passphrase.clone() }),
            (None, None) => None,
        };
        if self.passphrase.is_some() && !matches!(secret, Some(Secret::PrivateKey { .. })) {
            errors.push(FieldError::new("passphrase", "unexpected", "A passphrase belongs to a private key."));
        }
        match (errors.into_result(), target) {
            (Ok(()), Some(target)) => Ok(Checked { target, secret, sudo: self.sudo_password }),
            (Err(errors), _) => Err(errors),
            (Ok(()), None) => Err(FieldErrors::new()),
        }
    }
}

/// What can be sent as one line: sudo reads its password up to the line's end.
fn check_password(field: &str, text: &str) -> Result<(), FieldError> {
    if text.is_empty() {
        return Err(FieldError::new(field, "required", "Enter it, or leave the field out."));
    }
    if text.len() > PASSWORD_BYTES_MAX {
        return Err(FieldError::new(field, "too_long", format!("It has {PASSWORD_BYTES_MAX} bytes at most.")));
    }
    if text.chars().any(|c| matches!(c, '\0' | '\n' | '\r')) {
        return Err(FieldError::new(field, "invalid", "It cannot contain line ends or NUL characters."));
    }
    Ok(())
}

/// Whether a private key can be read with its passphrase.
async fn check_secret(secret: &Secret) -> AppResult<()> {
    let credential = Credential::from(secret);
    let checked = tokio::task::spawn_blocking(move || credential.check()).await;
    let problem = match checked.map_err(|error| AppError::Internal(error.into()))? {
        Ok(()) => return Ok(()),
        Err(problem) => problem,
    };
    let field = match problem {
        Problem::PassphraseMissing | Problem::PassphraseWrong => "passphrase",
        _ => "privateKey",
    };
    let ProblemReport { sentence, remedy, .. } = ProblemReport::from(&problem);
    Err(FieldError::new(field, "invalid", format!("{sentence} {remedy}")).into())
}

/// Saves where the box is and how to log in. Another host or port than before unpins the host key and forgets the stored
/// login: what was typed for one host is never sent to another.
///
/// # Errors
/// [`AppError::Invalid`] with every bad field, [`AppError::NotFound`], [`AppError::NotNow`] while a job runs.
pub async fn save(app: &App, actor: &Proven<Actor>, id: ServerId, input: SaveConnection) -> AppResult<ConnectionRow> {
    // Before anything is computed or said of the input: whose server it is.
    find(&mut *app.db.acquire().await.map_err(proxima_db::DbError::from)?, actor, id).await?;
    let Checked { target: address, secret, sudo } = input.check()?;
    if let Some(secret) = &secret {
        check_secret(secret).await?;
    }
    let (host, port) = (address.host().to_string(), address.port());
    let mut tx = app.begin().await?;
    let before = lock(&mut tx, actor, id).await?;
    refuse_while_a_job_runs(&mut tx, id).await?;
    let forgotten =
        connections::save_address(&mut tx, id, Address { host: &host, port, username: address.user() }).await?;
    if let Some(secret) = &secret {
        let sealed = seal_secret(app, id, &host, port, secret)?;
        connections::set_credential(&mut tx, id, secret.kind(), &sealed).await?;
    }
    if let Some(sudo) = &sudo {
        let sealed = sudo.as_ref().map(|password| seal_sudo(app, id, &host, port, password)).transpose()?;
        connections::set_sudo(&mut tx, id, sealed.as_deref()).await?;
    }
    let after = connections::row(&mut *tx, id).await?.ok_or(AppError::NotFound)?;
    let metadata = json!({
        "address": { "from": before.connection.as_ref().map(shown), "to": shown(&after) },
        "credential": {
            "from": before.connection.as_ref().and_then(ConnectionRow::credential_kind),
            "to": after.credential_kind(),
            "replaced": secret.is_some(),
        },
        "sudoPassword": { "stored": after.sudo_ciphertext.is_some(), "replaced": sudo.is_some() },
        "addressChanged": forgotten,
    });
    audit::succeeded(&mut tx, actor, "server.connection.update", target(id, &before), metadata).await?;
    commit(tx).await?;
    Ok(after)
}

/// `user@host:port`, for the log.
pub(super) fn shown(row: &ConnectionRow) -> String {
    format!("{}@{}:{}", row.username, row.host, row.port)
}
