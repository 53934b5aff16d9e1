//! Listens, greets, serves: everything of it bounded. One thread does it all, and greets at most
//! [`super::gate`]'s number a second, so that a flood on this port costs visitors next to nothing.

use super::ManagementSettings;
use super::api::Api;
use super::certificate::Certificate;
use super::gate::{Admission, Gate};
use crate::listen::open_port;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use proxima_types::manage::ManagementStatus;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often a port that is taken is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// TLS handshakes at one time, and how long one may take.
const HANDSHAKES: usize = 16;
const HANDSHAKE: Duration = Duration::from_secs(5);
/// From a request's first byte to the end of its head.
const HEAD: Duration = Duration::from_secs(5);
/// A connection's whole life: it carries one request.
const CONNECTION: Duration = Duration::from_secs(30);
const MAX_HEADERS: usize = 32;
/// A request's head, in bytes: hyper's least.
const MAX_HEAD_BYTES: usize = 8192;
/// How long answers under way may take at the end.
const FAREWELL: Duration = Duration::from_secs(1);

pub(super) struct Server {
    pub settings: ManagementSettings,
    pub gate: Arc<Gate>,
    pub api: Arc<Api>,
    pub stop: CancellationToken,
}

impl Server {
    /// Serves until `stop`. What keeps it from listening is logged, counted, shown in the status,
    /// and tried again: it never ends anything else.
    pub(super) async fn live(self) {
        let mut said = None;
        loop {
            match self.open() {
                Ok((listener, tls)) => return self.accept(listener, tls).await,
                Err(problem) => self.cannot(&problem, &mut said),
            }
            tokio::select! {
                () = sleep(RETRY) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    fn open(&self) -> Result<(TcpListener, TlsAcceptor), ManagementStatus> {
        let mut status = ManagementStatus::default();
        let opened = self.try_open(&mut status);
        match opened {
            Ok(opened) => {
                self.api.metrics.management_listening.set(1);
                let fingerprint = status.certificate_fingerprint.map(|fingerprint| fingerprint.to_string());
                tracing::info!(address = status.address, fingerprint, "management API listens");
                self.api.desk.set_management(status);
                Ok(opened)
            }
            Err(error) => Err(ManagementStatus { problem: Some(format!("{error:#}")), ..status }),
        }
    }

    fn try_open(&self, status: &mut ManagementStatus) -> anyhow::Result<(TcpListener, TlsAcceptor)> {
        let certificate = Certificate::of(&self.settings.state_dir)?;
        status.certificate_fingerprint = Some(certificate.fingerprint);
        let tls = TlsAcceptor::from(certificate.into_tls()?);
        let wanted = self.settings.address;
        let everywhere = wanted.ip() == std::net::Ipv6Addr::UNSPECIFIED;
        let listener = open_port((!everywhere).then_some(wanted.ip()), wanted.port())?;
        let listener = TcpListener::from_std(listener)?;
        status.address = Some(listener.local_addr()?.to_string());
        Ok((listener, tls))
    }

    fn cannot(&self, status: &ManagementStatus, said: &mut Option<String>) {
        self.api.metrics.management_open_failures.increment();
        if *said != status.problem {
            let why = status.problem.as_deref();
            tracing::warn!(why, "the management API cannot listen; everything else goes on, and it is tried again");
            said.clone_from(&status.problem);
        }
        self.api.desk.set_management(status.clone());
    }

    async fn accept(self, listener: TcpListener, tls: TlsAcceptor) {
        let tasks = TaskTracker::new();
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, peer)) = accepted else {
                // Out of file descriptors: waiting frees some, a busy loop does not.
                sleep(Duration::from_millis(100)).await;
                continue;
            };
            let Some(admission) = self.gate.admit(peer.ip(), Instant::now()) else {
                self.api.metrics.management_connections_refused.increment();
                continue;
            };
            let visit =
                Visit { api: Arc::clone(&self.api), tls: tls.clone(), handshakes: Arc::clone(&handshakes), admission };
            tasks.spawn(async move {
                // Slow clients end here.
                let _ = timeout(CONNECTION, visit.serve(stream, peer)).await;
            });
        }
        drop(listener);
        tasks.close();
        let _ = timeout(FAREWELL, tasks.wait()).await;
    }
}

/// One admitted connection.
struct Visit {
    api: Arc<Api>,
    tls: TlsAcceptor,
    handshakes: Arc<Semaphore>,
    admission: Admission,
}

impl Visit {
    async fn serve(self, stream: TcpStream, peer: SocketAddr) {
        let _ = stream.set_nodelay(true);
        let Ok(turn) = Arc::clone(&self.handshakes).try_acquire_owned() else {
            self.api.metrics.management_connections_refused.increment();
            return;
        };
        let greeted = timeout(HANDSHAKE, self.tls.accept(stream)).await;
        drop(turn);
        let Ok(Ok(stream)) = greeted else {
            tracing::debug!(%peer, "management: no TLS handshake");
            return;
        };
        let (api, admission) = (self.api, Arc::new(self.admission));
        let service = service_fn(move |request| {
            let (api, admission) = (Arc::clone(&api), Arc::clone(&admission));
            async move { Ok::<_, Infallible>(api.answer(request, &admission).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .keep_alive(false)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = connection.await {
            tracing::debug!(%peer, error = error.to_string(), "management: connection failed");
        }
    }
}
