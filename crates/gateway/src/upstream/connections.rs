//! One worker's connections to one backend: a bounded pool of HTTP/1.1 connections at rest.

use super::Backend;
use super::connect::{self, Connected};
use crate::metrics::Metrics;
use crate::names::Names;
use crate::wire::Stream;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Idle connections kept for each backend, by each worker.
const MAX_IDLE: usize = 128;
/// How long one is kept. Shorter than the keep-alive of usual servers (nginx 75 s), so that it is seldom the backend that
/// closes first.
const IDLE: Duration = Duration::from_secs(55);

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
pub(crate) struct Connections {
    pub backend: Arc<Backend>,
    metrics: Arc<Metrics>,
    names: Names,
    idle: RefCell<Vec<Idle>>,
}

impl Connections {
    pub fn new(backend: Arc<Backend>, metrics: Arc<Metrics>, names: Names) -> Self {
        Self { backend, metrics, names, idle: RefCell::default() }
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

    /// Closes those that nobody took for too long, or that their backend has ended.
    pub fn sweep(&self) {
        self.idle.borrow_mut().retain(|idle| idle.since.elapsed() < IDLE && idle.stream.is_quiet());
    }

    pub async fn connect(&self, limit: Duration) -> Result<Stream, ConnectError> {
        let connected = tokio::time::timeout(limit, connect::connect(&self.backend, &self.names)).await;
        let connected = connected.map_err(|_| ConnectError::Late)?.map_err(|error| match error.kind() {
            std::io::ErrorKind::TimedOut => ConnectError::Late,
            _ => ConnectError::Failed(error.to_string()),
        })?;
        self.metrics.backend_connections_opened.increment();
        Ok(match connected {
            Connected::Tcp(tcp) => Stream::new(tcp),
            Connected::Tls(tls) => Stream::secured((*tls).into()),
        })
    }

    /// Whether nobody but a worker's table of connections knows this backend any more, and none rests.
    pub fn is_forgotten(&self) -> bool {
        self.idle.borrow().is_empty() && Arc::strong_count(&self.backend) == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxima_types::BackendUrl;
    use std::io::ErrorKind;
    use tokio::net::TcpListener;

    fn connections(listener: &TcpListener) -> Connections {
        let address = listener.local_addr().expect("bound");
        let url = BackendUrl::parse(&format!("http://{address}")).expect("a URL");
        Connections::new(Arc::new(Backend::plain(url)), Arc::default(), Names::default())
    }

    async fn connected(connections: &Connections, listener: &TcpListener) -> (Stream, tokio::net::TcpStream) {
        let ours = connections.connect(Duration::from_secs(5)).await.expect("connected");
        (ours, listener.accept().await.expect("accepted").0)
    }

    #[tokio::test]
    async fn the_newest_is_taken_first_and_none_that_has_ended() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let pool = connections(&listener);
        let (older, _open) = connected(&pool, &listener).await;
        let (newer, ended) = connected(&pool, &listener).await;
        pool.put(older);
        pool.put(newer);
        drop(ended);
        while pool.idle.borrow()[1].stream.is_quiet() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let taken = pool.take().expect("the older one");
        assert!(pool.take().is_none() && taken.is_quiet());
    }

    #[tokio::test]
    async fn what_rests_too_long_is_closed_without_being_asked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let pool = connections(&listener);
        let (ours, theirs) = connected(&pool, &listener).await;
        pool.put(ours);
        tokio::time::pause();
        tokio::time::advance(IDLE / 2).await;
        pool.sweep();
        assert_eq!(pool.idle.borrow().len(), 1);
        tokio::time::advance(IDLE).await;
        pool.sweep();
        assert!(pool.idle.borrow().is_empty());
        tokio::time::resume();
        theirs.readable().await.expect("its end");
        assert!(
            matches!(theirs.try_read(&mut [0; 1]), Ok(0))
                || theirs.try_read(&mut [0; 1]).is_err_and(|error| error.kind() != ErrorKind::WouldBlock)
        );
    }
}
