//! What the dashboard that runs a job writes. Every write names the fence that the job was taken with: a dashboard
//! that was paused, and whose job another one took meanwhile, changes nothing when it wakes up. The row is locked while
//! its fence is compared, so a write and a takeover never pass each other.

use crate::{DbResult, PgConnection, PgPool};
use chrono::{DateTime, Utc};
use proxima_types::{InstallId, JobId, JobKind, JobState, ServerId, StepState};
use serde_json::Value;
use sqlx::PgExecutor;
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

/// How much output of one job is kept, in bytes.
const LOG_BYTES_MAX: i32 = 512 * 1024;
/// What a line costs beside its text: empty ones are rows too.
const LOG_LINE_BYTES: usize = 64;
/// The last line of a log that grew over that.
const LOG_FULL: &str = "The log is full: further output is not kept.";

/// A job, and the fence that it was taken with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    pub job: JobId,
    pub fence: i64,
}

/// A job that was taken.
#[derive(Debug, Clone)]
pub struct Taken {
    pub id: Uuid,
    pub fence: i64,
    pub server_id: Uuid,
    pub kind: String,
    pub requested_by: String,
    pub install_id: Option<Uuid>,
    pub api_secret_ciphertext: Option<Vec<u8>>,
    pub replace_other_server: bool,
    pub plan: Option<Value>,
    pub undoing: Option<Value>,
    pub cancel_requested: bool,
    pub started_at: DateTime<Utc>,
    /// The database's clock.
    pub now: DateTime<Utc>,
}

impl Taken {
    #[must_use]
    pub fn hold(&self) -> Hold {
        Hold { job: JobId(self.id), fence: self.fence }
    }

    /// The CHECK on the column lets no other word in.
    #[must_use]
    pub fn kind(&self) -> JobKind {
        self.kind.parse().unwrap_or(JobKind::Restart)
    }
}

/// Takes at most `limit` jobs that wait, or whose dashboard has not renewed its lease; the oldest first. One that a box
/// runs itself is nobody's to take.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn take(pool: &PgPool, lease: PgInterval, limit: u32) -> DbResult<Vec<Taken>> {
    Ok(sqlx::query_as!(
        Taken,
        r#"UPDATE jobs j SET state = 'RUNNING', fence = j.fence + 1, lease_until = clock_timestamp() + $1,
               started_at = COALESCE(j.started_at, clock_timestamp())
           FROM (SELECT id FROM jobs
                 WHERE state = 'QUEUED' OR (state = 'RUNNING' AND report_digest IS NULL AND lease_until < clock_timestamp())
                 ORDER BY requested_at, id LIMIT $2 FOR UPDATE SKIP LOCKED) due
           WHERE j.id = due.id
           RETURNING j.id, j.fence, j.server_id, j.kind, j.requested_by, j.install_id, j.api_secret_ciphertext,
                     j.replace_other_server, j.plan, j.undoing, (j.cancel_requested_at IS NOT NULL) AS "cancel_requested!",
                     j.started_at AS "started_at!", clock_timestamp() AS "now!""#,
        lease,
        i64::from(limit),
    )
    .fetch_all(pool)
    .await?)
}

/// What a renewed lease says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewed {
    pub cancel_requested: bool,
}

/// Prolongs the lease; `None` when the job is no longer held.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn renew(executor: impl PgExecutor<'_>, hold: Hold, lease: PgInterval) -> DbResult<Option<Renewed>> {
    Ok(sqlx::query_as!(
        Renewed,
        r#"UPDATE jobs SET lease_until = clock_timestamp() + $3 WHERE id = $1 AND fence = $2 AND state = 'RUNNING'
           RETURNING (cancel_requested_at IS NOT NULL) AS "cancel_requested!""#,
        hold.job.0,
        hold.fence,
        lease,
    )
    .fetch_optional(executor)
    .await?)
}

