//! Carries out the jobs on customers' boxes, at most so many at once, oldest first, beside any number of other
//! dashboards on the same database.
//!
//! The queue is the table `jobs` itself. Whoever takes a job raises its fence and holds it by a lease; every write names
//! the fence. A dashboard that dies is followed by another one when its lease is over; one that was only paused finds
//! that its writes change nothing, and stops.

mod ending;
mod inputs;
mod journal;
mod lease;
mod work;

pub(crate) use ending::{End, finish};
pub(crate) use inputs::{config_text, open_api_secret, ports, secret_place};
pub(crate) use journal::state_word;
pub(crate) use work::word;

use crate::app::{App, anchor};
use lease::Lease;
use proxima_db::jobs::running::{self, Taken};
use proxima_db::servers::interval;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How often a dashboard with free places looks for jobs that it was not told of: those queued by another dashboard, and
/// those whose dashboard has died.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a job stays with a dashboard that does not renew its lease. With [`LOOK_EVERY`] it is how late a job goes on
/// when its dashboard is killed.
const LEASE: Duration = Duration::from_secs(20);
/// How often a lease is renewed, and so how soon a running job learns that it is cancelled.
const RENEW_EVERY: Duration = Duration::from_secs(2);

/// Runs jobs until `stopping` says so; then lets go of them, for another dashboard or the next start to go on with.
pub async fn run(app: Arc<App>, mut stopping: watch::Receiver<bool>) {
    let places = app.config.jobs_at_once as usize;
    let mut running = JoinSet::new();
    while !*stopping.borrow() {
        let free = places.saturating_sub(running.len());
        for taken in look(&app, free).await {
            running.spawn(carry_out(Arc::clone(&app), taken, stopping.clone()));
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = app.job_queued.notified(), if free > 0 => {}
            Some(ended) = running.join_next(), if !running.is_empty() => report(ended),
            _ = stopping.changed() => {}
        }
        while let Some(ended) = running.try_join_next() {
            report(ended);
        }
    }
    while let Some(ended) = running.join_next().await {
        report(ended);
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a job's task ended by a defect; it is taken up again when its lease is over");
    }
}

async fn look(app: &App, free: usize) -> Vec<Taken> {
    let Ok(limit @ 1..) = u32::try_from(free) else { return Vec::new() };
    // Jobs of a restored database are of another time.
    if !matches!(anchor::look(app).await, Ok(Ok(()))) {
        return Vec::new();
    }
    match running::take(&app.db, lease_interval(), limit).await {
        Ok(taken) => taken,
        Err(error) => {
            tracing::warn!(error = ?anyhow::Error::from(error), "jobs could not be looked for; trying again");
            Vec::new()
        }
    }
}

fn lease_interval() -> sqlx::postgres::types::PgInterval {
    interval(chrono::Duration::from_std(LEASE).unwrap_or_default())
}

/// One job, as long as it is ours.
async fn carry_out(app: Arc<App>, taken: Taken, stopping: watch::Receiver<bool>) {
    let hold = taken.hold();
    let job = hold.job;
    tracing::info!(%job, kind = taken.kind, server = %taken.server_id, fence = hold.fence, "a job begins");
    let lease = Lease::new(hold);
    match lease.guard(&app, work::run(&app, &taken, &lease), stopping).await {
        lease::Guarded::Ended(()) => tracing::info!(%job, "a job ended"),
        lease::Guarded::Lost => tracing::warn!(%job, "a job is with another dashboard now"),
        lease::Guarded::Stopped => {
            if let Err(error) = running::let_go(&app.db, hold).await {
                tracing::warn!(%job, error = ?anyhow::Error::from(error), "a job could not be let go of");
            }
        }
    }
}
