//! Sealing one text with one master key.

use super::KeyTrouble;
use crate::entropy::{Entropy, EntropyExt as _};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

/// The first byte of everything sealed: the layout `[1][key id, 4 bytes][nonce, 24][ciphertext]`. The database's function
/// `sealing_key_of` reads the id from it.
const LAYOUT: u8 = 1;
const NONCE_BYTES: usize = 24;
pub(super) const HEADER_BYTES: usize = 1 + 4 + NONCE_BYTES;

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

pub(super) struct MasterKey {
    pub id: i32,
    cipher: XChaCha20Poly1305,
}

impl MasterKey {
    pub(super) fn new(id: i32, key: &Zeroizing<[u8; 32]>) -> Self {
        Self { id, cipher: XChaCha20Poly1305::new(&Key::from(**key)) }
    }

    pub(super) fn copied(&self) -> Self {
        Self { id: self.id, cipher: self.cipher.clone() }
    }

    pub(super) fn seal(&self, place: Place<'_>, plaintext: &str, entropy: &dyn Entropy) -> anyhow::Result<Vec<u8>> {
        let nonce: [u8; NONCE_BYTES] = entropy.bytes();
        let aad = place.aad();
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), Payload { msg: plaintext.as_bytes(), aad: &aad })
            .map_err(|_| anyhow::anyhow!("a secret could not be sealed"))?;
        let mut output = Vec::with_capacity(HEADER_BYTES + sealed.len());
        output.push(LAYOUT);
        output.extend_from_slice(&self.id.to_be_bytes());
        output.extend_from_slice(&nonce);
        output.extend_from_slice(&sealed);
        Ok(output)
    }

    pub(super) fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<String>, KeyTrouble> {
        let (header, ciphertext) = sealed.split_at_checked(HEADER_BYTES).ok_or(KeyTrouble::Altered)?;
        let nonce: [u8; NONCE_BYTES] = header[5..].try_into().map_err(|_| KeyTrouble::Altered)?;
        let plaintext = self
            .cipher
            .decrypt(&XNonce::from(nonce), Payload { msg: ciphertext, aad: &place.aad() })
            .map_err(|_| KeyTrouble::Altered)?;
        String::from_utf8(plaintext).map(Zeroizing::new).map_err(|_| KeyTrouble::Altered)
    }

    /// The text by which a key is known again.
    fn canary_place(&self) -> Place<'static> {
        let row = uuid::Uuid::from_u128(u128::from(self.id.unsigned_abs()));
        Place { table: "master_keys", row, column: "canary" }
    }

    pub(super) fn canary(&self, entropy: &dyn Entropy) -> anyhow::Result<Vec<u8>> {
        self.seal(self.canary_place(), "proxima-dashboard", entropy)
    }

    pub(super) fn opens_canary(&self, canary: &[u8]) -> bool {
        self.open(self.canary_place(), canary).is_ok()
    }
}

/// The id of the key that something was sealed with.
pub(super) fn key_of(sealed: &[u8]) -> Result<i32, KeyTrouble> {
    let header = sealed.get(..HEADER_BYTES).filter(|header| header[0] == LAYOUT).ok_or(KeyTrouble::Altered)?;
    Ok(i32::from_be_bytes([header[1], header[2], header[3], header[4]]))
}