/// Lets go of a job that is not finished, so that another dashboard takes it at once.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn let_go(executor: impl PgExecutor<'_>, hold: Hold) -> DbResult<()> {
    sqlx::query!(
        "UPDATE jobs SET lease_until = '-infinity' WHERE id = $1 AND fence = $2 AND state = 'RUNNING'",
        hold.job.0,
        hold.fence,
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Stores what an install is to have: its id and its sealed secret. A resumed install keeps those it began with.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn set_identity(
    executor: impl PgExecutor<'_>,
    hold: Hold,
    install: InstallId,
    api_secret_ciphertext: &[u8],
) -> DbResult<bool> {
    let done = sqlx::query!(
        r#"UPDATE jobs SET install_id = $3, api_secret_ciphertext = $4
           WHERE id = $1 AND fence = $2 AND state = 'RUNNING' AND install_id IS NULL"#,
        hold.job.0,
        hold.fence,
        install.0,
        api_secret_ciphertext,
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The sealed secret of an install that is held.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn api_secret(executor: impl PgExecutor<'_>, hold: Hold) -> DbResult<Option<Vec<u8>>> {
    let row = sqlx::query_scalar!(
        "SELECT api_secret_ciphertext FROM jobs WHERE id = $1 AND fence = $2",
        hold.job.0,
        hold.fence,
    )
    .fetch_optional(executor)
    .await?;
    Ok(row.flatten())
}

/// Stores the plan, and a row for each of its steps (name and title, in order).
///
/// # Errors
/// See [`crate::DbError`].
pub async fn set_plan(
    executor: impl PgExecutor<'_>,
    hold: Hold,
    plan: &Value,
    names: &[String],
    titles: &[String],
) -> DbResult<bool> {
    let held = sqlx::query_scalar!(
        r#"WITH held AS (UPDATE jobs SET plan = $3 WHERE id = $1 AND fence = $2 AND state = 'RUNNING' RETURNING id),
           written AS (
               INSERT INTO job_steps (job_id, position, name, title)
               SELECT held.id, (s.position - 1)::int, s.name, s.title
               FROM held, UNNEST($4::text[], $5::text[]) WITH ORDINALITY AS s(name, title, position)
               ON CONFLICT DO NOTHING)
           SELECT count(*) AS "held!" FROM held"#,
        hold.job.0,
        hold.fence,
        plan,
        names,
        titles,
    )
    .fetch_one(executor)
    .await?;
    Ok(held == 1)
}

/// How far a step is.
#[derive(Debug, Clone)]
pub struct StepNews<'a> {
    pub state: StepState,
    pub problem: Option<&'a Value>,
    /// A list.
    pub warnings: &'a Value,
}

/// Says how far a step is. Times are the database's; a step that is begun again keeps its first beginning.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn set_step(executor: impl PgExecutor<'_>, hold: Hold, position: i32, news: StepNews<'_>) -> DbResult<bool> {
    let held = sqlx::query_scalar!(
        r#"WITH held AS (SELECT id FROM jobs WHERE id = $1 AND fence = $2 AND state = 'RUNNING' FOR SHARE),
           written AS (
               UPDATE job_steps s SET state = $4, problem = $5, warnings = $6,
                   started_at = COALESCE(s.started_at, clock_timestamp()),
                   finished_at = CASE $4 WHEN 'RUNNING' THEN NULL ELSE clock_timestamp() END
               FROM held WHERE s.job_id = held.id AND s.position = $3)
           SELECT count(*) AS "held!" FROM held"#,
        hold.job.0,
        hold.fence,
        position,
        news.state.as_str(),
        news.problem,
        news.warnings,
    )
    .fetch_one(executor)
    .await?;
    Ok(held == 1)
}

/// Says how many bytes a step has sent, of how many.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn set_progress(
    executor: impl PgExecutor<'_>,
    hold: Hold,
    position: i32,
    sent: i64,
    total: i64,
) -> DbResult<bool> {
    let held = sqlx::query_scalar!(
        r#"WITH held AS (SELECT id FROM jobs WHERE id = $1 AND fence = $2 AND state = 'RUNNING' FOR SHARE),
           written AS (
               UPDATE job_steps s SET sent = $4, total = $5
               FROM held WHERE s.job_id = held.id AND s.position = $3)
           SELECT count(*) AS "held!" FROM held"#,
        hold.job.0,
        hold.fence,
        position,
        sent,
        total,
    )
    .fetch_one(executor)
    .await?;
    Ok(held == 1)
}

