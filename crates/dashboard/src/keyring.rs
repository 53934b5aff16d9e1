//! The dashboard's key file: the master keys that seal secrets at rest, and the key that signs
//! answers to gateways. It is outside the database; a copy of the database alone opens nothing.

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use proxima_signing::AnswerSigner;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use zeroize::Zeroizing;

use crate::entropy::{Entropy, EntropyExt as _};

/// The first byte of everything sealed: the layout `[1][key id, 4 bytes][nonce, 24][ciphertext]`.
const LAYOUT: u8 = 1;
const NONCE_BYTES: usize = 24;
const HEADER_BYTES: usize = 1 + 4 + NONCE_BYTES;

/// Where a secret stands in the database. Bound into the ciphertext, so that a row's or column's
/// ciphertext moved to another does not open.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub table: &'a str,
    pub row: uuid::Uuid,
    pub column: &'a str,
}

impl Place<'_> {
    fn aad(&self) -> Vec<u8> {
        format!("{}/{}/{}", self.table, self.row, self.column).into_bytes()
    }
}

/// A secret that does not open: another master key, or a moved or changed ciphertext.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored secret cannot be opened: the key file is not the one it was sealed with, or the row was changed")]
pub struct CannotOpen;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeyFile {
    version: u32,
    /// The last one seals; all open.
    master_keys: Vec<StoredKey>,
    /// The last one signs.
    signing_keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    id: u32,
    key: Zeroizing<String>,
}

impl StoredKey {
    fn bytes(&self) -> anyhow::Result<Zeroizing<[u8; 32]>> {
        let bytes = Zeroizing::new(STANDARD.decode(self.key.as_bytes()).context("a key is not base64")?);
        Ok(Zeroizing::new(bytes.as_slice().try_into().context("a key has not 32 bytes")?))
    }

    fn random(id: u32, entropy: &dyn Entropy) -> Self {
        Self { id, key: Zeroizing::new(STANDARD.encode(*Zeroizing::new(entropy.bytes::<32>()))) }
    }
}

struct MasterKey {
    id: u32,
    cipher: XChaCha20Poly1305,
}

/// The opened key file.
pub struct Keyring {
    masters: Vec<MasterKey>,
    /// Keys the digests of what throttles count.
    pepper: [u8; 32],
    pub signer: AnswerSigner,
}

/// A signature over bytes that are no answer to a gateway, with the key that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DetachedSignature {
    /// As signatures of answers name their key.
    pub key_id: String,
    /// Base64.
    pub signature: String,
}

fn framed(purpose: &str, bytes: &[u8]) -> Vec<u8> {
    [b"proxima-dashboard/", purpose.as_bytes(), b"\0", bytes].concat()
}

impl Keyring {
    #[must_use]
    pub fn public_key(&self) -> Option<proxima_types::identity::DashboardPublicKey> {
        Some(self.signer.public_key())
    }

    /// # Errors
    /// Without a signing key.
    pub fn sign_detached(&self, purpose: &str, bytes: &[u8]) -> anyhow::Result<DetachedSignature> {
        let signature = STANDARD.encode(self.signer.sign_bytes(&framed(purpose, bytes)));
        Ok(DetachedSignature { key_id: proxima_signing::key_id(self.signer.public_key()), signature })
    }

    #[must_use]
    pub fn verify_detached(&self, purpose: &str, bytes: &[u8], signed: &DetachedSignature) -> bool {
        let Ok(signature) = STANDARD.decode(&signed.signature) else { return false };
        proxima_signing::verify_bytes(self.signer.public_key(), &framed(purpose, bytes), &signature)
    }

