//! Visitors' ports: opens, moves and closes them at runtime. A new configuration's ports are all
//! bound before anything changes; a port that stays keeps its connections (invariant 2).

mod accept;
mod guard;
mod socket;
mod state;
mod visitor_io;

use crate::proxy::ProxyContext;
use crate::upstream::{BackendTimings, Upstream};
use accept::Port;
use arc_swap::ArcSwap;
use proxima_types::{BackendUrl, GatewayConfig};
pub use socket::BindError;
pub(crate) use socket::open as open_port;
pub use state::ConnState;
use std::collections::BTreeMap;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
pub use visitor_io::VisitorTimings;

/// How visitors are served, the same on every port.
#[derive(Debug, Clone)]
pub struct ListenSettings {
    /// `None`: every address.
    pub address: Option<IpAddr>,
    pub max_connections: usize,
    /// For the requests in flight of a removed port.
    pub drain: Duration,
    pub visitor: VisitorTimings,
    pub backend: BackendTimings,
}

/// The open ports.
pub struct Listeners {
    settings: ListenSettings,
    context: Arc<ProxyContext>,
    slots: Arc<Semaphore>,
    /// Where connections are served.
    runtime: Handle,
    stop: CancellationToken,
    kill: CancellationToken,
    open: BTreeMap<u16, Open>,
}

struct Open {
    upstream: Arc<ArcSwap<Upstream>>,
    closing: CancellationToken,
    kill: CancellationToken,
    accepting: JoinHandle<()>,
}

impl Listeners {
    /// `stop` closes all ports and drains, `kill` ends what is left.
    #[must_use]
    pub fn new(
        settings: ListenSettings,
        context: Arc<ProxyContext>,
        runtime: Handle,
        stop: CancellationToken,
        kill: CancellationToken,
    ) -> Self {
        let slots = Arc::new(Semaphore::new(settings.max_connections));
        Self { settings, context, slots, runtime, stop, kill, open: BTreeMap::new() }
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
                self.start(port, socket, (*backend).clone());
            }
        }
        for (port, open) in &self.open {
            if let Some(backend) = backends.get(port)
                && open.upstream.load().url() != *backend
            {
                open.upstream.store(self.upstream((*backend).clone()));
            }
        }
        let removed: Vec<u16> = self.open.keys().filter(|port| !backends.contains_key(port)).copied().collect();
        for port in removed {
            self.close(port).await;
        }
        self.context.metrics.open_ports.set(self.open.len() as u64);
    }

    fn upstream(&self, backend: BackendUrl) -> Arc<Upstream> {
        Arc::new(Upstream::new(backend, self.settings.backend, Arc::clone(&self.context.metrics)))
    }

    fn start(&mut self, port: u16, socket: TcpListener, backend: BackendUrl) {
        let _runtime = self.runtime.enter();
        let socket = match tokio::net::TcpListener::from_std(socket) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::error!(port, error = error.to_string(), "the port cannot be served");
                return;
            }
        };
        let upstream = Arc::new(ArcSwap::new(self.upstream(backend)));
        let (closing, kill) = (self.stop.child_token(), self.kill.child_token());
        let serving = Arc::new(Port {
            context: Arc::clone(&self.context),
            upstream: Arc::clone(&upstream),
            slots: Arc::clone(&self.slots),
            timings: self.settings.visitor,
            closing: closing.clone(),
            kill: kill.clone(),
        });
        let accepting = self.context.tasks.spawn_on(accept::accept(socket, serving), &self.runtime);
        self.open.insert(port, Open { upstream, closing, kill, accepting });
        tracing::info!(port, "port opened");
    }

    /// Returns once the port is free; its connections drain for up to [`ListenSettings::drain`].
    async fn close(&mut self, port: u16) {
        let Some(open) = self.open.remove(&port) else { return };
        open.closing.cancel();
        let _ = open.accepting.await;
        let drain = self.settings.drain;
        self.runtime.spawn(async move {
            tokio::time::sleep(drain).await;
            open.kill.cancel();
        });
        tracing::info!(port, "port closed");
    }
}
