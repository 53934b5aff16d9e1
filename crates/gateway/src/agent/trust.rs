//! Which signing keys of the dashboard count: config.json's, or those that it has named since under one of them
//! (docs/heartbeat.md, "A new signing key").
//!
//! As with license keys ([`super::keys`]), config.json is not this program's to write: what was named is kept in the state
//! directory as the signed answers that named it. They form a chain that begins at config.json's keys; a re-install brings
//! the present keys and begins another.

use super::store::{StateDir, TRUST_FILE};
use super::stored::StoredVerdict;
use proxima_signing::key_id;
use proxima_types::heartbeat::MAX_TRUSTED_KEYS;
use proxima_types::identity::{DashboardPublicKey, GatewayIdentity};
use serde::{Deserialize, Serialize};

/// Namings that are kept: two for each rotation between two installations.
const MAX_LINKS: usize = 128;
/// The longest answer that is kept as it came, in bytes.
const MAX_BODY: usize = 16 * 1024;

/// `trust.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Namings {
    links: Vec<StoredVerdict>,
}

pub(super) struct Trust {
    current: Vec<DashboardPublicKey>,
    /// Every key that counted since config.json was written: what it signed then is still evidence of what was handed over.
    ever: Vec<DashboardPublicKey>,
    links: Vec<StoredVerdict>,
}

impl Trust {
    /// config.json's keys, followed by what was named since.
    pub(super) fn load(state: &StateDir, identity: &GatewayIdentity) -> Self {
        let config = identity.dashboard_public_keys.clone();
        let mut trust = Self { current: config.clone(), ever: config, links: Vec::new() };
        let stored: Namings = state.load(TRUST_FILE).unwrap_or_default();
        // Those of another installation began at another config.json.
        for link in stored.links.into_iter().filter(|link| link.install_id == identity.install_id) {
            let named = link.verify_again(identity, &trust.current).ok().and_then(|()| link.body().ok());
            let Some(Some(Ok(keys))) = named.map(|body| named_by(&body)) else {
                tracing::warn!("stored signing keys do not verify; ignored");
                break;
            };
            trust.adopt(keys);
            trust.links.push(link);
        }
        trust
    }

    /// Those whose signature counts now.
    pub(super) fn current(&self) -> &[DashboardPublicKey] {
        &self.current
    }

    /// Those whose signature counted at some time since config.json was written.
    pub(super) fn ever(&self) -> &[DashboardPublicKey] {
        &self.ever
    }

    /// As the dashboard is told.
    pub(super) fn ids(&self) -> Vec<String> {
        self.current.iter().take(MAX_TRUSTED_KEYS).map(|key| key_id(*key)).collect()
    }

    /// Takes the keys that `evidence`, an authentic answer, names in place of the present ones. They are on the disk before
    /// they count; true when they are others.
    ///
    /// # Errors
    /// Why not: one sentence. The dashboard names them again.
    pub(super) fn take(
        &mut self,
        keys: Vec<DashboardPublicKey>,
        evidence: StoredVerdict,
        identity: &GatewayIdentity,
        state: &StateDir,
    ) -> Result<bool, String> {
        if same(&keys, &self.current) {
            return Ok(false);
        }
        // Whoever signed it goes on to count: an answer never cuts the gateway off from its own sender.
        evidence.verify_again(identity, &keys).map_err(|_| "they leave out the key that signed them".to_owned())?;
        if evidence.body.len() > MAX_BODY / 3 * 4 {
            return Err(format!("the answer that names them is longer than {MAX_BODY} bytes"));
        }
        if self.links.len() >= MAX_LINKS {
            return Err(format!(
                "signing keys were named {MAX_LINKS} times since the last installation; install again"
            ));
        }
        let stored = Namings { links: self.links.iter().cloned().chain([evidence]).collect() };
        state.try_save(TRUST_FILE, &stored).map_err(|error| format!("they cannot be stored: {error:#}"))?;
        self.links = stored.links;
        self.adopt(keys);
        Ok(true)
    }

    fn adopt(&mut self, keys: Vec<DashboardPublicKey>) {
        for key in &keys {
            if !self.ever.contains(key) {
                self.ever.push(*key);
            }
        }
        self.current = keys;
    }
}

fn same(a: &[DashboardPublicKey], b: &[DashboardPublicKey]) -> bool {
    a.len() == b.len() && a.iter().all(|key| b.contains(key))
}

/// The `dashboardPublicKeys` of an authentic 200's body, if there are any. Malformed ones cost no verdict.
///
/// # Errors
/// One sentence.
pub(super) fn named_by(body: &[u8]) -> Option<Result<Vec<DashboardPublicKey>, String>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named {
        dashboard_public_keys: Option<serde_json::Value>,
    }
    let named: Named = serde_json::from_slice(body).ok()?;
    let keys = named.dashboard_public_keys?;
    let keys: Result<Vec<DashboardPublicKey>, _> = serde_json::from_value(keys);
    Some(match keys {
        Ok(keys) if keys.is_empty() => Err("dashboardPublicKeys is empty".to_owned()),
        Ok(keys) if keys.len() > MAX_TRUSTED_KEYS => Err(format!("more than {MAX_TRUSTED_KEYS} dashboardPublicKeys")),
        Ok(keys) => Ok(keys),
        Err(error) => Err(format!("dashboardPublicKeys: {error}")),
    })
}

#[cfg(test)]
mod tests;
