//! What a customer logs in with.

use crate::problem::Problem;
use russh::keys::{HashAlg, PrivateKey, decode_secret_key};
use secrecy::{ExposeSecret as _, SecretString};
use std::sync::Arc;

/// A private key's text is refused above this size, in bytes: RSA keys of 16384 bits have 13 KiB.
const PEM_BYTES_MAX: usize = 64 * 1024;

/// One way to log in. Prints no secret.
#[derive(Debug, Clone)]
pub enum Credential {
    Password(SecretString),
    /// An OpenSSH, PKCS#8 or PEM private key: Ed25519, ECDSA or RSA.
    PrivateKey {
        pem: SecretString,
        passphrase: Option<SecretString>,
    },
}

/// How to log in and become root.
#[derive(Debug, Clone)]
pub struct Login {
    pub credential: Credential,
    /// For sudo; without it the login password is tried.
    pub sudo_password: Option<SecretString>,
}

impl Login {
    /// What sudo is given when it asks.
    #[must_use]
    pub fn password_for_sudo(&self) -> Option<&SecretString> {
        match (&self.sudo_password, &self.credential) {
            (Some(password), _) | (None, Credential::Password(password)) => Some(password),
            (None, Credential::PrivateKey { .. }) => None,
        }
    }

    /// Every secret in it, for the [`crate::text::Redactor`].
    pub fn secrets(&self) -> impl Iterator<Item = &SecretString> {
        let (first, second) = match &self.credential {
            Credential::Password(password) => (password, None),
            Credential::PrivateKey { pem, passphrase } => (pem, passphrase.as_ref()),
        };
        std::iter::once(first).chain(second).chain(self.sudo_password.as_ref())
    }
}

impl Credential {
    /// Whether a private key can be read with its passphrase; a password always passes. Decrypting
    /// takes up to a second of CPU: call it off the async threads.
    ///
    /// # Errors
    /// [`Problem::KeyUnreadable`], [`Problem::PassphraseMissing`], [`Problem::PassphraseWrong`].
    pub fn check(&self) -> Result<(), Problem> {
        match self {
            Self::Password(_) => Ok(()),
            Self::PrivateKey { pem, passphrase } => read_key(pem, passphrase.as_ref()).map(|_| ()),
        }
    }
}

pub(super) fn read_key(pem: &SecretString, passphrase: Option<&SecretString>) -> Result<Arc<PrivateKey>, Problem> {
    let unreadable = |reason: &str| Problem::KeyUnreadable { reason: reason.to_owned() };
    let pem = pem.expose_secret().trim();
    if pem.len() > PEM_BYTES_MAX {
        return Err(unreadable("it is too long"));
    }
    if pem.starts_with("ssh-") || pem.starts_with("ecdsa-") {
        return Err(unreadable("this is the public key"));
    }
    if !pem.starts_with("-----BEGIN ") {
        return Err(unreadable("it does not begin with -----BEGIN"));
    }
    let passphrase =
        passphrase.map(|passphrase| passphrase.expose_secret()).filter(|passphrase| !passphrase.is_empty());
    // Windows clients paste CRLF; russh compares whole lines.
    let pem = zeroize::Zeroizing::new(pem.replace("\r\n", "\n"));
    let encrypted = match decode_secret_key(&pem, None) {
        Ok(key) => return Ok(Arc::new(key)),
        Err(error) => is_encrypted(&pem, &error),
    };
    if !encrypted {
        return Err(unreadable("it is damaged or of a kind that we do not know"));
    }
    let Some(passphrase) = passphrase else { return Err(Problem::PassphraseMissing) };
    decode_secret_key(&pem, Some(passphrase)).map(Arc::new).map_err(|_| Problem::PassphraseWrong)
}

fn is_encrypted(pem: &str, error: &russh::keys::Error) -> bool {
    matches!(error, russh::keys::Error::KeyIsEncrypted)
        || pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        || pem.contains("Proc-Type: 4,ENCRYPTED")
}

/// `SHA256:…` of the key's public half.
pub(super) fn fingerprint(key: &PrivateKey) -> String {
    key.public_key().fingerprint(HashAlg::Sha256).to_string()
}
