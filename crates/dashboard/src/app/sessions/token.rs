//! Secrets that cookies hold.

use crate::entropy::{Entropy, EntropyExt as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// 32 random bytes, base64url. Only their digest is stored.
#[derive(Clone)]
pub struct SecretToken(Zeroizing<String>);

impl SecretToken {
    pub(crate) fn random(entropy: &dyn Entropy) -> Self {
        Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(*Zeroizing::new(entropy.bytes::<32>()))))
    }

    /// What a browser sent: anything.
    #[must_use]
    pub fn from_cookie(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl std::fmt::Debug for SecretToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretToken(…)")
    }
}
