//! The use cases: what the product does, with who may do it. No HTTP in here.

pub mod actor;
pub mod anchor;
pub mod audit;
pub mod audit_chain;
pub mod audit_export;
pub mod audit_retention;
pub mod certificates;
pub mod connections;
pub mod error;
pub mod factors;
pub mod gateway_config;
pub mod heartbeats;
pub mod install_tokens;
pub mod jobs;
pub mod keys;
pub mod licenses;
pub mod management;
pub mod notifications;
pub mod passwords;
pub mod refusals;
pub mod servers;
pub mod sessions;
pub mod settings;
pub mod signed;
mod throttle;
pub mod users;

pub use actor::{Actor, AdminActor, Proven};
pub use error::{AppError, AppResult};

use crate::config::AppConfig;
use crate::entropy::Entropy;
use crate::keyring::Keyring;
use passwords::PasswordHasher;
use proxima_db::{PgPool, Tx};
use sqlx::postgres::types::PgInterval;
use std::sync::{Arc, OnceLock};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Everything a use case needs. One per process.
pub struct App {
    pub db: PgPool,
    pub keyring: Arc<Keyring>,
    /// What this dashboard knows of its database.
    pub anchor: Arc<anchor::Anchor>,
    /// Refused privileged acts of the last minute.
    pub refusals: refusals::Refusals,
    pub entropy: Arc<dyn Entropy>,
    pub passwords: PasswordHasher,
    pub heartbeats: heartbeats::HeartbeatQueue,
    pub attempts: connections::Attempts,
    /// Wakes this dashboard's runner when a job is queued here; others look every second.
    pub job_queued: Notify,
    /// Heartbeats to ask for after a change; `jobs::nudges` sends them.
    pub nudges: management::Nudges,
    /// What boxes that install themselves download.
    pub programs: install_tokens::Programs,
    /// Whom passkeys are made for, or why there are none here.
    pub passkeys: Result<factors::RelyingParty, String>,
    /// A stop was asked for: `/readyz` says so, and clients look for another dashboard.
    pub leaving: CancellationToken,
    /// Sends webhooks and e-mail: `jobs::notifications`.
    pub notifier: notifications::Notifier,
    /// What this process answers TLS with; nothing where it does not.
    pub certificate_shown: OnceLock<Box<dyn Fn() -> certificates::Shown + Send + Sync>>,
    pub config: AppConfig,
}

impl App {
    /// Starts the heartbeat workers too, so it needs a running Tokio runtime.
    ///
    /// # Errors
    /// When bcrypt refuses the configured cost.
    pub fn new(
        db: PgPool,
        keyring: Keyring,
        entropy: Arc<dyn Entropy>,
        config: AppConfig,
    ) -> anyhow::Result<Arc<Self>> {
        let passwords = PasswordHasher::new(config.bcrypt_cost)?;
        let keyring = Arc::new(keyring);
        let anchor = Arc::new(anchor::Anchor::load(config.anchor_folder.as_deref(), Arc::clone(&keyring)));
        let heartbeats = heartbeats::HeartbeatQueue::start(&db, &anchor);
        let (attempts, job_queued) = (connections::Attempts::default(), Notify::new());
        let nudges = management::Nudges::default();
        let programs = install_tokens::Programs::default();
        let passkeys = factors::RelyingParty::of(&config);
        Ok(Arc::new(Self {
            db,
            keyring,
            anchor,
            refusals: refusals::Refusals::default(),
            entropy,
            passwords,
            heartbeats,
            attempts,
            job_queued,
            nudges,
            programs,
            passkeys,
            leaving: CancellationToken::new(),
            notifier: notifications::Notifier::default(),
            certificate_shown: OnceLock::new(),
            config,
        }))
    }

    pub(crate) async fn begin(&self) -> AppResult<Tx> {
        Ok(self.db.begin().await.map_err(proxima_db::DbError::from)?)
    }

    pub(crate) fn heartbeat_interval(&self) -> PgInterval {
        proxima_db::servers::interval(self.config.heartbeat_interval)
    }
}

/// Ends a transaction well.
pub(crate) async fn commit(tx: Tx) -> AppResult<()> {
    Ok(tx.commit().await.map_err(proxima_db::DbError::from)?)
}
