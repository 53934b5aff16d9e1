//! Which configuration is in force, which was refused, and what still waits for a port
//! (invariant 2: refused whole, with the reason; the last good one stays, also across restarts).

use super::judge::OfferedConfig;
use super::store::{CONFIG_FILE, StateDir};
use crate::listen::{Listeners, PortError};
use proxima_types::heartbeat::RejectedConfig;
use proxima_types::identity::GatewayIdentity;
use proxima_types::{ConfigGeneration, GatewayConfig, ServerId};
use serde::{Deserialize, Serialize};

/// The longest reason that a heartbeat carries, in characters.
const MAX_REASON: usize = 1000;

/// `config.json` of the state directory: the configuration in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppliedConfig {
    /// Another server's configuration is not ours, even in our directory.
    pub server_id: ServerId,
    pub generation: ConfigGeneration,
    pub config: GatewayConfig,
}

/// What is known of configurations.
#[derive(Debug, Default)]
pub struct Configs {
    applied: Option<AppliedConfig>,
    rejected: Option<RejectedConfig>,
    /// Refused for its ports alone: tried again until a newer one comes.
    waiting: Option<AppliedConfig>,
    /// Ports of the configuration in force that could not be opened again after a restart.
    closed: Vec<PortError>,
    embedded: Option<GatewayConfig>,
}

impl Configs {
    /// Reads the stored configuration.
    #[must_use]
    pub fn load(state: &StateDir, identity: &GatewayIdentity) -> Self {
        let stored: Option<AppliedConfig> = state.load(CONFIG_FILE);
        let applied = stored.filter(|stored| stored.server_id == identity.server_id).filter(|stored| {
            let valid = stored.config.validate();
            if let Err(errors) = &valid {
                tracing::warn!(errors = errors.to_string(), "the stored configuration is not valid; ignored");
            }
            valid.is_ok()
        });
        Self { applied, embedded: identity.config.clone(), ..Self::default() }
    }

    #[must_use]
    pub fn applied(&self) -> Option<ConfigGeneration> {
        self.applied.as_ref().map(|applied| applied.generation)
    }

    #[must_use]
    pub fn rejected(&self) -> Option<&RejectedConfig> {
        self.rejected.as_ref()
    }

    /// Ports of the configuration in force that are not open, each with its reason.
    #[must_use]
    pub fn closed_ports(&self) -> Vec<String> {
        self.closed.iter().map(ToString::to_string).collect()
    }

    /// Whether a configuration that names ports is in force.
    #[must_use]
    pub fn wants_ports(&self) -> bool {
        self.in_force().is_some_and(|config| !config.listeners.is_empty())
    }

    fn in_force(&self) -> Option<&GatewayConfig> {
        self.applied.as_ref().map(|applied| &applied.config).or(self.embedded.as_ref())
    }

    /// Opens what was served before: as much of it as can be.
    pub async fn open(&mut self, listeners: &mut Listeners) {
        if let Some(config) = self.in_force().cloned() {
            let closed = listeners.apply_possible(&config).await;
            self.note_closed(closed);
        }
    }

    /// Takes a desired configuration; true when there is news for the dashboard.
    pub async fn offer(
        &mut self,
        offered: OfferedConfig,
        server_id: ServerId,
        listeners: &mut Listeners,
        state: &StateDir,
    ) -> bool {
        let generation = offered.generation;
        if self.applied().is_some_and(|applied| generation <= applied) {
            tracing::debug!(%generation, "an older or the present configuration ignored");
            return false;
        }
        let checked = offered.config.and_then(|config| match config.validate() {
            Ok(()) => Ok(config),
            Err(errors) => Err(errors.to_string()),
        });
        match checked {
            Ok(config) => {
                let desired = AppliedConfig { server_id, generation, config };
                self.try_apply(desired, listeners, state).await
            }
            Err(reason) => {
                self.waiting = None;
                self.reject(generation, &reason)
            }
        }
    }

    /// Tries again what waits for a port; true when there is news for the dashboard.
    pub async fn retry(&mut self, listeners: &mut Listeners, state: &StateDir) -> bool {
        let mut news = false;
        if let Some(config) = self.in_force() {
            listeners.follow_certificates(config);
        }
        if let Some(desired) = self.waiting.clone() {
            news = self.try_apply(desired, listeners, state).await;
        }
        if !self.closed.is_empty()
            && let Some(config) = self.in_force().cloned()
        {
            let closed = listeners.apply_possible(&config).await;
            news |= self.note_closed(closed);
        }
        news
    }

    async fn try_apply(&mut self, desired: AppliedConfig, listeners: &mut Listeners, state: &StateDir) -> bool {
        match listeners.apply(&desired.config).await {
            Ok(()) => {
                tracing::info!(generation = %desired.generation, ports = ?listeners.ports(), "configuration applied");
                state.save(CONFIG_FILE, &desired);
                self.applied = Some(desired);
                (self.waiting, self.rejected) = (None, None);
                self.closed.clear();
                true
            }
            Err(errors) => {
                let generation = desired.generation;
                self.waiting = Some(desired);
                self.reject(generation, &sentences(&errors))
            }
        }
    }

    fn reject(&mut self, generation: ConfigGeneration, reason: &str) -> bool {
        let rejected = RejectedConfig { generation, reason: reason.chars().take(MAX_REASON).collect() };
        if self.rejected.as_ref() == Some(&rejected) {
            return false;
        }
        tracing::warn!(%generation, reason, "configuration rejected; the last good one stays");
        self.rejected = Some(rejected);
        true
    }

    /// Remembers which ports of the configuration in force are not open; true when that changed.
    fn note_closed(&mut self, closed: Vec<PortError>) -> bool {
        if self.closed == closed {
            return false;
        }
        for problem in &closed {
            tracing::warn!("{problem} Trying again.");
        }
        self.closed = closed;
        let newer = |rejected: &RejectedConfig| Some(rejected.generation) > self.applied();
        if self.rejected.as_ref().is_some_and(newer) {
            return true;
        }
        self.rejected = self.applied().filter(|_| !self.closed.is_empty()).map(|generation| RejectedConfig {
            generation,
            reason: sentences(&self.closed).chars().take(MAX_REASON).collect(),
        });
        true
    }
}

fn sentences(errors: &[PortError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
