//! The license key and the API secret: how they look, what of them may be shown, and the digest
//! that finds a key without storing it in clear.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// How many random bytes make a key: 256 bits.
pub const KEY_BYTES: usize = 32;

/// Why a text is not a key. Never carries the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {prefix}_ followed by 43 base64url characters (32 bytes)")]
pub struct MalformedSecret {
    prefix: &'static str,
}

fn parse_secret(prefix: &'static str, text: &str) -> Result<Zeroizing<String>, MalformedSecret> {
    let malformed = MalformedSecret { prefix };
    let encoded = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or(malformed)?;
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).map_err(|_| malformed)?);
    if bytes.len() == KEY_BYTES { Ok(Zeroizing::new(text.to_owned())) } else { Err(malformed) }
}

macro_rules! secret_type {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(Zeroizing<String>);

        impl $name {
            /// Makes one from 32 bytes of the operating system's CSPRNG.
            #[must_use]
            pub fn from_random_bytes(bytes: [u8; KEY_BYTES]) -> Self {
                let bytes = Zeroizing::new(bytes);
                Self(Zeroizing::new(format!(concat!($prefix, "_{}"), URL_SAFE_NO_PAD.encode(*bytes))))
            }

            /// # Errors
            /// When the text is not of the form; the text itself is not repeated.
            pub fn parse(text: &str) -> Result<Self, MalformedSecret> {
                parse_secret($prefix, text).map(Self)
            }

            /// The plaintext. Every caller is a place where the secret leaves the process.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!($prefix, "_…"))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.expose())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Zeroizing::new(String::deserialize(deserializer)?);
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

secret_type!(
    /// The license key (`apiKey`): the bearer token of every heartbeat. `pk_` + 43 characters.
    LicenseKey,
    "pk"
);
secret_type!(
    /// The `apiSecret`: dashboard → gateway authentication on `:6060`. `sk_` + 43 characters.
    ApiSecret,
    "sk"
);
secret_type!(
    /// What an install command carries: good for one install of one server, for a few minutes. `pt_` + 43 characters.
    InstallToken,
    "pt"
);
secret_type!(
    /// By which a box that installs itself reports. `pr_` + 43 characters.
    ReportToken,
    "pr"
);

impl LicenseKey {
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        KeyDigest::of_presented(self.expose())
    }

    /// The four characters that the masked form shows.
    #[must_use]
    pub fn last4(&self) -> &str {
        &self.0[self.0.len() - 4..]
    }
}

/// The masked form of product.md section 3: `pk_•••••…•Ab3f`.
#[must_use]
pub fn masked_key(last4: &str) -> String {
    format!("pk_•••••…•{last4}")
}

/// SHA-256 of a license key's text: how the database finds a key (never bcrypt: the key has 256
/// bits of its own), and what a signed answer names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// The digest of whatever was presented as a key.
    #[must_use]
    pub fn of_presented(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads the form that [`Display`](std::fmt::Display) writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let base64 = text.strip_prefix("sha-256=:")?.strip_suffix(':')?;
        let bytes = base64::engine::general_purpose::STANDARD.decode(base64).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl std::fmt::Display for KeyDigest {
    /// As an RFC 9651 byte sequence: `sha-256=:BASE64:`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sha-256=:{}:", base64::engine::general_purpose::STANDARD.encode(self.0))
    }
}

impl std::fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyDigest({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_46_characters_and_parses_back() {
        let key = LicenseKey::from_random_bytes([7; 32]);
        assert_eq!(key.expose().len(), 46);
        assert!(key.expose().starts_with("pk_"));
        assert_eq!(LicenseKey::parse(key.expose()), Ok(key.clone()));
        assert_eq!(key.last4(), &key.expose()[42..]);
        assert_eq!(masked_key("Ab3f"), "pk_•••••…•Ab3f");
    }

    #[test]
    fn malformed_keys_are_refused_without_repeating_them() {
        let secret = ApiSecret::from_random_bytes([7; 32]);
        for bad in ["", "pk_", "pk_short", secret.expose(), "pk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "nope"] {
            let error = LicenseKey::parse(bad).expect_err("malformed").to_string();
            assert!(bad.len() < 5 || !error.contains(bad), "{error}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", LicenseKey::from_random_bytes([9; 32])), "pk_…");
        assert_eq!(format!("{:?}", ApiSecret::from_random_bytes([9; 32])), "sk_…");
    }
}
