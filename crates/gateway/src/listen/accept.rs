//! One open port: accepts, and serves each connection in a task of its own.

use super::state::ConnState;
use super::visitor_io::{VisitorIo, VisitorTimings};
use crate::proxy::{ProxyContext, Visit};
use crate::upstream::Upstream;
use arc_swap::ArcSwap;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Header fields of a request; more are answered 431.
const MAX_HEADERS: usize = 128;
/// A request's head, in bytes; a longer one is answered 431.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// What every connection of a port needs.
pub(super) struct Port {
    pub context: Arc<ProxyContext>,
    pub upstream: Arc<ArcSwap<Upstream>>,
    pub slots: Arc<Semaphore>,
    pub timings: VisitorTimings,
    /// Stop accepting; let the requests in flight end.
    pub closing: CancellationToken,
    /// The drain is over.
    pub kill: CancellationToken,
}

/// Accepts until the port closes.
pub(super) async fn accept(listener: TcpListener, port: Arc<Port>) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = port.closing.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => admit(stream, peer, &port),
            Err(error) => failed(&error, &port).await,
        }
    }
}

/// Out of file descriptors or memory: waiting frees some, a busy loop does not.
async fn failed(error: &std::io::Error, port: &Port) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset};
    port.context.metrics.accept_errors.increment();
    if !matches!(error.kind(), ConnectionAborted | ConnectionReset) {
        tracing::debug!(error = error.to_string(), "accept failed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn admit(stream: TcpStream, peer: SocketAddr, port: &Arc<Port>) {
    let metrics = &port.context.metrics;
    let Ok(slot) = Arc::clone(&port.slots).try_acquire_owned() else {
        metrics.connections_over_limit.increment();
        return;
    };
    metrics.connections_accepted.increment();
    metrics.connections.increment();
    let task = serve(stream, peer, Arc::clone(port), slot);
    port.context.tasks.spawn(task);
}

async fn serve(stream: TcpStream, peer: SocketAddr, port: Arc<Port>, slot: OwnedSemaphorePermit) {
    let _ = stream.set_nodelay(true);
    let keepalive = socket2::TcpKeepalive::new().with_time(Duration::from_secs(60));
    let _ = socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive);
    let state = Arc::new(ConnState::default());
    let visit = Arc::new(Visit {
        context: Arc::clone(&port.context),
        upstream: Arc::clone(&port.upstream),
        connection: Arc::clone(&state),
        client: peer.ip().to_canonical(),
        kill: port.kill.clone(),
    });
    let io = VisitorIo::new(stream, state, Arc::clone(&port.context.metrics), port.timings);
    let service = service_fn(move |request| {
        let visit = Arc::clone(&visit);
        async move { Ok::<_, Infallible>(visit.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_header_size(MAX_HEAD_BYTES)
        .title_case_headers(true)
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => {}
        () = port.closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                _ = connection.as_mut() => {}
                () = port.kill.cancelled() => {}
            }
        }
    }
    port.context.metrics.connections.decrement();
    drop(slot);
}
