//! Which license key the heartbeats carry: config.json's, or one that the dashboard has handed over
//! since (product.md section 3, "Rotate without downtime").
//!
//! config.json is not this program's to write, so a hand-over is kept in the state directory, as the
//! signed answer that brought it. The answer's signature names the key that was asked with, so the
//! answers form a chain that begins at config.json's key. As soon as config.json holds a key at
//! which no kept answer begins (a re-install, a regenerate), config.json wins. The file is left
//! as it is then: an installation that is rolled back finds its chain again.

use super::judge::{Silence, StopReason, Verdict};
use super::store::{HANDOVER_FILE, StateDir};
use super::stored::StoredVerdict;
use proxima_types::LicenseKey;
use proxima_types::identity::{DashboardPublicKey, GatewayIdentity};
use proxima_types::manage::LicenseKeyStatus;
use proxima_types::secrets::masked_key;
use serde::{Deserialize, Serialize};

/// Hand-overs that are kept, and so the rotations between two installations.
const MAX_LINKS: usize = 256;
/// The longest answer that hands over a key, in bytes: it is kept as it came.
const MAX_BODY: usize = 16 * 1024;

/// `handover.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Handovers {
    /// Each handed over the key that the next one was asked with.
    links: Vec<StoredVerdict>,
}

pub(super) struct Keys {
    current: LicenseKey,
    /// The one that `current` was handed over to.
    previous: Option<LicenseKey>,
    /// From config.json's key to `current`.
    links: Vec<StoredVerdict>,
    /// The dashboard has answered `current` with a verdict to serve, or that the license is EXPIRED.
    answered: bool,
    /// The dashboard has said so.
    previous_retired: bool,
}

/// What became of a key in an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is stored, and the next heartbeat carries it.
    New,
    /// It is the one in use already.
    Known,
}

impl Keys {
    /// config.json's key, followed by what was handed over to it; `signing` are all keys that may have signed that.
    pub(super) fn load(state: &StateDir, identity: &GatewayIdentity, signing: &[DashboardPublicKey]) -> Self {
        let mut keys = Self {
            current: identity.api_key.clone(),
            previous: None,
            links: Vec::new(),
            answered: false,
            previous_retired: false,
        };
        let stored: Handovers = state.load(HANDOVER_FILE).unwrap_or_default();
        let config_key = keys.current.digest();
        for link in stored.links.into_iter().skip_while(|link| !link.names(config_key)) {
            let Some(next) = handed_over_by(&link, identity, signing, &keys.current) else {
                tracing::warn!("a stored hand-over of a license key does not verify; ignored");
                break;
            };
            keys.previous = Some(std::mem::replace(&mut keys.current, next));
            keys.links.push(link);
        }
        keys.answered = StoredVerdict::load(state)
            .and_then(|verdict| verdict.judge_again(identity, signing, [&keys.current]).ok())
            .is_some_and(|verdict| matches!(verdict, Verdict::Serve(_) | Verdict::Stop(StopReason::Expired)));
        keys
    }

    pub(super) fn current(&self) -> &LicenseKey {
        &self.current
    }

    /// Those that a stored verdict may be signed for.
    pub(super) fn both(&self) -> impl Iterator<Item = &LicenseKey> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// The key to ask with once more, in the same heartbeat, after `verdict` on the current one.
    ///
    /// Until the dashboard has answered a handed-over key, anything but a verdict to serve or
    /// EXPIRED is a reason: the dashboard may not know the key (yet, or any more). Afterwards only its own
    /// word that it does not know that key: its database may be an older one.
    pub(super) fn fallback(&self, verdict: &Verdict) -> Option<LicenseKey> {
        let due = match verdict {
            Verdict::Serve(_) | Verdict::Stop(StopReason::Expired | StopReason::SilenceLimit) => false,
            Verdict::Stop(StopReason::KeyRetired { .. }) => !self.answered,
            // Signed, but for no server: a key that is not known belongs to none.
            Verdict::Silence(Silence::NoVerdict { status: 401 } | Silence::NotAuthentic { status: 401, .. }) => true,
            Verdict::Silence(_) => !self.answered,
        };
        self.previous.clone().filter(|_| due && !self.previous_retired)
    }

    /// The dashboard has answered this key with a verdict to serve, or EXPIRED.
    pub(super) fn answered(&mut self, key: &LicenseKey) {
        if *key != self.current {
            tracing::debug!("the dashboard does not answer the new license key; the one before does");
        } else if !std::mem::replace(&mut self.answered, true) && !self.links.is_empty() {
            tracing::info!(key = masked_key(self.current.last4()), "the new license key is in use");
        }
    }

    /// The dashboard has retired the previous key. While there is a newer one this is no end.
    pub(super) fn previous_is_retired(&mut self) {
        self.previous_retired = true;
    }

    /// Takes `next`, which `evidence` (an authentic answer to a heartbeat with `asked`) hands over.
    /// It is on the disk before anybody uses it.
    ///
    /// # Errors
    /// Why not: one sentence. The dashboard hands it over again.
    pub(super) fn take(
        &mut self,
        asked: &LicenseKey,
        next: LicenseKey,
        evidence: StoredVerdict,
        state: &StateDir,
    ) -> Result<Taken, String> {
        if next == self.current || next == *asked {
            return Ok(Taken::Known);
        }
        if evidence.body.len() > MAX_BODY / 3 * 4 {
            return Err(format!("the answer that hands it over is longer than {MAX_BODY} bytes"));
        }
        // An answer to the previous key replaces the hand-over that the dashboard does not know.
        let kept = if *asked == self.current { self.links.len() } else { self.links.len().saturating_sub(1) };
        if kept >= MAX_LINKS {
            return Err(format!("{MAX_LINKS} keys were handed over since the last installation; install again"));
        }
        let links: Vec<_> = self.links.iter().take(kept).cloned().chain([evidence]).collect();
        let stored = Handovers { links };
        state.try_save(HANDOVER_FILE, &stored).map_err(|error| format!("it cannot be stored: {error:#}"))?;
        (self.links, self.previous, self.current) = (stored.links, Some(asked.clone()), next);
        (self.answered, self.previous_retired) = (false, false);
        Ok(Taken::New)
    }

    pub(super) fn status(&self) -> LicenseKeyStatus {
        LicenseKeyStatus {
            masked: masked_key(self.current.last4()),
            handed_over: !self.links.is_empty(),
            answered: self.answered,
        }
    }
}

/// The key that a stored answer to `asked` hands over, when the answer verifies again.
fn handed_over_by(
    link: &StoredVerdict,
    identity: &GatewayIdentity,
    signing: &[DashboardPublicKey],
    asked: &LicenseKey,
) -> Option<LicenseKey> {
    match link.judge_again(identity, signing, [asked]).ok()? {
        Verdict::Serve(_) | Verdict::Stop(StopReason::Expired) => offered(&link.body().ok()?)?.ok(),
        Verdict::Stop(_) | Verdict::Silence(_) => None,
    }
}

/// The `nextApiKey` of an authentic 200's body, if there is one. A malformed one costs no verdict.
///
/// # Errors
/// One sentence, which does not repeat it.
pub(super) fn offered(body: &[u8]) -> Option<Result<LicenseKey, String>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Offer {
        next_api_key: Option<serde_json::Value>,
    }
    let offer: Offer = serde_json::from_slice(body).ok()?;
    let key = offer.next_api_key?;
    let malformed = || "nextApiKey is no license key".to_owned();
    Some(key.as_str().ok_or_else(malformed).and_then(|key| LicenseKey::parse(key).map_err(|_| malformed())))
}

#[cfg(test)]
mod tests;
