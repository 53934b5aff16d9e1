//! A visitor's connection and its requests' way through: read a head, judge it, write it anew for the backend, carry both bodies
//! with back-pressure, answer for a backend that does not.
//!
//! Decided here: `X-Forwarded-For`, `-Proto`, `-Host`, `X-Real-IP` and `X-Request-Id` are ours, whatever a visitor sends under
//! those or similar names is dropped, unless the peer is a trusted proxy: then it is read (`client`), and written anew all the same. Neither `Via` nor `Forwarded` nor `Server` is added: a
//! visitor must not notice the gateway, and backends change their behaviour on `Via`.
//!
//! All of a connection is done by one task of one worker's thread: nothing here is shared between threads but counters.

mod access;
mod attempts;
mod body;
mod client;
mod error_page;
mod exchange;
mod headers;
mod http2;
mod refusal;
mod route;
mod target;
mod tunnel;
mod visit;

use crate::cli::LogFormat;
use crate::log::AccessLog;
use crate::metrics::Metrics;
use crate::names::Names;
use crate::tls::PortTls;
use crate::upstream::{Backend, BackendTimings, Connections};
use crate::wire::{Buffers, Pipes};
use arc_swap::ArcSwap;
pub(crate) use client::Trusted;
use proxima_http1::Limits;
pub(crate) use route::{Destination, Matcher, Routes};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
pub(crate) use visit::{Visitor, serve};

/// A visitor's head: 64 KiB, its first line 16 KiB of it, 128 lines.
const REQUEST: Limits = Limits { bytes: 64 * 1024, request_line: 16 * 1024, fields: 128 };
/// A backend's head, and the trailers of either.
const RESPONSE: Limits = Limits { bytes: 128 * 1024, request_line: 16 * 1024, fields: 256 };

/// How all requests are served.
#[derive(Debug, Clone)]
pub struct ProxySettings {
    pub access_log: bool,
    pub log_format: LogFormat,
    /// Without a byte in either direction.
    pub tunnel_idle: Duration,
    pub visitor: VisitorTimings,
    pub backend: BackendTimings,
}

/// Limits of time towards a visitor.
#[derive(Debug, Clone, Copy)]
pub struct VisitorTimings {
    /// For a whole head.
    pub header: Duration,
    /// Between two requests.
    pub keep_alive: Duration,
    /// Without progress of a body, inwards or outwards.
    pub stall: Duration,
}

/// Names requests: random per start, then counted.
pub struct RequestIds {
    prefix: u64,
    next: AtomicU64,
    /// Marks what went through this very process.
    loop_mark: String,
}

impl RequestIds {
    #[must_use]
    pub fn new(prefix: u64) -> Self {
        Self { prefix, next: AtomicU64::new(0), loop_mark: format!("{:016x}", prefix.rotate_left(32)) }
    }

    fn next(&self) -> String {
        format!("{:016x}{:012x}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// What all workers share.
pub struct ProxyContext {
    pub settings: ProxySettings,
    pub metrics: Arc<Metrics>,
    pub request_ids: RequestIds,
}

/// What the connections of one thread share.
pub(crate) struct Worker {
    context: Arc<ProxyContext>,
    pub log: AccessLog,
    pub buffers: Buffers,
    pub pipes: Pipes,
    lines: Lines,
    /// To each backend that it has had to do with lately.
    connections: RefCell<HashMap<*const Backend, Rc<Connections>>>,
    names: Names,
}

impl Worker {
    pub fn new(context: Arc<ProxyContext>, log: AccessLog) -> Self {
        Self {
            pipes: Pipes::new(Arc::clone(&context.metrics)),
            context,
            log,
            buffers: Buffers::default(),
            lines: Lines::default(),
            connections: RefCell::default(),
            names: Names::default(),
        }
    }

    /// This worker's connections to a backend.
    fn connections(&self, backend: &Arc<Backend>) -> Rc<Connections> {
        let mut all = self.connections.borrow_mut();
        // An entry holds its backend, so no other one can come to have its address.
        let new = || Rc::new(Connections::new(Arc::clone(backend), Arc::clone(self.metrics()), self.names.clone()));
        Rc::clone(all.entry(Arc::as_ptr(backend)).or_insert_with(new))
    }

    /// Closes connections to backends that rest for too long, and forgets backends that are configured no more, for ever.
    pub async fn sweep(&self) {
        const EVERY: Duration = Duration::from_secs(10);
        loop {
            tokio::time::sleep(EVERY).await;
            let mut all = self.connections.borrow_mut();
            all.values().for_each(|connections| connections.sweep());
            all.retain(|_, connections| !connections.is_forgotten());
        }
    }

    fn settings(&self) -> &ProxySettings {
        &self.context.settings
    }

    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.context.metrics
    }

    /// Marks what went through this very process.
    fn loop_mark(&self) -> &str {
        &self.context.request_ids.loop_mark
    }

    fn request_ids(&self) -> &RequestIds {
        &self.context.request_ids
    }
}

/// Room for beginnings of log lines, used again and again.
#[derive(Default)]
struct Lines(RefCell<Vec<Vec<u8>>>);

impl Lines {
    fn get(&self) -> Vec<u8> {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    fn put(&self, mut line: Vec<u8>) {
        const KEPT: usize = 256;
        const LONGEST: usize = 4096;
        line.clear();
        let mut kept = self.0.borrow_mut();
        if kept.len() < KEPT && line.capacity() <= LONGEST {
            kept.push(line);
        }
    }
}

/// What a port does with its visitors, as it is configured now.
pub(crate) struct Service {
    pub routes: Routes,
    pub tls: Option<PortTls>,
    pub rules: Arc<Rules>,
}

/// What holds at every port.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub trusted: Trusted,
    /// Where requests below `/images/` are sent.
    pub image_url: Option<String>,
}

/// One port as one worker serves it.
pub(crate) struct Port {
    service: Arc<ArcSwap<Service>>,
    /// The port is closed: connections end after what they are at.
    pub closing: CancellationToken,
    /// The drain is over.
    pub kill: CancellationToken,
}

impl Port {
    pub fn new(service: Arc<ArcSwap<Service>>, closing: CancellationToken, kill: CancellationToken) -> Self {
        Self { service, closing, kill }
    }

    /// Where a request goes, as it is configured now.
    fn destination(&self, host: Option<&[u8]>, path: &[u8]) -> Destination {
        self.service.load().routes.destination(host, path).clone()
    }

    /// What holds for a request now.
    fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.service.load().rules)
    }

    /// How a new connection is secured.
    pub fn tls(&self) -> Option<PortTls> {
        self.service.load().tls.clone()
    }
}