/// Stores which step failed and why, before what was done is undone.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn set_undoing(executor: impl PgExecutor<'_>, hold: Hold, undoing: &Value) -> DbResult<bool> {
    let done = sqlx::query!(
        "UPDATE jobs SET undoing = $3 WHERE id = $1 AND fence = $2 AND state = 'RUNNING'",
        hold.job.0,
        hold.fence,
        undoing,
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Locks a job that is held, for changes of something else that belong to it. `false` when it is not held any more.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn lock(connection: &mut PgConnection, hold: Hold) -> DbResult<bool> {
    let held = sqlx::query!(
        "SELECT FROM jobs WHERE id = $1 AND fence = $2 AND state = 'RUNNING' FOR UPDATE",
        hold.job.0,
        hold.fence,
    )
    .fetch_optional(connection)
    .await?;
    Ok(held.is_some())
}

/// Appends lines that a step says, up to the bound of the whole log.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn append_log(executor: impl PgExecutor<'_>, hold: Hold, position: i32, lines: &[String]) -> DbResult<bool> {
    let bytes = lines.iter().map(|line| line.len() + LOG_LINE_BYTES).sum::<usize>();
    let held = sqlx::query_scalar!(
        r#"WITH held AS (SELECT id, log_bytes FROM jobs WHERE id = $1 AND fence = $2 AND state = 'RUNNING' FOR UPDATE),
           fits AS (SELECT id, log_bytes + $5 > $6 AS full FROM held WHERE log_bytes <= $6),
           counted AS (UPDATE jobs SET log_bytes = jobs.log_bytes + $5 FROM fits WHERE jobs.id = fits.id),
           written AS (
               INSERT INTO job_log (job_id, position, line)
               SELECT id, $3, line FROM (
                   SELECT fits.id, l.line, l.place FROM fits, UNNEST($4::text[]) WITH ORDINALITY AS l(line, place)
                   WHERE NOT fits.full
                   UNION ALL SELECT fits.id, $7, 0 FROM fits WHERE fits.full) chosen
               ORDER BY place)
           SELECT count(*) AS "held!" FROM held"#,
        hold.job.0,
        hold.fence,
        position,
        lines,
        i32::try_from(bytes).unwrap_or(LOG_BYTES_MAX),
        LOG_BYTES_MAX,
        LOG_FULL,
    )
    .fetch_one(executor)
    .await?;
    Ok(held == 1)
}

/// How a job ended.
#[derive(Debug, Clone)]
pub struct Ending<'a> {
    /// One of the final states.
    pub state: JobState,
    pub problem: Option<&'a Value>,
    pub receipt: Option<&'a Value>,
    pub result: Option<&'a Value>,
}

/// Ends a job. `false` when it is no longer held: then nothing has changed.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn finish(connection: &mut PgConnection, hold: Hold, ending: Ending<'_>) -> DbResult<bool> {
    let done = sqlx::query!(
        r#"UPDATE jobs SET state = $3, problem = $4, receipt = $5, result = $6, finished_at = clock_timestamp(),
               lease_until = NULL, undoing = NULL, api_secret_ciphertext = NULL
           WHERE id = $1 AND fence = $2 AND state = 'RUNNING'"#,
        hold.job.0,
        hold.fence,
        ending.state.as_str(),
        ending.problem,
        ending.receipt,
        ending.result,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives a server the secret of the install that succeeded.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn set_api_secret(connection: &mut PgConnection, server: ServerId, ciphertext: &[u8]) -> DbResult<()> {
    sqlx::query!(
        "UPDATE servers SET api_secret_ciphertext = $2, updated_at = now() WHERE id = $1",
        server.0,
        ciphertext,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Pins the certificate of a gateway's management API.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn set_management_fingerprint(
    connection: &mut PgConnection,
    server: ServerId,
    fingerprint: Option<&str>,
) -> DbResult<()> {
    sqlx::query!("UPDATE servers SET management_fingerprint = $2 WHERE id = $1", server.0, fingerprint)
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets what a server's gateways reported: it was uninstalled. One that lives on elsewhere is seen again by its next
/// heartbeat.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn forget_installs(connection: &mut PgConnection, server: ServerId) -> DbResult<()> {
    sqlx::query!("DELETE FROM gateway_installs WHERE server_id = $1", server.0).execute(connection).await?;
    Ok(())
}

/// What proves by a heartbeat that a job has come to its end.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub server: ServerId,
    /// Of this installation, or of any.
    pub install: Option<InstallId>,
    /// The gateway's process has started after this (give or take a second: an uptime is in whole seconds).
    pub started_after: DateTime<Utc>,
}

/// Whether that heartbeat has come: of a gateway that serves, or that the license keeps from serving.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn heard(executor: impl PgExecutor<'_>, wanted: Wanted) -> DbResult<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM gateway_installs g JOIN servers s ON s.id = g.server_id
               WHERE g.server_id = $1 AND ($2::uuid IS NULL OR g.install_id = $2)
                 AND g.last_heartbeat_at - make_interval(secs => LEAST(g.uptime_seconds, 1000000000)) >= $3::timestamptz - interval '1 second'
                 AND (g.phase = 'serving'
                      OR license_status_at(s.license_status, s.grace_expires_at, clock_timestamp()) = 'EXPIRED'))
           AS "heard!""#,
        wanted.server.0,
        wanted.install.map(|install| install.0),
        wanted.started_after,
    )
    .fetch_one(executor)
    .await?)
}
