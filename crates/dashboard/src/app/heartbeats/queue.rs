//! Waiting heartbeats, taken in batches: one statement reads all their verdicts, one records what
//! they report. The queue is bounded; beyond it a gateway is told to come back, and goes on serving.

use crate::app::anchor::Anchor;
use futures_util::FutureExt as _;
use proxima_db::heartbeats::{self, Finding, Findings, Question, Report};
use proxima_db::{DbError, PgPool};
use proxima_types::heartbeat::HeartbeatRequest;
use proxima_types::{KeyDigest, ServerId};
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard, mpsc, oneshot};
use uuid::Uuid;

/// How many heartbeats wait at most.
const QUEUE_LENGTH: usize = 8192;
/// How many one batch holds at most.
const BATCH_MAX: usize = 512;
/// How many batches are under way at once, at most.
const WORKERS: usize = 3;
/// When the last batch was so large, the next one is collected: a larger one costs less for each of its heartbeats.
const BUSY: usize = 16;
/// It is collected until it is as large as the last one, or so large, or for so many milliseconds. Nobody notices: gateways
/// come once a minute.
const COLLECTED: usize = 256;
const COLLECT_MS: u32 = 5;
/// How long a batch has the database to itself. One at a time makes the largest batches, which cost the database the
/// least; one that is stuck must not hold up the others.
const TURN: Duration = Duration::from_millis(50);
/// How long a batch may take: nobody waits longer for its verdicts. A database host that vanishes without a word must
/// not keep a worker for the quarter of an hour that TCP takes to notice.
const BATCH_WITHIN: Duration = Duration::from_secs(9);

/// The database's word on one heartbeat, and its clock at that moment.
#[derive(Debug, Clone)]
pub struct Judged {
    pub finding: Finding,
    pub now: chrono::DateTime<chrono::Utc>,
    pub offline_limit_days: Option<i32>,
}

struct Waiting {
    digest: KeyDigest,
    report: HeartbeatRequest,
    reply: oneshot::Sender<Result<Judged, NoVerdict>>,
}

/// Why a heartbeat got no verdict. None of them is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoVerdict {
    QueueFull,
    DatabaseUnavailable,
    /// The database is not the one that this dashboard knows (invariant 13).
    BehindAnchor,
}

pub struct HeartbeatQueue {
    sender: mpsc::Sender<Waiting>,
}

/// Whoever holds it takes the next batch.
struct Turn {
    receiver: mpsc::Receiver<Waiting>,
    /// How large the batch before was.
    last: usize,
}

impl Turn {
    /// The next batch; empty when there will be none.
    async fn take(&mut self) -> Vec<Waiting> {
        let mut batch = Vec::new();
        let mut left = if self.last >= BUSY { COLLECT_MS } else { 0 };
        while left > 0 && self.receiver.len() < self.last.min(COLLECTED) {
            tokio::time::sleep(Duration::from_millis(1)).await;
            left -= 1;
        }
        self.last = self.receiver.recv_many(&mut batch, BATCH_MAX).await;
        batch
    }
}

impl HeartbeatQueue {
    /// Starts the workers; they end when the queue is dropped.
    #[must_use]
    pub fn start(db: &PgPool, anchor: &Arc<Anchor>) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
        let turn = Arc::new(Mutex::new(Turn { receiver, last: 0 }));
        for _ in 0..WORKERS {
            tokio::spawn(work(db.clone(), Arc::clone(anchor), Arc::clone(&turn)));
        }
        Self { sender }
    }

    /// # Errors
    /// [`NoVerdict`]: answer 503.
    pub async fn judge(&self, digest: KeyDigest, report: HeartbeatRequest) -> Result<Judged, NoVerdict> {
        let (reply, answer) = oneshot::channel();
        self.sender.try_send(Waiting { digest, report, reply }).map_err(|_| NoVerdict::QueueFull)?;
        match answer.await {
            Ok(outcome) => outcome,
            Err(_) => Err(NoVerdict::DatabaseUnavailable),
        }
    }
}

async fn work(db: PgPool, anchor: Arc<Anchor>, turns: Arc<Mutex<Turn>>) {
    loop {
        let mut turn = turns.lock().await;
        let mut batch = turn.take().await;
        if batch.is_empty() {
            return;
        }
        // Who has hung up comes back by itself: under more load than can be carried only those who still wait are judged.
        let waited = batch.len();
        batch.retain(|waiting| !waiting.reply.is_closed());
        metrics::counter!("proxima_heartbeats_abandoned_total").increment((waited - batch.len()) as u64);
        if batch.is_empty() {
            continue;
        }
        #[allow(clippy::cast_precision_loss)] // at most BATCH_MAX
        metrics::histogram!("proxima_heartbeat_batch_size").record(batch.len() as f64);
        let outcome = judge_in_turn(&db, &anchor, &batch, turn).await;
        match &outcome {
            // A lag is logged once, where it is found.
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, heartbeats = batch.len(), "heartbeats got no verdict: the database did not answer");
            }
            Err(_) => tracing::error!(heartbeats = batch.len(), "heartbeats got no verdict: judging them panicked"),
        }
        reply(
            batch,
            outcome
                .unwrap_or(Err(DbError::Internal(sqlx::Error::WorkerCrashed)))
                .unwrap_or(Err(NoVerdict::DatabaseUnavailable)),
        );
    }
}

