//! Upgraded connections (WebSocket and any other): bytes both ways, after the backend's 101 and
//! never before (invariant 6).

use super::access::Record;
use super::body::AnswerBody;
use super::{Visit, headers};
use http::{Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::Instant;

/// Per direction, in bytes.
const BUFFER: usize = 16 * 1024;

/// The 101 for the visitor; the tunnel opens once it is sent.
pub(super) fn tunnel(
    visit: &Visit,
    visitor: OnUpgrade,
    mut response: Response<Incoming>,
    mut record: Record,
) -> Response<AnswerBody> {
    visit.connection.tunnel();
    record.answered(StatusCode::SWITCHING_PROTOCOLS);
    let backend = hyper::upgrade::on(&mut response);
    let mut answer = Response::new(AnswerBody::nothing());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *answer.version_mut() = Version::HTTP_11;
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    headers::clean_switching(answer.headers_mut(), record.request_id());

    let (idle, kill) = (visit.context.tunnel_idle, visit.kill.clone());
    let metrics = Arc::clone(&visit.context.metrics);
    visit.context.tasks.spawn(async move {
        metrics.tunnels.increment();
        tokio::select! {
            () = carry(visitor, backend, idle, &mut record) => {}
            () = kill.cancelled() => {}
        }
        metrics.tunnels.decrement();
    });
    answer
}

async fn carry(visitor: OnUpgrade, backend: OnUpgrade, idle: Duration, record: &mut Record) {
    let (Ok(visitor), Ok(backend)) = tokio::join!(visitor, backend) else { return };
    let (visitor_read, visitor_write) = tokio::io::split(TokioIo::new(visitor));
    let (backend_read, backend_write) = tokio::io::split(TokioIo::new(backend));
    let meter = Meter { started: Instant::now(), last: AtomicU64::new(0) };
    let (inward, outward) = (AtomicU64::new(0), AtomicU64::new(0));
    let both = async {
        tokio::try_join!(
            pump(visitor_read, backend_write, &meter, &inward),
            pump(backend_read, visitor_write, &meter, &outward)
        )
    };
    tokio::select! {
        done = both => if done.is_ok() { record.finished() },
        () = meter.idle(idle) => {}
    }
    record.received(inward.load(Relaxed));
    record.sent(outward.load(Relaxed));
}

/// One direction. Its end is passed on as an end; the other direction goes on.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    meter: &Meter,
    bytes: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = from.read(&mut buffer).await?;
        meter.touch();
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
        to.flush().await?;
        meter.touch();
        bytes.fetch_add(read as u64, Relaxed);
    }
}

/// When a byte last moved.
struct Meter {
    started: Instant,
    /// Milliseconds after `started`.
    last: AtomicU64,
}

impl Meter {
    fn touch(&self) {
        self.last.store(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    /// Returns once nothing has moved for `limit`.
    async fn idle(&self, limit: Duration) {
        loop {
            let end = self.started + Duration::from_millis(self.last.load(Relaxed)) + limit;
            if Instant::now() >= end {
                return;
            }
            tokio::time::sleep_until(end).await;
        }
    }
}
