//! A visitor's connection and its requests' way through: read a head, judge it, write it anew for the backend, carry both bodies
//! with back-pressure, answer for a backend that does not.
//!
//! Decided here: `X-Forwarded-For`, `-Proto`, `-Host`, `X-Real-IP` and `X-Request-Id` are ours, whatever a visitor sends under
//! those or similar names is dropped (trusted proxies are to come). Neither `Via` nor `Forwarded` nor `Server` is added: a
//! visitor must not notice the gateway, and backends change their behaviour on `Via`.
//!
//! All of a connection is done by one task of one worker's thread: nothing here is shared between threads but counters.

mod access;
mod body;
mod error_page;
mod exchange;
mod headers;
mod http2;
mod refusal;
mod target;
mod tunnel;
mod visit;

use crate::cli::LogFormat;
use crate::log::AccessLog;
use crate::metrics::Metrics;
use crate::tls::PortTls;
use crate::upstream::{Backend, BackendTimings, Pool};
use crate::wire::Buffers;
use arc_swap::ArcSwap;
use proxima_http1::Limits;
use std::cell::RefCell;
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
    lines: Lines,
}

impl Worker {
    pub fn new(context: Arc<ProxyContext>, log: AccessLog) -> Self {
        Self { context, log, buffers: Buffers::default(), lines: Lines::default() }
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
#[derive(Clone)]
pub(crate) struct Service {
    pub backend: Arc<Backend>,
    pub tls: Option<PortTls>,
}

/// One port as one worker serves it.
pub(crate) struct Port {
    service: Arc<ArcSwap<Service>>,
    pool: RefCell<Rc<Pool>>,
    /// The port is closed: connections end after what they are at.
    pub closing: CancellationToken,
    /// The drain is over.
    pub kill: CancellationToken,
}

impl Port {
    pub fn new(
        service: Arc<ArcSwap<Service>>,
        metrics: &Arc<Metrics>,
        closing: CancellationToken,
        kill: CancellationToken,
    ) -> Self {
        let pool = RefCell::new(Rc::new(Pool::new(Arc::clone(&service.load().backend), Arc::clone(metrics))));
        Self { service, pool, closing, kill }
    }

    /// Closes connections to the backend that rest for too long, until the port closes.
    pub async fn sweep(&self) {
        const EVERY: Duration = Duration::from_secs(10);
        while tokio::time::timeout(EVERY, self.closing.cancelled()).await.is_err() {
            self.pool.borrow().sweep();
        }
    }

    /// The connections to the backend that is configured now.
    fn pool(&self, metrics: &Arc<Metrics>) -> Rc<Pool> {
        let service = self.service.load();
        let mut pool = self.pool.borrow_mut();
        if !Arc::ptr_eq(&pool.backend, &service.backend) {
            *pool = Rc::new(Pool::new(Arc::clone(&service.backend), Arc::clone(metrics)));
        }
        Rc::clone(&pool)
    }

    /// How a new connection is secured.
    pub fn tls(&self) -> Option<PortTls> {
        self.service.load().tls.clone()
    }
}
