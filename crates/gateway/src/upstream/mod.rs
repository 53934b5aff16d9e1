//! The way to one backend: a bounded pool of HTTP/1.1 connections of one worker.

mod connect;

use crate::metrics::Metrics;
use crate::names::Names;
use crate::wire::Stream;
use proxima_types::BackendUrl;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Idle connections kept for each backend, by each worker.
const MAX_IDLE: usize = 128;
/// How long one is kept. Shorter than the keep-alive of usual servers (nginx 75 s), so that it is seldom the backend that
/// closes first.
const IDLE: Duration = Duration::from_secs(55);

/// Limits of time towards a backend.
#[derive(Debug, Clone, Copy)]
pub struct BackendTimings {
    pub connect: Duration,
    /// From the request's last progress to the response's head.
    pub header: Duration,
}

/// One backend, as all workers know it.
pub struct Backend {
    pub url: BackendUrl,
    /// As the log names it.
    pub name: String,
    /// Its own `Host`, for visitors (HTTP/1.0) who name none.
    pub host: String,
    names: Names,
}

impl Backend {
    #[must_use]
    pub fn new(url: BackendUrl) -> Self {
        Self { name: url.to_string(), host: url.authority(), names: Names::default(), url }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("cannot connect to the backend: {0}")]
    Failed(String),
    #[error("the backend did not accept a connection in time")]
    Late,
}

struct Idle {
    stream: Stream,
    since: Instant,
}

/// Connections of one worker to one backend.
pub(crate) struct Pool {
    pub backend: Arc<Backend>,
    metrics: Arc<Metrics>,
    idle: RefCell<Vec<Idle>>,
}

impl Pool {
    pub fn new(backend: Arc<Backend>, metrics: Arc<Metrics>) -> Self {
        Self { backend, metrics, idle: RefCell::default() }
    }

    /// The connection that was used last, if one is still open and silent.
    pub fn take(&self) -> Option<Stream> {
        let mut idle = self.idle.borrow_mut();
        while let Some(candidate) = idle.pop() {
            if candidate.since.elapsed() < IDLE && candidate.stream.is_quiet() {
                self.metrics.backend_connections_reused.increment();
                return Some(candidate.stream);
            }
        }
        None
    }

    /// Keeps a connection whose last answer was read to its end.
    pub fn put(&self, stream: Stream) {
        let mut idle = self.idle.borrow_mut();
        let expired = idle.iter().take_while(|old| old.since.elapsed() >= IDLE).count();
        idle.drain(..expired);
        if idle.len() < MAX_IDLE {
            idle.push(Idle { stream, since: Instant::now() });
        }
    }

    pub async fn connect(&self, limit: Duration) -> Result<Stream, ConnectError> {
        let connecting = connect::connect(&self.backend.url, &self.backend.names);
        let tcp =
            tokio::time::timeout(limit, connecting).await.map_err(|_| ConnectError::Late)?.map_err(
                |error| match error.kind() {
                    std::io::ErrorKind::TimedOut => ConnectError::Late,
                    _ => ConnectError::Failed(error.to_string()),
                },
            )?;
        self.metrics.backend_connections_opened.increment();
        Ok(Stream::new(tcp))
    }
}
