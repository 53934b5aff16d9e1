//! Visitors' ports: opens, moves and closes them at runtime. A new configuration's ports are all
//! bound before anything changes; a port that stays keeps its connections (invariant 2).

mod accept;
mod socket;
mod upstreams;
mod workers;

use crate::metrics::Metrics;
use crate::proxy::{Rules, Service, Trusted};
use crate::tls::{Certificates, Terminator};
use arc_swap::ArcSwap;
use proxima_types::gateway_config::{CertificateSource, parse_image_url};
use proxima_types::{GatewayConfig, Listener};
use rustls::pki_types::UnixTime;
pub use socket::PortError;
pub(crate) use socket::open as open_port;
use std::collections::BTreeMap;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use upstreams::Upstreams;
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
    terminator: Terminator,
    /// Those of the configuration in force.
    certificates: Certificates,
    upstreams: Upstreams,
    open: BTreeMap<u16, Open>,
}

struct Open {
    service: Arc<ArcSwap<Service>>,
    closing: CancellationToken,
    kill: CancellationToken,
    /// The workers' ends of the socket.
    sockets: TaskTracker,
}

impl Listeners {
    /// `stop` closes all ports and drains, `kill` ends what is left.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new(
        settings: ListenSettings,
        metrics: Arc<Metrics>,
        workers: Arc<Workers>,
        tasks: TaskTracker,
        (stop, kill): (CancellationToken, CancellationToken),
    ) -> anyhow::Result<Self> {
        Ok(Self {
            slots: Arc::new(Semaphore::new(settings.max_connections)),
            settings,
            metrics,
            workers,
            tasks,
            stop,
            kill,
            terminator: Terminator::new()?,
            certificates: Certificates::default(),
            upstreams: Upstreams::default(),
            open: BTreeMap::new(),
        })
    }

    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        self.open.keys().copied().collect()
    }

    /// Makes `config` the one in force, or changes nothing.
    ///
    /// # Errors
    /// Every port that could not be opened, or not as it is to be.
    pub async fn apply(&mut self, config: &GatewayConfig) -> Result<(), Vec<PortError>> {
        let plan = self.plan(config);
        if !plan.failed.is_empty() {
            return Err(plan.failed);
        }
        self.switch(plan).await;
        Ok(())
    }

    /// Makes as much of `config` the one in force as can be: for the configuration that was
    /// already served before a restart, of which a part is better than nothing. Returns the ports
    /// that could not be opened.
    pub async fn apply_possible(&mut self, config: &GatewayConfig) -> Vec<PortError> {
        let mut plan = self.plan(config);
        let failed = std::mem::take(&mut plan.failed);
        self.switch(plan).await;
        failed
    }

    /// Reads certificate files again, and serves what has changed; a bad new one leaves the old one in place.
    pub fn follow_certificates(&mut self, config: &GatewayConfig) {
        if !config.certificates.iter().any(|certificate| matches!(certificate.source, CertificateSource::Files(_))) {
            return;
        }
        let certificates = Certificates::read(config, UnixTime::now());
        if certificates.same(&self.certificates) {
            return;
        }
        certificates.log_defects();
        for listener in &config.listeners {
            let Some(open) = self.open.get(&listener.port) else { continue };
            let Some(tls) = &listener.tls else { continue };
            match self.terminator.port(tls, &certificates) {
                Ok(tls) => {
                    let before = open.service.load();
                    let (routes, rules) = (before.routes.clone(), Arc::clone(&before.rules));
                    open.service.store(Arc::new(Service { routes, tls: Some(tls), rules }));
                    tracing::info!(port = listener.port, "certificates read again");
                }
                Err(why) => tracing::error!(port = listener.port, why, "the certificate before it goes on"),
            }
        }
        self.certificates = certificates;
    }

    fn plan(&self, config: &GatewayConfig) -> Plan {
        let mut plan = Plan {
            certificates: Certificates::read(config, UnixTime::now()),
            upstreams: Upstreams::new(config, &self.upstreams),
            ports: Vec::new(),
            wanted: config.listeners.iter().map(|listener| listener.port).collect(),
            failed: Vec::new(),
        };
        let rules = Arc::new(Rules {
            trusted: Trusted::new(&config.trusted_proxies),
            image_url: parse_image_url(&config.image_url).ok(),
        });
        for listener in &config.listeners {
            let port = listener.port;
            let socket = match self.open.contains_key(&port) {
                true => Ok(None),
                false => socket::open(self.settings.address, port).map(Some),
            };
            let service = self.service(listener, &rules, &plan.certificates, &mut plan.upstreams);
            match socket.and_then(|socket| Ok((socket, service?))) {
                Ok((socket, service)) => plan.ports.push((port, socket, service)),
                Err(error) => plan.failed.push(error),
            }
        }
        plan
    }

    /// What a listener is to do.
    fn service(
        &self,
        listener: &Listener,
        rules: &Arc<Rules>,
        certificates: &Certificates,
        upstreams: &mut Upstreams,
    ) -> Result<Service, PortError> {
        let port = listener.port;
        let tls = listener.tls.as_ref().map(|tls| self.terminator.port(tls, certificates)).transpose();
        let tls = tls.map_err(|reason| PortError::Tls { port, reason })?;
        let routes = upstreams.routes(listener).map_err(|reason| PortError::Backend { port, reason })?;
        Ok(Service { routes, tls, rules: Arc::clone(rules) })
    }

    async fn switch(&mut self, plan: Plan) {
        plan.certificates.log_defects();
        self.certificates = plan.certificates;
        self.upstreams = plan.upstreams;
        for (port, socket, service) in plan.ports {
            match (self.open.get(&port), socket) {
                (Some(open), _) => open.service.store(Arc::new(service)),
                (None, Some(socket)) => self.serve(port, &socket, service),
                (None, None) => {}
            }
        }
        self.upstreams.forget_before();
        let removed: Vec<u16> = self.open.keys().filter(|port| !plan.wanted.contains(port)).copied().collect();
        for port in removed {
            self.close(port).await;
        }
        self.metrics.open_ports.set(self.open.len() as u64);
    }

    fn serve(&mut self, port: u16, socket: &TcpListener, service: Service) {
        let tls = service.tls.is_some();
        let service = Arc::new(ArcSwap::from_pointee(service));
        let (closing, kill) = (self.stop.child_token(), self.kill.child_token());
        let sockets = TaskTracker::new();
        let shared = self.workers.open(socket, |socket| Opening {
            number: port,
            socket,
            service: Arc::clone(&service),
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
        self.open.insert(port, Open { service, closing, kill, sockets });
        tracing::info!(port, tls, "port opened");
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

/// What a configuration comes to, before anything is changed.
struct Plan {
    certificates: Certificates,
    upstreams: Upstreams,
    /// Each with its socket, when it is a new one.
    ports: Vec<(u16, Option<TcpListener>, Service)>,
    /// Also those that failed: they are not closed.
    wanted: Vec<u16>,
    failed: Vec<PortError>,
}