/// Judges a batch. The next one starts when this one is done, or has had its turn.
async fn judge_in_turn(
    db: &PgPool,
    anchor: &Anchor,
    batch: &[Waiting],
    turn: MutexGuard<'_, Turn>,
) -> std::thread::Result<Result<Result<Findings, NoVerdict>, DbError>> {
    // A panic costs this batch its verdicts, never the fleet its worker.
    let mut judging = pin!(AssertUnwindSafe(judge_in_time(db, anchor, batch)).catch_unwind());
    let in_turn = tokio::time::timeout(TURN, &mut judging).await;
    drop(turn);
    match in_turn {
        Ok(outcome) => outcome,
        Err(_) => judging.await,
    }
}

fn reply(batch: Vec<Waiting>, findings: Result<Findings, NoVerdict>) {
    match findings {
        Ok(Findings { now, offline_limit_days, findings, .. }) => {
            for (waiting, finding) in batch.into_iter().zip(findings) {
                let _ = waiting.reply.send(Ok(Judged { finding, now, offline_limit_days }));
            }
        }
        Err(reason) => {
            for waiting in batch {
                let _ = waiting.reply.send(Err(reason));
            }
        }
    }
}

async fn judge_in_time(
    db: &PgPool,
    anchor: &Anchor,
    batch: &[Waiting],
) -> Result<Result<Findings, NoVerdict>, DbError> {
    let judged = tokio::time::timeout(BATCH_WITHIN, judge_batch(db, anchor, batch)).await;
    judged.unwrap_or(Err(DbError::Unavailable(sqlx::Error::PoolTimedOut)))
}

async fn judge_batch(db: &PgPool, anchor: &Anchor, batch: &[Waiting]) -> Result<Result<Findings, NoVerdict>, DbError> {
    let questions: Vec<Question> = batch
        .iter()
        .map(|waiting| Question { digest: waiting.digest, known_config: newest_known_config(&waiting.report) })
        .collect();
    let mark = anchor.mark();
    let findings = heartbeats::judge(db, &questions, mark.as_ref().map_or(0, |mark| mark.audit_id)).await?;
    if anchor.judge(db, mark.as_ref(), &findings.seen).await?.is_err() {
        return Ok(Err(NoVerdict::BehindAnchor));
    }
    record(db, batch, &findings.findings).await?;
    if findings.findings.iter().any(|finding| is_unobserved_expiry(finding, findings.now)) {
        crate::app::licenses::observe_expiries(db)
            .await
            .map_err(|error| DbError::Unavailable(sqlx::Error::Io(std::io::Error::other(error.to_string()))))?;
    }
    finish_rotations(db, batch, &findings.findings).await;
    Ok(Ok(findings))
}

/// Ends the rotations that this batch ends. The verdicts stand without it: what fails here is done by the next
/// heartbeat, or by a sweep.
async fn finish_rotations(db: &PgPool, batch: &[Waiting], findings: &[Finding]) {
    let used: Vec<KeyDigest> = batch
        .iter()
        .zip(findings)
        .filter(|(_, finding)| matches!(finding, Finding::Licensed(licensed) if licensed.first_use))
        .map(|(waiting, _)| waiting.digest)
        .collect();
    let overdue = findings.iter().any(|finding| matches!(finding, Finding::Retired { overdue: true, .. }));
    if used.is_empty() && !overdue {
        return;
    }
    if let Err(error) = crate::app::licenses::rotation::finish(db, &used).await {
        tracing::warn!(error = ?anyhow::Error::from(error), "a rotation could not be ended; the next heartbeat tries again");
    }
}

/// A gateway that has rejected the desired configuration need not be sent it again.
fn newest_known_config(report: &HeartbeatRequest) -> Option<proxima_types::ConfigGeneration> {
    report.applied_config.max(report.rejected_config.as_ref().map(|rejected| rejected.generation))
}

fn is_unobserved_expiry(finding: &Finding, now: chrono::DateTime<chrono::Utc>) -> bool {
    matches!(finding, Finding::Licensed(licensed)
        if !licensed.expiry_observed && licensed.license.status_at(now) == proxima_types::LicenseStatus::Expired)
}

/// Records the reports of licensed gateways: of several of one install in a batch the newest.
async fn record(db: &PgPool, batch: &[Waiting], findings: &[Finding]) -> Result<(), DbError> {
    let mut newest: HashMap<(ServerId, Uuid), Report<'_>> = HashMap::new();
    for (waiting, finding) in batch.iter().zip(findings) {
        let Finding::Licensed(licensed) = finding else { continue };
        let heartbeat = &waiting.report;
        let report = Report { server_id: licensed.server_id, digest: waiting.digest, heartbeat };
        newest
            .entry((licensed.server_id, heartbeat.install_id.0))
            .and_modify(|kept| {
                if kept.heartbeat.boot_id != heartbeat.boot_id || kept.heartbeat.sequence < heartbeat.sequence {
                    *kept = report;
                }
            })
            .or_insert(report);
    }
    let reports: Vec<Report<'_>> = newest.into_values().collect();
    if reports.is_empty() {
        return Ok(());
    }
    let first_seen = match heartbeats::record(db, &reports).await {
        // A server was deleted between the two statements: the second time it is left out.
        Err(DbError::Gone { .. }) => heartbeats::record(db, &reports).await?,
        other => other?,
    };
    if first_seen.is_empty() { Ok(()) } else { heartbeats::trim_installs(db, &first_seen).await }
}
