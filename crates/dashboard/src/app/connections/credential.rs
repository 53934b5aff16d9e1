//! What logs in to a box: sealed for its server, and bound to the host and port that it was typed for.

use crate::app::{App, AppError, AppResult};
use crate::keyring::Place;
use proxima_db::connections::ConnectionRow;
use proxima_installer::Credential;
use proxima_types::{CredentialKind, ServerId};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A secret that logs in.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub enum Secret {
    Password { password: Zeroizing<String> },
    PrivateKey { private_key: Zeroizing<String>, passphrase: Option<Zeroizing<String>> },
    AccessKey { private_key: Zeroizing<String> },
}

impl Secret {
    #[must_use]
    pub fn kind(&self) -> CredentialKind {
        match self {
            Self::Password { .. } => CredentialKind::Password,
            Self::PrivateKey { .. } => CredentialKind::PrivateKey,
            Self::AccessKey { .. } => CredentialKind::AccessKey,
        }
    }
}

impl From<&Secret> for Credential {
    fn from(secret: &Secret) -> Self {
        let copy = |text: &Zeroizing<String>| SecretString::from(text.as_str());
        match secret {
            Secret::Password { password } => Self::Password(copy(password)),
            Secret::PrivateKey { private_key, passphrase } => {
                Self::PrivateKey { pem: copy(private_key), passphrase: passphrase.as_ref().map(copy) }
            }
            Secret::AccessKey { private_key } => Self::PrivateKey { pem: copy(private_key), passphrase: None },
        }
    }
}

/// As it is sealed. Somebody who edits the address in the database does not make us send it elsewhere.
#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    host: String,
    port: u16,
    secret: T,
}

fn place(server: ServerId, column: &str) -> Place<'_> {
    Place { table: "connections", row: server.0, column }
}

fn seal<T: Serialize>(
    app: &App,
    column: &str,
    server: ServerId,
    host: &str,
    port: u16,
    secret: T,
) -> AppResult<Vec<u8>> {
    let sealed = Sealed { host: host.to_owned(), port, secret };
    let json = serde_json::to_string(&sealed).map_err(|error| AppError::Internal(error.into()))?;
    let json = Zeroizing::new(json);
    app.keyring.seal(place(server, column), &json, app.entropy.as_ref()).map_err(AppError::Internal)
}

fn open<T: for<'de> Deserialize<'de>>(
    app: &App,
    column: &str,
    server: ServerId,
    row: &ConnectionRow,
    ciphertext: &[u8],
) -> AppResult<T> {
    let json =
        app.keyring.open_sealed(place(server, column), ciphertext).map_err(|error| AppError::Internal(error.into()))?;
    // No part of serde's message: it may quote a secret.
    let sealed: Sealed<T> = serde_json::from_str(&json)
        .map_err(|_| AppError::Internal(anyhow::anyhow!("a stored login of {server} cannot be read")))?;
    if sealed.host != row.host || i32::from(sealed.port) != row.port {
        return Err(AppError::Internal(anyhow::anyhow!("the stored login of {server} was given for another address")));
    }
    Ok(sealed.secret)
}

/// Seals a credential for its server and address.
///
/// # Errors
/// Never for texts of our sizes.
pub fn seal_secret(app: &App, server: ServerId, host: &str, port: u16, secret: &Secret) -> AppResult<Vec<u8>> {
    seal(app, "credential", server, host, port, secret)
}

pub(super) fn seal_sudo(app: &App, server: ServerId, host: &str, port: u16, password: &str) -> AppResult<Vec<u8>> {
    seal(app, "sudo", server, host, port, password)
}

/// What is stored to log in with.
///
/// # Errors
/// [`AppError::NotNow`] when nothing is stored; [`AppError::Internal`] when it does not open, or was given for another
/// address.
pub fn open_secret(app: &App, server: ServerId, row: &ConnectionRow) -> AppResult<Secret> {
    let Some(ciphertext) = &row.credential_ciphertext else {
        return Err(AppError::not_now(
            "no_credential",
            "No login stored",
            "Enter the server's password or private key again: none is stored",
        ));
    };
    open(app, "credential", server, row, ciphertext)
}

/// The password for sudo, if one is stored.
///
/// # Errors
/// As [`open_secret`].
pub fn open_sudo(app: &App, server: ServerId, row: &ConnectionRow) -> AppResult<Option<Zeroizing<String>>> {
    row.sudo_ciphertext.as_ref().map(|ciphertext| open(app, "sudo", server, row, ciphertext)).transpose()
}
