//! What the agent says of itself: to the log once per change (and now and then while a silence
//! lasts), to `status.json`.

use super::judge::{Silence, Terms};
use super::{Agent, store};
use crate::clock::Reading;
use crate::metrics::Metrics;
use crate::status::{ProcessMark, Status, process};
use chrono::{DateTime, Utc};
use proxima_types::LicenseStatus;
use proxima_types::identity::GatewayIdentity;
use proxima_types::manage::ManagementStatus;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// How often `status.json` is written when nothing changes.
const STATUS_EVERY: Duration = Duration::from_secs(10);
/// How often a lasting silence is logged again.
const WARN_EVERY: Duration = Duration::from_secs(600);

/// The part of an answer that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard {
    license: LicenseStatus,
    grace_expires_at: Option<DateTime<Utc>>,
}

impl Heard {
    pub(super) fn of(terms: &Terms) -> Self {
        Self { license: terms.status, grace_expires_at: terms.grace_expires_at }
    }

    pub(super) fn expired() -> Self {
        Self { license: LicenseStatus::Expired, grace_expires_at: None }
    }
}

pub(super) struct Reporter {
    metrics: Arc<Metrics>,
    boot_id: Uuid,
    process: ProcessMark,
    started_at: DateTime<Utc>,
    dashboard_url: String,
    heard: Option<Heard>,
    answered_at: Option<DateTime<Utc>>,
    silence: Option<String>,
    warned: Option<Instant>,
    written: Option<Instant>,
    /// As written last.
    management: Arc<Option<ManagementStatus>>,
}

impl Reporter {
    pub(super) fn new(identity: &GatewayIdentity, boot_id: Uuid, now: &Reading, metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            boot_id,
            process: process::this_process(),
            started_at: now.wall,
            dashboard_url: identity.dashboard_url.to_string(),
            heard: None,
            answered_at: None,
            silence: None,
            warned: None,
            written: None,
            management: Arc::default(),
        }
    }

    /// A signed answer came at `now`.
    pub(super) fn answered(&mut self, heard: Heard, now: DateTime<Utc>) {
        if self.silence.take().is_some() {
            tracing::info!("the dashboard answers again");
        }
        if self.heard != Some(heard) {
            let until = heard.grace_expires_at.map(|end| end.to_rfc3339());
            tracing::info!(license = %heard.license, until, "license");
        }
        (self.heard, self.answered_at, self.warned) = (Some(heard), Some(now), None);
    }

    /// A stored answer is served from.
    pub(super) fn stored(&mut self, heard: Heard, _now: DateTime<Utc>) {
        self.heard = Some(heard);
        self.warned = None;
    }

    /// A heartbeat brought no verdict.
    pub(super) fn silent(&mut self, why: &Silence, serving: bool, failures: u32) {
        let why = why.to_string();
        let changed = self.silence.is_none();
        let due = self.warned.is_none_or(|warned| warned.elapsed() >= WARN_EVERY);
        if changed || due {
            self.warned = Some(Instant::now());
            let then = if serving { "service continues" } else { "ports stay closed" };
            tracing::warn!(why, failures, "the dashboard is silent; {then}");
        } else if self.silence.as_ref() != Some(&why) {
            tracing::debug!(why, failures, "the dashboard is silent");
        }
        self.silence = Some(why);
    }

    /// Why the last heartbeat was no verdict.
    pub(super) fn silence(&self) -> Option<String> {
        self.silence.clone()
    }

    /// Whether the management API has changed since the status was written.
    pub(super) fn is_stale(&self, management: &Option<ManagementStatus>) -> bool {
        *self.management != *management
    }

    pub(super) fn is_due(&self) -> bool {
        self.written.is_none_or(|written| written.elapsed() >= STATUS_EVERY)
    }
}

impl Agent {
    pub(super) fn write_status(&mut self) {
        self.reporter.written = Some(Instant::now());
        self.reporter.management = self.desk.management();
        let status = self.status(None);
        self.state.save(store::STATUS_FILE, &status);
        self.desk.publish(status);
    }

    pub(super) fn status(&self, stopped: Option<String>) -> Status {
        let reporter = &self.reporter;
        let now = self.clock.read();
        let left = self.silence.as_ref().and_then(|(_, clock)| clock.remaining(&now));
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            process: reporter.process.clone(),
            boot_id: reporter.boot_id,
            server_id: self.identity.server_id,
            dashboard_url: reporter.dashboard_url.clone(),
            started_at: reporter.started_at,
            written_at: now.wall,
            phase: self.phase(),
            open_ports: self.listeners.ports(),
            closed_ports: self.configs.closed_ports(),
            license: reporter.heard.map(|heard| heard.license),
            grace_expires_at: reporter.heard.and_then(|heard| heard.grace_expires_at),
            answered_at: reporter.answered_at,
            silence: reporter.silence.clone(),
            silence_left_seconds: left.map(|left| left.as_secs()),
            applied_config: self.configs.applied(),
            rejected_config: self.configs.rejected().cloned(),
            counters: reporter.metrics.counters(),
            license_key: Some(self.keys.status()),
            management: (*reporter.management).clone(),
            stopped,
        }
    }
}
