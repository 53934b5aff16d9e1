//! The dashboard's ports: accepts connections within limits, watches each of them, and ends them in order.
//!
//! hyper speaks HTTP/1 and HTTP/2; what it leaves to its user is here: how many connections there are, how long
//! each may take for what, and how they end so that a rolling restart loses no request.

mod activity;
mod admission;
mod connection;
mod proxy_header;
mod redirect;
mod socket;
pub mod tls;
mod watched;

pub use redirect::router as redirect_router;
pub use socket::Listener;

use admission::Admission;
use axum::Router;
use futures_util::FutureExt as _;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tls::Tls;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a connection may take.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// For the TLS handshake, and for the PROXY protocol's header.
    pub handshake: Duration,
    /// For the first request to arrive, and for every later request's head once its first byte came.
    pub head: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// The same, while more than nine tenths of the connections are in use.
    pub idle_when_crowded: Duration,
    /// For a reader to take something of what is written to it.
    pub stall: Duration,
    /// Without a piece of an answer that is being sent. Longer than a request may take.
    pub silence: Duration,
    /// For a connection without a request to still bring one, when the port closes.
    pub last_request: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            idle_when_crowded: Duration::from_secs(1),
            stall: Duration::from_secs(30),
            silence: Duration::from_secs(120),
            last_request: Duration::from_secs(1),
        }
    }
}

/// How a port is served.
pub struct Options {
    /// What metrics call it.
    pub name: &'static str,
    pub max_connections: usize,
    /// Of one address, or one /64 of IPv6; loopback and trusted peers are not counted.
    pub max_per_address: usize,
    /// The proxies in front.
    pub trusted: Vec<IpNet>,
    /// Whether they speak the PROXY protocol.
    pub proxy_protocol: bool,
    pub tls: Option<Arc<Tls>>,
    pub times: Times,
}

/// How a port ends.
#[derive(Clone, Default)]
pub struct Ending {
    /// The dashboard goes on serving, and asks clients of HTTP/1 to come back on another connection.
    pub leaving: CancellationToken,
    /// Nothing is accepted any more; requests under way may finish.
    pub closing: CancellationToken,
    /// What still runs is cut.
    pub cut: CancellationToken,
}

struct Port {
    options: Options,
    router: Router,
    ending: Ending,
    admission: Arc<Admission>,
}

/// Whether an address is of one of these networks.
#[must_use]
pub fn is_trusted(networks: &[IpNet], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(&address))
}

/// Serves until the port has closed and its last connection has ended.
pub async fn serve(listener: Listener, router: Router, options: Options, ending: Ending) {
    let admission = Admission::new(options.name, options.max_connections, options.max_per_address);
    let port = Arc::new(Port { options, router, ending, admission });
    let tasks = TaskTracker::new();
    loop {
        let slot = tokio::select! {
            biased;
            () = port.ending.closing.cancelled() => break,
            slot = port.admission.slot() => slot,
        };
        let accepted = tokio::select! {
            biased;
            () = port.ending.closing.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => admit(&port, &tasks, stream, peer, slot),
            Err(error) => failed(&port, &error).await,
        }
    }
    match listener.close() {
        Ok(queue) => take_over(&port, &tasks, &queue),
        Err(error) => tracing::warn!(%error, port = port.options.name, "connections of a closing port may be lost"),
    }
    tasks.close();
    tasks.wait().await;
}

/// Those that the kernel has accepted for us already would be reset.
fn take_over(port: &Arc<Port>, tasks: &TaskTracker, queue: &socket::Queue) {
    while let Some(slot) = port.admission.slot().now_or_never() {
        let Some((stream, peer)) = queue.next() else { break };
        admit(port, tasks, stream, peer, slot);
    }
}

fn admit(port: &Arc<Port>, tasks: &TaskTracker, stream: TcpStream, peer: SocketAddr, slot: admission::Slot) {
    let address = peer.ip().to_canonical();
    let counted = !address.is_loopback() && !is_trusted(&port.options.trusted, address);
    let Some(admitted) = port.admission.admit(slot, counted.then_some(address)) else { return };
    tasks.spawn(connection::run(Arc::clone(port), stream, peer, admitted));
}

/// Out of file descriptors or memory: waiting frees some, a busy loop does not.
async fn failed(port: &Port, error: &std::io::Error) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionReset) {
        port.admission.refused("no_resources");
        tracing::warn!(%error, port = port.options.name, "a connection could not be accepted");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
