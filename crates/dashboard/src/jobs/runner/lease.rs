//! Holding a job: renewing its lease, hearing of its cancellation, and stopping at once when it is not ours any more.

use super::{LEASE, RENEW_EVERY, lease_interval};
use crate::app::App;
use proxima_db::jobs::running::{self, Hold};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// We stop so long before anybody else may take the job.
const MARGIN: Duration = Duration::from_secs(2);

/// A job that this dashboard holds.
pub(super) struct Lease {
    pub hold: Hold,
    /// Cancelled when a person asked for the job's end.
    pub cancelled: CancellationToken,
    /// Counted from before a renewal was asked for, so never later than the database's own.
    until: Mutex<Instant>,
}

/// How the work on a job came to its end here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Guarded<T> {
    Ended(T),
    /// The lease is over, or somebody else has the job.
    Lost,
    /// This dashboard stops.
    Stopped,
}

impl Lease {
    pub fn new(hold: Hold) -> Self {
        Self { hold, cancelled: CancellationToken::new(), until: Mutex::new(Instant::now() + LEASE - MARGIN) }
    }

    fn until(&self) -> Instant {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls `work` only while the job is ours: a process that was paused for longer than the lease does nothing more
    /// when it wakes up.
    pub async fn guard<T>(
        &self,
        app: &App,
        work: impl Future<Output = T>,
        mut stopping: watch::Receiver<bool>,
    ) -> Guarded<T> {
        let mut work = pin!(work);
        let work = poll_fn(|context| {
            if Instant::now() >= self.until() {
                return Poll::Ready(Guarded::Lost);
            }
            work.as_mut().poll(context).map(Guarded::Ended)
        });
        tokio::select! {
            biased;
            () = self.keep(app) => Guarded::Lost,
            _ = stopping.wait_for(|stop| *stop) => Guarded::Stopped,
            ended = work => ended,
        }
    }

    /// Renews until the job is lost.
    async fn keep(&self, app: &App) {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            let asked = Instant::now();
            let rest = self.until().saturating_duration_since(asked);
            match tokio::time::timeout(rest, running::renew(&app.db, self.hold, lease_interval())).await {
                Ok(Ok(Some(renewed))) => {
                    *self.until.lock().unwrap_or_else(PoisonError::into_inner) = asked + LEASE - MARGIN;
                    if renewed.cancel_requested {
                        self.cancelled.cancel();
                    }
                }
                Ok(Ok(None)) | Err(_) => return,
                // The database may be back before the lease is over.
                Ok(Err(error)) => tracing::warn!(%error, job = %self.hold.job, "a lease could not be renewed yet"),
            }
        }
    }
}
