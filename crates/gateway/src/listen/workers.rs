//! The threads that serve visitors. Each has a runtime of its own, and whatever it accepts is its own to the end: no connection,
//! buffer or pool of connections to a backend is shared between them.

use super::accept::accept;
use crate::clock::Clock;
use crate::log::{AccessLog, LogSink};
use crate::proxy::{Port, ProxyContext, Service, Worker};
use anyhow::Context as _;
use arc_swap::ArcSwap;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// A port that a worker is to serve.
pub(super) struct Opening {
    pub number: u16,
    pub socket: TcpListener,
    pub service: Arc<ArcSwap<Service>>,
    pub slots: Arc<Semaphore>,
    pub closing: CancellationToken,
    pub kill: CancellationToken,
    /// Every connection of every worker.
    pub tasks: TaskTracker,
    /// Given back when this worker has closed its end of the socket.
    pub open: TaskTrackerToken,
}

/// All of them, by default none. They end when this is dropped, and what they still do is cut.
#[derive(Default)]
pub struct Workers(Vec<Thread>);

struct Thread {
    orders: Option<mpsc::UnboundedSender<Opening>>,
    handle: Option<JoinHandle<()>>,
}

impl Workers {
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(
        count: usize,
        context: &Arc<ProxyContext>,
        log: &LogSink,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let start = |number: usize| {
            let (orders, received) = mpsc::unbounded_channel();
            let (context, log, clock) = (Arc::clone(context), log.clone(), Arc::clone(clock));
            let runtime =
                Builder::new_current_thread().enable_all().build().context("cannot start a worker's runtime")?;
            let work = move || {
                let worker = Rc::new(Worker::new(context, AccessLog::new(log, clock)));
                LocalSet::new().block_on(&runtime, serve(worker, received));
            };
            let handle = std::thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(work)
                .context("cannot start a worker")?;
            Ok(Thread { orders: Some(orders), handle: Some(handle) })
        };
        (0..count.max(1)).map(start).collect::<anyhow::Result<_>>().map(Self)
    }

    /// Has every worker accept at this socket.
    ///
    /// # Errors
    /// When the socket cannot be shared; then nobody does.
    pub(super) fn open(&self, socket: &TcpListener, opening: impl Fn(TcpListener) -> Opening) -> std::io::Result<()> {
        let sockets: Vec<TcpListener> = self.0.iter().map(|_| socket.try_clone()).collect::<Result<_, _>>()?;
        for (thread, socket) in self.0.iter().zip(sockets) {
            if let Some(orders) = &thread.orders {
                let _ = orders.send(opening(socket));
            }
        }
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|thread| drop(thread.orders.take()));
        for thread in &mut self.0 {
            let _ = thread.handle.take().map(JoinHandle::join);
        }
    }
}

async fn serve(worker: Rc<Worker>, mut orders: mpsc::UnboundedReceiver<Opening>) {
    let logging = Rc::clone(&worker);
    tokio::task::spawn_local(async move { logging.log.send_in_time().await });
    let sweeping = Rc::clone(&worker);
    tokio::task::spawn_local(async move { sweeping.sweep().await });
    while let Some(opening) = orders.recv().await {
        let Opening { number, socket, service, slots, closing, kill, tasks, open } = opening;
        let socket = match tokio::net::TcpListener::from_std(socket) {
            Ok(socket) => socket,
            Err(error) => {
                tracing::error!(port = number, error = error.to_string(), "the port cannot be served");
                continue;
            }
        };
        let port = Rc::new(Port::new(service, closing, kill));
        let accepting = accept(socket, Rc::clone(&worker), port, slots, tasks.clone());
        tokio::task::spawn_local(tasks.track_future(async move {
            accepting.await;
            drop(open);
        }));
    }
}
