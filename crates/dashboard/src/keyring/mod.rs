//! The dashboard's keys: the master keys that seal secrets at rest, and the keys that sign answers to gateways. They are in
//! the key file, outside the database; a copy of the database alone opens nothing.
//!
//! Which key seals and which sign is the database's word ([`Ledger`]), the same for every dashboard on it; before it is
//! known the newest of the file do. A key that does not open its canary, or whose public half is another than the one
//! recorded, is not used (invariant 14). Without a key, what needs it says so, and the rest goes on.

mod file;
mod ledger;
mod sealing;
mod signing;
#[cfg(test)]
mod tests;

pub use file::{FormerKey, KeyFile, StoredKey};
pub use ledger::{Ledger, MasterEntry, MasterState, SigningEntry};
pub use sealing::Place;
pub use signing::{DetachedSignature, SigningKey};

use crate::entropy::Entropy;
use arc_swap::ArcSwap;
use file::Stamp;
use sealing::MasterKey;
use sha2::{Digest as _, Sha256};
use signing::{LiveKey, Signer};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// What a missing key, or a secret that does not open, is to whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyTrouble {
    #[error(
        "master key {0} is not in this dashboard's key file, so what was sealed with it cannot be opened: put the key file back \
         from your backup (docs/operate.md, \"When a key is lost\")"
    )]
    MasterKeyMissing(i32),
    #[error(
        "master key {0} in this dashboard's key file is not the one that the database was filled with: put the right key \
         file back from your backup (docs/operate.md, \"When a key is lost\")"
    )]
    MasterKeyWrong(i32),
    #[error(
        "this dashboard has no master key, so no secret can be stored or opened: put the key file back from your backup \
         (docs/operate.md, \"When a key is lost\")"
    )]
    NoMasterKey,
    #[error(
        "this dashboard has no signing key that gateways trust, so it cannot answer them: put the key file back from your \
         backup (docs/operate.md, \"When a key is lost\")"
    )]
    SigningKeyMissing,
    #[error(
        "a stored secret does not open: it was changed in the database, or moved there from another row or column. Make a new \
         one in its place"
    )]
    Altered,
}

/// What is in force: the file as read last, and the database's word on it.
#[derive(Default)]
struct State {
    masters: Vec<MasterKey>,
    signers: Vec<Arc<Signer>>,
    former: Vec<FormerKey>,
    /// Keys the digests of what throttles count.
    pepper: [u8; 32],
    ledger: Option<Ledger>,
    /// Ids of master keys that do not open their canaries.
    wrong: Vec<i32>,
    /// What gateways are to trust, oldest first.
    live: Vec<LiveKey>,
    /// The signing keys of the file that are among them.
    usable: Vec<Arc<Signer>>,
    /// Why the file could not be read again; what was read before is in force.
    unreadable: Option<String>,
}

/// The keys, shared by everything in the process. Reading takes no lock.
pub struct Keyring {
    state: ArcSwap<State>,
    path: PathBuf,
    /// Of the file as read last; held while the state changes.
    stamp: Mutex<Option<Stamp>>,
}

