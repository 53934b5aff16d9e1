//! Visitors' ports: opens, moves and closes them at runtime. A new configuration's ports are all
//! bound before anything changes; a port that stays keeps its connections (invariant 2).

mod accept;
mod socket;
mod workers;

use crate::metrics::Metrics;
use crate::upstream::Backend;
use arc_swap::ArcSwap;
use proxima_types::{BackendUrl, GatewayConfig};
pub use socket::BindError;
pub(crate) use socket::open as open_port;
use std::collections::BTreeMap;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use workers::Opening;
pub use workers::Workers;

/// How ports are opened, the same for every one.
#[derive(Debug, Clone)]
pub struct ListenSettings {
    /// `None`: every address.
    pub address: Option<IpAddr>,
    pub max_connections: usize,
    /// For the requests in flight of a removed port.
    pub drain: Duration,
}

/// The open ports.
pub struct Listeners {
    settings: ListenSettings,
    metrics: Arc<Metrics>,
    slots: Arc<Semaphore>,
    workers: Arc<Workers>,
    /// Everything that a drain waits for.
    tasks: TaskTracker,
    stop: CancellationToken,
    kill: CancellationToken,
    open: BTreeMap<u16, Open>,
}

struct Open {
    backend: Arc<ArcSwap<Backend>>,
    closing: CancellationToken,
    kill: CancellationToken,
    /// The workers' ends of the socket.
    sockets: TaskTracker,
}

impl Listeners {
    /// `stop` closes all ports and drains, `kill` ends what is left.
    #[must_use]
    pub fn new(
        settings: ListenSettings,
        metrics: Arc<Metrics>,
        workers: Arc<Workers>,
        tasks: TaskTracker,
        (stop, kill): (CancellationToken, CancellationToken),
    ) -> Self {
        let slots = Arc::new(Semaphore::new(settings.max_connections));
        Self { settings, metrics, slots, workers, tasks, stop, kill, open: BTreeMap::new() }
    }

    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        self.open.keys().copied().collect()
    }

    /// Makes `config` the one in force, or changes nothing.
    ///
    /// # Errors
    /// Every port that could not be opened.
    pub async fn apply(&mut self, config: &GatewayConfig) -> Result<(), Vec<BindError>> {
        let (bound, failed) = self.bind_missing(config);
        if !failed.is_empty() {
            return Err(failed);
        }
        self.switch(config, bound).await;
        Ok(())
    }

    /// Makes as much of `config` the one in force as can be: for the configuration that was
    /// already served before a restart, of which a part is better than nothing. Returns the ports
    /// that could not be opened.
    pub async fn apply_possible(&mut self, config: &GatewayConfig) -> Vec<BindError> {
        let (bound, failed) = self.bind_missing(config);
        self.switch(config, bound).await;
        failed
    }

    fn bind_missing(&self, config: &GatewayConfig) -> (Vec<(u16, TcpListener)>, Vec<BindError>) {
        let (mut bound, mut failed) = (Vec::new(), Vec::new());
        for listener in &config.listeners {
            if self.open.contains_key(&listener.port) {
                continue;
            }
            match socket::open(self.settings.address, listener.port) {
                Ok(socket) => bound.push((listener.port, socket)),
                Err(error) => failed.push(error),
            }
        }
        (bound, failed)
    }

    async fn switch(&mut self, config: &GatewayConfig, bound: Vec<(u16, TcpListener)>) {
        let backends: BTreeMap<u16, &BackendUrl> =
            config.listeners.iter().map(|listener| (listener.port, &listener.backend_url)).collect();
        for (port, socket) in bound {
            if let Some(backend) = backends.get(&port) {
                self.serve(port, &socket, (*backend).clone());
            }
        }
        for (port, open) in &self.open {
            if let Some(backend) = backends.get(port)
                && open.backend.load().url != **backend
            {
                open.backend.store(Arc::new(Backend::new((*backend).clone())));
            }
        }
        let removed: Vec<u16> = self.open.keys().filter(|port| !backends.contains_key(port)).copied().collect();
        for port in removed {
            self.close(port).await;
        }
        self.metrics.open_ports.set(self.open.len() as u64);
    }

    fn serve(&mut self, port: u16, socket: &TcpListener, backend: BackendUrl) {
        let backend = Arc::new(ArcSwap::from_pointee(Backend::new(backend)));
        let (closing, kill) = (self.stop.child_token(), self.kill.child_token());
        let sockets = TaskTracker::new();
        let shared = self.workers.open(socket, |socket| Opening {
            number: port,
            socket,
            backend: Arc::clone(&backend),
            slots: Arc::clone(&self.slots),
            closing: closing.clone(),
            kill: kill.clone(),
            tasks: self.tasks.clone(),
            open: sockets.token(),
        });
        if let Err(error) = shared {
            tracing::error!(port, error = error.to_string(), "the port cannot be served");
            return;
        }
        sockets.close();
        self.open.insert(port, Open { backend, closing, kill, sockets });
        tracing::info!(port, "port opened");
    }

    /// Returns once the port is free; its connections drain for up to [`ListenSettings::drain`].
    async fn close(&mut self, port: u16) {
        let Some(open) = self.open.remove(&port) else { return };
        open.closing.cancel();
        open.sockets.wait().await;
        let drain = self.settings.drain;
        tokio::spawn(async move {
            tokio::time::sleep(drain).await;
            open.kill.cancel();
        });
        tracing::info!(port, "port closed");
    }
}
