//! Documents that a dashboard's signing key vouches for: the anchor, an accepted restore, a checkpoint, an export.

use crate::keyring::{DetachedSignature, Keyring};
use proxima_types::identity::DashboardPublicKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The purposes: a signature for one is none for another.
pub const ANCHOR: &str = "anchor-v1";
pub const RESTORE: &str = "restore-v1";
pub const CHECKPOINT: &str = "audit-checkpoint-v1";
pub const EXPORT: &str = "audit-export-v1";

/// A text and its signature. The text is kept as it was signed: nothing has to be written the same way twice.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signed {
    /// JSON.
    pub payload: String,
    #[serde(flatten)]
    pub signature: DetachedSignature,
}

impl Signed {
    /// # Errors
    /// Without a signing key.
    pub fn make<T: Serialize>(keyring: &Keyring, purpose: &str, payload: &T) -> anyhow::Result<Self> {
        let payload = serde_json::to_string(payload)?;
        let signature = keyring.sign_detached(purpose, payload.as_bytes())?;
        Ok(Self { payload, signature })
    }

    /// What was signed, if a key of this key file, present or former, signed it for this purpose.
    #[must_use]
    pub fn open<T: DeserializeOwned>(&self, keyring: &Keyring, purpose: &str) -> Option<T> {
        let vouched = keyring.verify_detached(purpose, self.payload.as_bytes(), &self.signature);
        if vouched { serde_json::from_str(&self.payload).ok() } else { None }
    }

    /// What was signed, if this key signed it for this purpose: needs no key file.
    #[must_use]
    pub fn open_with<T: DeserializeOwned>(&self, key: DashboardPublicKey, purpose: &str) -> Option<T> {
        let vouched = self.signature.is_by(key, purpose, self.payload.as_bytes());
        if vouched { serde_json::from_str(&self.payload).ok() } else { None }
    }

    /// As [`Self::open`], of a document that is JSON text itself.
    #[must_use]
    pub fn open_text<T: DeserializeOwned>(text: &str, keyring: &Keyring, purpose: &str) -> Option<T> {
        serde_json::from_str::<Self>(text).ok()?.open(keyring, purpose)
    }
}
