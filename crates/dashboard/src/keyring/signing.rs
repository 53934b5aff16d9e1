//! Which key signs what, and what this dashboard's keys have signed before.

use super::{KeyTrouble, Keyring, Ledger, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proxima_signing::{AnswerSigner, key_id, verify_bytes};
use proxima_types::identity::DashboardPublicKey;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use zeroize::Zeroizing;

/// A signing key of the file.
pub(super) struct Signer {
    id: i32,
    /// As signatures name it.
    key_id: String,
    answers: AnswerSigner,
}

impl Signer {
    pub(super) fn new(id: i32, seed: &Zeroizing<[u8; 32]>) -> anyhow::Result<Self> {
        let answers = AnswerSigner::from_seed(seed)?;
        Ok(Self { id, key_id: key_id(answers.public_key()), answers })
    }

    pub(super) fn public_key(&self) -> DashboardPublicKey {
        self.answers.public_key()
    }
}

/// A public key that gateways are to trust.
#[derive(Debug, Clone)]
pub(super) struct LiveKey {
    pub public_key: DashboardPublicKey,
    /// As signatures name it.
    pub key_id: String,
}

impl LiveKey {
    fn new(public_key: DashboardPublicKey) -> Self {
        Self { public_key, key_id: key_id(public_key) }
    }
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

impl DetachedSignature {
    /// Whether this key signed exactly these bytes for this purpose.
    #[must_use]
    pub fn is_by(&self, key: DashboardPublicKey, purpose: &str, bytes: &[u8]) -> bool {
        STANDARD.decode(&self.signature).is_ok_and(|signature| verify_bytes(key, &framed(purpose, bytes), &signature))
    }
}

/// What is signed for a purpose: no signature for one is one for another, or an answer's.
fn framed(purpose: &str, bytes: &[u8]) -> Vec<u8> {
    [b"proxima-dashboard/", purpose.as_bytes(), b"\0", bytes].concat()
}

/// A signing key that signs answers; kept while it does, whatever a rotation does meanwhile.
#[derive(Clone)]
pub struct SigningKey(Arc<Signer>);

impl std::ops::Deref for SigningKey {
    type Target = AnswerSigner;

    fn deref(&self) -> &AnswerSigner {
        &self.0.answers
    }
}

impl Keyring {
    /// The key that signs for a gateway: the newest that it trusts, as it says itself; of one that does not say, the
    /// oldest that gateways are to trust. One that trusts none of them is answered with the newest, for its log.
    ///
    /// # Errors
    /// [`KeyTrouble::SigningKeyMissing`].
    pub fn signer_for(&self, trusted: Option<&[String]>) -> Result<SigningKey, KeyTrouble> {
        let state = self.state.load();
        let usable = &state.usable;
        let chosen = match trusted {
            None => usable.first(),
            Some(ids) => usable.iter().rev().find(|signer| ids.contains(&signer.key_id)).or(usable.last()),
        };
        chosen.map(|signer| SigningKey(Arc::clone(signer))).ok_or(KeyTrouble::SigningKeyMissing)
    }

    /// The public keys that gateways are to trust, oldest first: what a new `config.json` names.
    #[must_use]
    pub fn public_keys(&self) -> Vec<DashboardPublicKey> {
        self.state.load().live.iter().map(|key| key.public_key).collect()
    }

    /// The newest of [`Self::public_keys`].
    #[must_use]
    pub fn public_key(&self) -> Option<DashboardPublicKey> {
        self.public_keys().pop()
    }

    /// What to tell a gateway that trusts these keys: all that it is to trust, when that is not the same and `signer`
    /// is among them.
    #[must_use]
    pub fn announcement(&self, trusted: Option<&[String]>, signer: &SigningKey) -> Option<Vec<DashboardPublicKey>> {
        let trusted = trusted?;
        let state = self.state.load();
        let same = state.live.len() == trusted.len() && state.live.iter().all(|key| trusted.contains(&key.key_id));
        let named = state.live.iter().any(|key| key.public_key == signer.public_key());
        (!same && named).then(|| state.live.iter().map(|key| key.public_key).collect())
    }

    /// Signs bytes for a purpose of the dashboard's own, with the newest signing key that it holds.
    ///
    /// # Errors
    /// [`KeyTrouble::SigningKeyMissing`] (to be downcast).
    pub fn sign_detached(&self, purpose: &str, bytes: &[u8]) -> anyhow::Result<DetachedSignature> {
        let state = self.state.load();
        let signer = state.usable.last().ok_or(KeyTrouble::SigningKeyMissing)?;
        let signature = STANDARD.encode(signer.answers.sign_bytes(&framed(purpose, bytes)));
        Ok(DetachedSignature { key_id: signer.key_id.clone(), signature })
    }

    /// Whether a signing key of this key file, present or former, signed exactly these bytes for this purpose.
    #[must_use]
    pub fn verify_detached(&self, purpose: &str, bytes: &[u8], signed: &DetachedSignature) -> bool {
        let state = self.state.load();
        let present = state.signers.iter().map(|signer| signer.public_key());
        let known = present.chain(state.former.iter().map(|former| former.public_key));
        known.into_iter().any(|key| key_id(key) == signed.key_id && signed.is_by(key, purpose, bytes))
    }

    /// The ids of the signing keys in the file that are the database's, too.
    #[must_use]
    pub fn signing_ids(&self) -> Vec<i32> {
        self.state.load().usable.iter().map(|signer| signer.id).collect()
    }

    /// The public half of a signing key of the file.
    #[must_use]
    pub fn public_key_of(&self, id: i32) -> Option<DashboardPublicKey> {
        let state = self.state.load();
        state.signers.iter().find(|signer| signer.id == id).map(|signer| signer.public_key())
    }

    /// What is missing or wrong, each with what to do; empty when all is well.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let state = self.state.load();
        let mut problems: Vec<String> = state.unreadable.iter().cloned().collect();
        problems.extend(state.sealing().err().map(|trouble| trouble.to_string()));
        if let Some(ledger) = &state.ledger {
            problems.extend(state.missing_masters(ledger));
        }
        if state.usable.is_empty() {
            problems.push(KeyTrouble::SigningKeyMissing.to_string());
        } else if let Some(ledger) = &state.ledger {
            let live = ledger.signing.iter().filter(|entry| entry.live);
            let missing = live.filter(|entry| !state.usable.iter().any(|signer| signer.id == entry.id));
            problems.extend(missing.map(|entry| {
                format!("signing key {} is not in this dashboard's key file: copy the key file here from the host where it was made", entry.id)
            }));
        }
        problems
    }
}

impl State {
    /// Those that gateways are to trust, oldest first. Before the database has spoken: those of the file.
    pub(super) fn live_keys(&self) -> Vec<LiveKey> {
        match self.ledger.as_ref().filter(|ledger| !ledger.signing.is_empty()) {
            Some(ledger) => {
                ledger.signing.iter().filter(|entry| entry.live).map(|entry| LiveKey::new(entry.public_key)).collect()
            }
            None => self.signers.iter().map(|signer| LiveKey::new(signer.public_key())).collect(),
        }
    }

    /// Keys that open what is stored still, and are not here. (The one that seals is said apart.)
    fn missing_masters(&self, ledger: &Ledger) -> Vec<String> {
        use super::MasterState::{Announced, Replaced};
        let needed = ledger.masters.iter().filter(|entry| matches!(entry.state, Announced | Replaced));
        needed.filter_map(|entry| self.master(entry.id).err()).map(|trouble| trouble.to_string()).collect()
    }
}
