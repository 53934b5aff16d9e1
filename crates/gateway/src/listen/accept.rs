//! Accepts connections on one port, within the limit that all ports share.

use crate::proxy::{Port, Visitor, Worker, serve};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

/// Accepts until the port closes; the socket is closed then.
pub(super) async fn accept(
    listener: TcpListener,
    worker: Rc<Worker>,
    port: Rc<Port>,
    slots: Arc<Semaphore>,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = port.closing.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => admit(stream, peer, &worker, &port, &slots, &tasks),
            Err(error) => {
                worker.metrics().accept_errors.increment();
                pause(&error).await;
            }
        }
    }
}

/// Out of file descriptors or memory: waiting frees some, a busy loop does not.
async fn pause(error: &std::io::Error) {
    if !matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) {
        tracing::debug!(error = error.to_string(), "accept failed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn admit(
    stream: TcpStream,
    peer: SocketAddr,
    worker: &Rc<Worker>,
    port: &Rc<Port>,
    slots: &Arc<Semaphore>,
    tasks: &TaskTracker,
) {
    let Ok(slot) = Arc::clone(slots).try_acquire_owned() else {
        worker.metrics().connections_over_limit.increment();
        return;
    };
    let open = Open::new(Rc::clone(worker), slot);
    let client = peer.ip().to_canonical().to_string();
    let visitor = Visitor { worker: Rc::clone(worker), tls: port.tls(), port: Rc::clone(port), client };
    let visitor = Rc::new(visitor);
    tokio::task::spawn_local(tasks.track_future(async move {
        serve(visitor, stream).await;
        drop(open);
    }));
}

/// A visitor's connection, counted while it is open.
struct Open {
    worker: Rc<Worker>,
    _slot: OwnedSemaphorePermit,
}

impl Open {
    fn new(worker: Rc<Worker>, slot: OwnedSemaphorePermit) -> Self {
        worker.metrics().connections_accepted.increment();
        worker.metrics().connections.increment();
        Self { worker, _slot: slot }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.worker.metrics().connections.decrement();
    }
}
