//! The management API on `:6060`: the dashboard asks for the status, for a heartbeat now, for a
//! drain. It has a thread and a runtime of its own and limits in every direction, so that visitors
//! and the dashboard cannot starve each other; nothing depends on it (invariant 2).
//!
//! Rooms: [`server`] (port, TLS, connections), [`gate`] (who and how often), [`secret`], [`api`]
//! (requests), [`desk`] (where it meets the agent), [`certificate`].

mod api;
mod certificate;
mod command;
pub mod desk;
mod gate;
mod openapi;
mod problem;
mod secret;
mod server;

use crate::metrics::Metrics;
use api::Api;
pub use command::run as fingerprint;
use desk::Desk;
use gate::Gate;
pub use openapi::document as openapi_document;
use proxima_types::identity::GatewayIdentity;
use secret::Secret;
use server::Server;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// `--management-listen`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManagementListen {
    Off,
    /// `[::]` is every IPv6 and IPv4 address, or every IPv4 address of a host without IPv6.
    At(SocketAddr),
}

impl FromStr for ManagementListen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse().map(Self::At).map_err(|_| "expected ADDRESS:PORT, such as [::]:6060, or off".to_owned())
    }
}

pub struct ManagementSettings {
    pub address: SocketAddr,
    /// Where the certificate is kept.
    pub state_dir: PathBuf,
}

/// The running API. Dropping it changes nothing.
pub struct Management {
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
    /// Resolves when a drain is asked for, with its time.
    pub drain: oneshot::Receiver<Duration>,
}

impl Management {
    /// Starts the thread; what goes wrong is logged and shown, never an error.
    #[must_use]
    pub fn start(
        settings: ManagementSettings,
        identity: &GatewayIdentity,
        desk: Arc<Desk>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (asked, drain) = oneshot::channel();
        let stop = CancellationToken::new();
        let api = Api {
            secret: Secret::new(&identity.api_secret),
            desk,
            metrics,
            drain: Mutex::new(Some(asked)),
            warned: Mutex::default(),
        };
        let server = Server {
            settings,
            gate: Gate::new(identity.management_allow.clone(), Instant::now()),
            api: Arc::new(api),
            stop: stop.clone(),
        };
        let started = std::thread::Builder::new().name("management".to_owned()).spawn(move || live(server));
        if let Err(error) = &started {
            tracing::error!(error = error.to_string(), "the management API's thread cannot be started");
        }
        Self { stop, thread: started.ok(), drain }
    }

    /// Ends it: answers under way have a second.
    pub fn end(self) {
        self.stop.cancel();
        if let Some(thread) = self.thread {
            let _ = thread.join();
        }
    }
}

fn live(server: Server) {
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(server.live()),
        Err(error) => tracing::error!(error = error.to_string(), "the management API's runtime cannot be started"),
    }
}
