//! The stored verdict: the dashboard's signed answer as it came, so that a restart can judge it
//! again as if it had just arrived (product.md section 4).

use super::judge::{HttpOutcome, RawAnswer, Verdict, judge};
use super::silence::Mark;
use super::store::{CLOCK_FILE, StateDir, VERDICT_FILE};
use crate::clock::Reading;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use proxima_signing::{Expected, verify};
use proxima_types::identity::{DashboardPublicKey, GatewayIdentity};
use proxima_types::{InstallId, KeyDigest, LicenseKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The headers that a signature covers or consists of.
const KEPT_HEADERS: [&str; 6] = [
    "date",
    "content-digest",
    proxima_signing::KEY_DIGEST_HEADER,
    proxima_signing::SERVER_ID_HEADER,
    "signature-input",
    "signature",
];

/// `verdict.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredVerdict {
    /// That asked; the signature covers it.
    pub nonce: String,
    /// Of the HTTP answer.
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    /// Base64: the very bytes.
    pub body: String,
    /// Of the gateway that asked. Not signed: deters copying the directory to a second host.
    pub install_id: InstallId,
    pub received: Reading,
}

impl StoredVerdict {
    #[must_use]
    pub fn new(nonce: &str, answer: &RawAnswer, install_id: InstallId, received: Reading) -> Self {
        let text = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self {
            nonce: nonce.to_owned(),
            status: answer.status,
            headers: KEPT_HEADERS.iter().filter_map(|name| Some(((*name).to_owned(), text(name)?))).collect(),
            body: STANDARD.encode(&answer.body),
            install_id,
            received,
        }
    }

    /// Whether it says that it answers a heartbeat with this key.
    #[must_use]
    pub fn names(&self, key: KeyDigest) -> bool {
        self.headers.get(proxima_signing::KEY_DIGEST_HEADER).is_some_and(|named| *named == key.to_string())
    }

    /// The very bytes of the answer's body.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn body(&self) -> Result<Vec<u8>, String> {
        STANDARD.decode(&self.body).map_err(|_| "the stored verdict is damaged".to_owned())
    }

    /// Checks that one of `signing` signed this answer, for this server, whichever license key it was asked with.
    ///
    /// # Errors
    /// One sentence.
    pub fn verify_again(&self, identity: &GatewayIdentity, signing: &[DashboardPublicKey]) -> Result<(), String> {
        let damaged = || "the stored answer is damaged".to_owned();
        let digest = self.headers.get(proxima_signing::KEY_DIGEST_HEADER).ok_or_else(damaged)?;
        let key_digest = KeyDigest::parse(digest).ok_or_else(damaged)?;
        let expected = Expected { nonce: &self.nonce, key_digest, server_id: identity.server_id };
        verify(signing, expected, self.status, &self.header_map()?, &self.body()?).map_err(|error| error.to_string())
    }

    fn header_map(&self) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let name = HeaderName::try_from(name).map_err(|_| "the stored verdict is damaged".to_owned())?;
            let value = HeaderValue::try_from(value).map_err(|_| "the stored verdict is damaged".to_owned())?;
            headers.append(name, value);
        }
        Ok(headers)
    }

    /// Judges the stored answer again, for this identity as config.json holds it now, the one
    /// of `keys` that it was signed for, and these signing keys.
    ///
    /// # Errors
    /// One sentence when it is not this installation's, or damaged.
    pub fn judge_again<'k>(
        &self,
        identity: &GatewayIdentity,
        signing: &[DashboardPublicKey],
        keys: impl IntoIterator<Item = &'k LicenseKey>,
    ) -> Result<Verdict, String> {
        if self.install_id != identity.install_id {
            return Err("the stored verdict is another installation's".to_owned());
        }
        let body = self.body()?;
        let headers = self.header_map()?;
        let mut digests = keys.into_iter().map(LicenseKey::digest);
        let Some(key_digest) = digests.find(|digest| self.names(*digest)) else {
            return Err("the stored answer does not verify: it is for another license key".to_owned());
        };
        let expected = Expected { nonce: &self.nonce, key_digest, server_id: identity.server_id };
        let outcome = HttpOutcome::Answer(RawAnswer { status: self.status, headers, body });
        Ok(judge(&outcome, signing, expected))
    }

    pub fn save(&self, state: &StateDir) {
        state.save(VERDICT_FILE, self);
    }

    #[must_use]
    pub fn load(state: &StateDir) -> Option<Self> {
        state.load(VERDICT_FILE)
    }
}

/// `clock.json`: the mark of the verdict with this nonce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredMark {
    pub nonce: String,
    pub mark: Mark,
}

impl StoredMark {
    pub fn save(&self, state: &StateDir) {
        state.save(CLOCK_FILE, self);
    }

    /// The furthest mark known for `verdict`: a lost or older `clock.json` cannot give back more
    /// than what has passed since the verdict's own arrival.
    #[must_use]
    pub fn load(state: &StateDir, verdict: &StoredVerdict, now: &Reading) -> Mark {
        let arrival = Mark::fresh(verdict.received.clone()).advanced(now.clone());
        match state.load::<Self>(CLOCK_FILE).filter(|stored| stored.nonce == verdict.nonce) {
            Some(stored) => {
                let stored = stored.mark.advanced(now.clone());
                if stored.elapsed_ms > arrival.elapsed_ms { stored } else { arrival }
            }
            None => arrival,
        }
    }
}