impl Keyring {
    /// Reads the key file.
    ///
    /// # Errors
    /// When it is missing, readable by others, or malformed; the sentence says what to do.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let stamp = Stamp::of(path);
        let state = State::of(&KeyFile::read(path)?)?;
        Ok(Self { state: ArcSwap::from_pointee(state), path: path.to_owned(), stamp: Mutex::new(stamp) })
    }

    /// Makes a key file with fresh keys, readable by its owner only; never replaces one.
    ///
    /// # Errors
    /// When the file exists already or cannot be written.
    pub fn create(path: &Path, entropy: &dyn Entropy) -> anyhow::Result<Self> {
        let mut file = KeyFile::empty();
        file.master_keys.push(StoredKey::random(1, entropy));
        file.signing_keys.push(StoredKey::random(1, entropy));
        file.create(path, entropy)?;
        Self::load(path)
    }

    /// For a key file that is not there: it is read as soon as it is put back.
    #[must_use]
    pub fn without_keys(path: &Path) -> Self {
        Self { state: ArcSwap::default(), path: path.to_owned(), stamp: Mutex::new(None) }
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the key file again if it has changed; true when it was read. One that is gone or cannot be read changes
    /// nothing but [`Self::problems`].
    pub fn reload(&self) -> bool {
        let mut stamp = self.stamp.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Stamp::of(&self.path);
        if *stamp == now {
            return false;
        }
        *stamp = now;
        let before = self.state.load();
        let mut state = match KeyFile::read(&self.path).and_then(|file| State::of(&file)) {
            Ok(state) => state,
            Err(error) => State { unreadable: Some(format!("{error:#}")), ..before.copied() },
        };
        state.ledger = before.ledger.clone();
        state.settle();
        self.state.store(Arc::new(state));
        true
    }

    /// Takes the database's word on which keys there are.
    pub fn follow(&self, ledger: Ledger) {
        let _stamp = self.stamp.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.state.load().copied();
        state.ledger = Some(ledger);
        state.settle();
        self.state.store(Arc::new(state));
    }

    /// Seals `plaintext` for its place with the master key in force.
    ///
    /// # Errors
    /// [`KeyTrouble`] (to be downcast) without that key.
    pub fn seal(&self, place: Place<'_>, plaintext: &str, entropy: &dyn Entropy) -> anyhow::Result<Vec<u8>> {
        self.state.load().sealing()?.seal(place, plaintext, entropy)
    }

    /// Seals with this very key, whichever is in force.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub fn seal_with(
        &self,
        key: i32,
        place: Place<'_>,
        plaintext: &str,
        entropy: &dyn Entropy,
    ) -> anyhow::Result<Vec<u8>> {
        self.state.load().master(key)?.seal(place, plaintext, entropy)
    }

    /// Opens what [`Self::seal`] made for the same place.
    ///
    /// # Errors
    /// Why not.
    pub fn open_sealed(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<String>, KeyTrouble> {
        self.state.load().master(sealing::key_of(sealed)?)?.open(place, sealed)
    }

    /// The id of the key that seals.
    ///
    /// # Errors
    /// Why there is none.
    pub fn sealing_key(&self) -> Result<i32, KeyTrouble> {
        self.state.load().sealing().map(|master| master.id)
    }

    /// What shows later whether a key file has this key.
    ///
    /// # Errors
    /// [`KeyTrouble`] without the key.
    pub fn canary(&self, key: i32, entropy: &dyn Entropy) -> anyhow::Result<Vec<u8>> {
        let state = self.state.load();
        let master = state.masters.iter().find(|master| master.id == key).ok_or(KeyTrouble::MasterKeyMissing(key))?;
        master.canary(entropy)
    }

    /// A secret of this key file alone, for keyed digests of what a database dump must not tell. Another one when the oldest
    /// signing key ends, and a known one while there is none.
    #[must_use]
    pub fn pepper(&self) -> [u8; 32] {
        self.state.load().pepper
    }

    /// The ids of the master keys in the file that are the database's, too.
    #[must_use]
    pub fn master_ids(&self) -> Vec<i32> {
        let state = self.state.load();
        state.masters.iter().map(|master| master.id).filter(|id| !state.wrong.contains(id)).collect()
    }
}

impl State {
    fn of(file: &KeyFile) -> anyhow::Result<Self> {
        let masters = file.master_keys.iter().map(|stored| Ok(MasterKey::new(stored.id, &stored.bytes()?)));
        let mut pepper = Sha256::new_with_prefix(b"proxima throttles");
        if let Some(oldest) = file.signing_keys.first() {
            pepper.update(*oldest.bytes()?);
        }
        let pepper = pepper.finalize().into();
        let signers = file.signing_keys.iter().map(|stored| Ok(Arc::new(Signer::new(stored.id, &stored.bytes()?)?)));
        let state = Self {
            masters: masters.collect::<anyhow::Result<_>>()?,
            signers: signers.collect::<anyhow::Result<_>>()?,
            former: file.former_signing_keys.clone(),
            pepper,
            ..Self::default()
        };
        Ok(state.settled())
    }

    fn copied(&self) -> Self {
        Self {
            masters: self.masters.iter().map(MasterKey::copied).collect(),
            signers: self.signers.clone(),
            former: self.former.clone(),
            pepper: self.pepper,
            ledger: self.ledger.clone(),
            wrong: self.wrong.clone(),
            live: self.live.clone(),
            usable: self.usable.clone(),
            unreadable: self.unreadable.clone(),
        }
    }

    fn settled(mut self) -> Self {
        self.settle();
        self
    }

    /// Works out what follows from the file and the ledger together.
    fn settle(&mut self) {
        let entries = self.ledger.iter().flat_map(|ledger| &ledger.masters);
        let wrong = |master: &&MasterKey| {
            entries.clone().any(|entry| entry.id == master.id && !master.opens_canary(&entry.canary))
        };
        self.wrong = self.masters.iter().filter(wrong).map(|master| master.id).collect();
        self.live = self.live_keys();
        let is_live = |signer: &&Arc<Signer>| self.live.iter().any(|key| key.public_key == signer.public_key());
        self.usable = self.signers.iter().filter(is_live).cloned().collect();
    }

    fn master(&self, id: i32) -> Result<&MasterKey, KeyTrouble> {
        if self.wrong.contains(&id) {
            return Err(KeyTrouble::MasterKeyWrong(id));
        }
        self.masters.iter().find(|master| master.id == id).ok_or(KeyTrouble::MasterKeyMissing(id))
    }

    /// The key in force: the database's active one; before that is known the newest of the file.
    fn sealing(&self) -> Result<&MasterKey, KeyTrouble> {
        let active = self.ledger.as_ref().and_then(|ledger| {
            ledger.masters.iter().find(|entry| entry.state == MasterState::Active).map(|entry| entry.id)
        });
        match active {
            Some(id) => self.master(id),
            None => self.masters.last().ok_or(KeyTrouble::NoMasterKey),
        }
    }
}
