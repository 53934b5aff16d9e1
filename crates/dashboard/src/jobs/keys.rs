//! Keeps this dashboard's keys those of the database and of the key file, and tells the other dashboards which it holds.

use crate::app::{App, AppResult, keys};
use crate::entropy::EntropyExt as _;
use proxima_db::DbError;
use proxima_db::keys::Presence;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use uuid::Uuid;

/// How soon a changed key file, or a rotation begun elsewhere, is noticed. SIGHUP does it at once.
const EVERY: Duration = Duration::from_secs(2);

/// A running dashboard, as the others see it.
pub struct Keeper {
    app: Arc<App>,
    instance: Uuid,
    hostname: String,
    /// As logged last.
    problems: Vec<String>,
}

impl Keeper {
    #[must_use]
    pub fn new(app: Arc<App>) -> Self {
        let instance = app.entropy.uuid();
        let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned();
        Self { app, instance, hostname, problems: Vec::new() }
    }

    /// One round: the file, the ledger, the row of this dashboard.
    ///
    /// # Errors
    /// When the database is not to be had.
    pub async fn round(&mut self) -> AppResult<()> {
        let keyring = &self.app.keyring;
        keys::refresh(&self.app).await?;
        let problems = keyring.problems();
        let mut connection = self.app.db.acquire().await.map_err(DbError::from)?;
        let presence = Presence {
            instance: self.instance,
            hostname: &self.hostname,
            version: env!("CARGO_PKG_VERSION"),
            master_key_ids: &keyring.master_ids(),
            signing_key_ids: &keyring.signing_ids(),
            sealing_key_id: keyring.sealing_key().ok(),
            problems: &problems,
        };
        proxima_db::keys::show(&mut connection, &presence).await?;
        self.log(problems);
        Ok(())
    }

    /// Says what is new, once.
    fn log(&mut self, problems: Vec<String>) {
        for problem in problems.iter().filter(|problem| !self.problems.contains(problem)) {
            tracing::error!(problem, "the keys are not complete: what needs them is refused");
        }
        if problems.is_empty() && !self.problems.is_empty() {
            tracing::info!("the keys are complete again");
        }
        metrics::gauge!("proxima_key_problems").set(f64::from(u32::try_from(problems.len()).unwrap_or(u32::MAX)));
        self.problems = problems;
    }

    /// Rounds until the process ends. A failed one is logged and tried again.
    pub async fn run(mut self) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut hang_ups = signal(SignalKind::hangup()).ok();
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                Some(()) = async { hang_ups.as_mut()?.recv().await } => tracing::info!("SIGHUP: reading the key file"),
            }
            if let Err(error) = self.round().await {
                tracing::warn!(error = ?anyhow::Error::from(error), "the keys could not be looked after; trying again");
            }
        }
    }

    /// What a dashboard does when it stops, in order: the others need not wait for it.
    pub fn farewell(&self) -> impl Future<Output = ()> + use<> {
        let (app, instance) = (Arc::clone(&self.app), self.instance);
        async move {
            let _ = proxima_db::keys::leave(&app.db, instance).await;
        }
    }
}