    /// Reads the key file.
    ///
    /// # Errors
    /// When it is missing, readable by others, or malformed; the sentence says what to do.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let mode = std::fs::metadata(path).with_context(|| format!("cannot read the key file {shown}"))?.permissions();
        if mode.mode() & 0o077 != 0 {
            bail!("the key file {shown} can be read by others: run `chmod 600 {shown}`");
        }
        let text = Zeroizing::new(std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?);
        // Only the position: serde's own message may quote a key.
        let file: KeyFile = serde_json::from_str(&text).map_err(|error| {
            anyhow::anyhow!("{shown} is malformed at line {}, column {}", error.line(), error.column())
        })?;
        Self::open(&file).with_context(|| format!("the key file {shown} is malformed"))
    }

    /// Makes a key file with fresh keys, readable by its owner only; never replaces one.
    ///
    /// # Errors
    /// When the file exists already or cannot be written.
    pub fn create(path: &Path, entropy: &dyn Entropy) -> anyhow::Result<Self> {
        let file = KeyFile {
            version: 1,
            master_keys: vec![StoredKey::random(1, entropy)],
            signing_keys: vec![StoredKey::random(1, entropy)],
        };
        let json = Zeroizing::new(serde_json::to_string_pretty(&file)?);
        let shown = path.display();
        let temporary = path.with_extension(format!("{}.tmp", entropy.uuid()));
        let write = || -> std::io::Result<()> {
            let mut output = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            output.write_all(json.as_bytes())?;
            output.sync_all()?;
            // A hard link, unlike a rename, fails when the name is taken: of two that start at once one wins.
            std::fs::hard_link(&temporary, path)
        };
        let written = write();
        let _ = std::fs::remove_file(&temporary);
        written.with_context(|| format!("cannot write the key file {shown}"))?;
        Self::open(&file)
    }

    fn open(file: &KeyFile) -> anyhow::Result<Self> {
        if file.version != 1 {
            bail!("version {} is not known to this release", file.version);
        }
        let masters = file
            .master_keys
            .iter()
            .map(|stored| {
                let key = stored.bytes()?;
                Ok(MasterKey { id: stored.id, cipher: XChaCha20Poly1305::new(&Key::from(*key)) })
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        if masters.is_empty() {
            bail!("it has no master key");
        }
        let signing = file.signing_keys.last().context("it has no signing key")?;
        let pepper = Sha256::new_with_prefix(b"proxima throttles").chain_update(*signing.bytes()?).finalize().into();
        Ok(Self { masters, pepper, signer: AnswerSigner::from_seed(&signing.bytes()?)? })
    }

    /// A secret of this key file alone, for keyed digests of what a database dump must not tell. Another one after a
    /// rotation of the signing key.
    #[must_use]
    pub fn pepper(&self) -> &[u8; 32] {
        &self.pepper
    }

    /// Seals `plaintext` for its place with the newest master key.
    ///
    /// # Errors
    /// Never for texts of our sizes; passed through from the cipher.
    pub fn seal(&self, place: Place<'_>, plaintext: &str, entropy: &dyn Entropy) -> anyhow::Result<Vec<u8>> {
        let master = self.masters.last().context("no master key")?;
        let nonce: [u8; NONCE_BYTES] = entropy.bytes();
        let aad = place.aad();
        let sealed = master
            .cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: plaintext.as_bytes(), aad: &aad })
            .map_err(|_| anyhow::anyhow!("a secret could not be sealed"))?;
        let mut output = Vec::with_capacity(HEADER_BYTES + sealed.len());
        output.push(LAYOUT);
        output.extend_from_slice(&master.id.to_be_bytes());
        output.extend_from_slice(&nonce);
        output.extend_from_slice(&sealed);
        Ok(output)
    }

    /// Opens what [`Self::seal`] made for the same place.
    ///
    /// # Errors
    /// [`CannotOpen`], whatever the reason.
    pub fn open_sealed(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<String>, CannotOpen> {
        let (header, ciphertext) = sealed.split_at_checked(HEADER_BYTES).ok_or(CannotOpen)?;
        let id = u32::from_be_bytes(header[1..5].try_into().map_err(|_| CannotOpen)?);
        let nonce: [u8; NONCE_BYTES] = header[5..].try_into().map_err(|_| CannotOpen)?;
        let master = self.masters.iter().find(|master| master.id == id).ok_or(CannotOpen)?;
        if header[0] != LAYOUT {
            return Err(CannotOpen);
        }
        let plaintext = master
            .cipher
            .decrypt(&XNonce::from(nonce), Payload { msg: ciphertext, aad: &place.aad() })
            .map_err(|_| CannotOpen)?;
        String::from_utf8(plaintext).map(Zeroizing::new).map_err(|_| CannotOpen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::OsEntropy;

    fn keyring() -> (Keyring, std::path::PathBuf) {
        let path = std::env::temp_dir().join(format!("keys-{}.json", OsEntropy.uuid()));
        (Keyring::create(&path, &OsEntropy).expect("created"), path)
    }

    #[test]
    fn a_secret_opens_only_in_its_place() {
        let (keyring, path) = keyring();
        let row = OsEntropy.uuid();
        let place = Place { table: "servers", row, column: "api_key" };
        let sealed = keyring.seal(place, "pk_secret", &OsEntropy).expect("sealed");
        assert_eq!(keyring.open_sealed(place, &sealed).expect("opened").as_str(), "pk_secret");
        let reread = Keyring::load(&path).expect("loaded");
        assert!(reread.open_sealed(place, &sealed).is_ok());
        assert!(!sealed.windows(9).any(|window| window == b"pk_secret"));
        for moved in [
            Place { row: OsEntropy.uuid(), ..place },
            Place { column: "api_secret", ..place },
            Place { table: "users", ..place },
        ] {
            assert_eq!(keyring.open_sealed(moved, &sealed), Err(CannotOpen));
        }
        let mut changed = sealed.clone();
        changed[HEADER_BYTES] ^= 1;
        assert_eq!(keyring.open_sealed(place, &changed), Err(CannotOpen));
        assert_eq!(keyring.open_sealed(place, &sealed[..10]), Err(CannotOpen));
        std::fs::remove_file(path).expect("removed");
    }

    #[test]
    fn a_key_file_is_private_and_never_replaced() {
        let (_, path) = keyring();
        assert_eq!(std::fs::metadata(&path).expect("exists").permissions().mode() & 0o777, 0o600);
        assert!(Keyring::create(&path, &OsEntropy).is_err());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("changed");
        let error = Keyring::load(&path).err().expect("refused").to_string();
        assert!(error.contains("chmod 600"), "{error}");
        std::fs::remove_file(path).expect("removed");
    }
}
