//! Jobs on customers' boxes, as people see them. What the dashboard that runs one writes is in [`running`].

pub mod running;

use crate::page::{Page, fetch_count};
use crate::servers::Scope;
use crate::{DbResult, PgConnection, PgPool};
use chrono::{DateTime, Utc};
use proxima_types::{JobId, JobKind, JobState, ServerId};
use serde_json::Value;
use sqlx::PgExecutor;
use uuid::Uuid;

/// How many finished jobs of one server are remembered, beside the newest install that has a receipt.
const FINISHED_PER_SERVER: i64 = 100;

/// A job as it stands.
#[derive(Debug, Clone)]
pub struct JobRow {
    pub id: Uuid,
    pub server_id: Uuid,
    pub kind: String,
    pub state: String,
    pub requested_by: String,
    pub requested_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub cancel_requested_at: Option<DateTime<Utc>>,
    pub plan: Option<Value>,
    pub receipt: Option<Value>,
    pub result: Option<Value>,
    pub problem: Option<Value>,
    /// The box runs it itself, by an install command.
    pub by_command: bool,
    pub now: DateTime<Utc>,
}

impl JobRow {
    /// The CHECKs on the columns let no other word in.
    #[must_use]
    pub fn kind(&self) -> JobKind {
        self.kind.parse().unwrap_or(JobKind::Restart)
    }

    #[must_use]
    pub fn state(&self) -> JobState {
        self.state.parse().unwrap_or(JobState::Failed)
    }
}

/// A step of a job.
#[derive(Debug, Clone)]
pub struct StepRow {
    pub position: i32,
    pub name: String,
    pub title: String,
    pub state: String,
    pub problem: Option<Value>,
    pub warnings: Value,
    pub sent: Option<i64>,
    pub total: Option<i64>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// A line of a job's log.
#[derive(Debug, Clone)]
pub struct LogRow {
    pub id: i64,
    pub position: i32,
    pub time: DateTime<Utc>,
    pub line: String,
}

/// Queues a job, and forgets the oldest finished ones of the server beyond the bound.
///
/// # Errors
/// [`crate::DbError::Conflict`] of `jobs_one_unfinished` when another one of the server is not finished.
pub async fn insert(
    connection: &mut PgConnection,
    id: JobId,
    server: ServerId,
    kind: JobKind,
    replace_other_server: bool,
    requested_by: &str,
) -> DbResult<()> {
    sqlx::query!(
        "INSERT INTO jobs (id, server_id, kind, replace_other_server, requested_by) VALUES ($1, $2, $3, $4, $5)",
        id.0,
        server.0,
        kind.as_str(),
        replace_other_server,
        requested_by,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        r#"DELETE FROM jobs WHERE id IN (
               SELECT id FROM jobs WHERE server_id = $1 AND finished_at IS NOT NULL
                   AND id IS DISTINCT FROM (SELECT id FROM jobs
                                            WHERE server_id = $1 AND kind = 'INSTALL' AND receipt IS NOT NULL
                                            ORDER BY requested_at DESC, id DESC LIMIT 1)
               ORDER BY requested_at DESC, id DESC OFFSET $2)"#,
        server.0,
        FINISHED_PER_SERVER,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// One job of a server, if the caller may see it.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn find(
    executor: impl PgExecutor<'_>,
    scope: Scope,
    server: ServerId,
    id: JobId,
) -> DbResult<Option<JobRow>> {
    Ok(sqlx::query_as!(
        JobRow,
        r#"SELECT j.id, j.server_id, j.kind, j.state, j.requested_by, j.requested_at, j.started_at, j.finished_at,
                  j.cancel_requested_at, j.plan, j.receipt, j.result, j.problem,
                  (j.report_digest IS NOT NULL) AS "by_command!", clock_timestamp() AS "now!"
           FROM jobs j JOIN servers s ON s.id = j.server_id
           WHERE j.id = $1 AND j.server_id = $2 AND ($3::uuid IS NULL OR s.owner_id = $3)"#,
        id.0,
        server.0,
        scope.owner(),
    )
    .fetch_optional(executor)
    .await?)
}

/// Where a page of jobs begins: after this one.
pub type Cursor = (DateTime<Utc>, Uuid);

/// The jobs of a server, newest first. The caller has made sure that it may be seen.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn list(
    pool: &PgPool,
    server: ServerId,
    after: Option<&Cursor>,
    limit: u32,
) -> DbResult<Page<JobRow, Cursor>> {
    let rows = sqlx::query_as!(
        JobRow,
        r#"SELECT id, server_id, kind, state, requested_by, requested_at, started_at, finished_at,
                  cancel_requested_at, NULL::jsonb AS plan, NULL::jsonb AS receipt, NULL::jsonb AS result, problem,
                  (report_digest IS NOT NULL) AS "by_command!", clock_timestamp() AS "now!"
           FROM jobs
           WHERE server_id = $1 AND ($2::timestamptz IS NULL OR (requested_at, id) < ($2, $3))
           ORDER BY requested_at DESC, id DESC LIMIT $4"#,
        server.0,
        after.map(|(time, _)| *time),
        after.map(|(_, id)| *id),
        fetch_count(limit),
    )
    .fetch_all(pool)
    .await?;
    Ok(Page::from_rows(rows, limit, |row| (row.requested_at, row.id)))
}

/// The job of a server that is not finished, if any.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn unfinished(executor: impl PgExecutor<'_>, server: ServerId) -> DbResult<Option<JobKind>> {
    let kind =
        sqlx::query_scalar!("SELECT kind FROM jobs WHERE server_id = $1 AND state IN ('QUEUED', 'RUNNING')", server.0)
            .fetch_optional(executor)
            .await?;
    Ok(kind.and_then(|kind| kind.parse().ok()))
}

/// # Errors
/// See [`crate::DbError`].
pub async fn steps(executor: impl PgExecutor<'_>, id: JobId) -> DbResult<Vec<StepRow>> {
    Ok(sqlx::query_as!(
        StepRow,
        r#"SELECT position, name, title, state, problem, warnings, sent, total, started_at, finished_at
           FROM job_steps WHERE job_id = $1 ORDER BY position"#,
        id.0
    )
    .fetch_all(executor)
    .await?)
}

/// The lines of a job's log after the line `after`, oldest first.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn log(executor: impl PgExecutor<'_>, id: JobId, after: i64, limit: u32) -> DbResult<Vec<LogRow>> {
    Ok(sqlx::query_as!(
        LogRow,
        "SELECT id, position, time, line FROM job_log WHERE job_id = $1 AND id > $2 ORDER BY id LIMIT $3",
        id.0,
        after,
        i64::from(limit),
    )
    .fetch_all(executor)
    .await?)
}

/// Asks for a job's end: a queued one is CANCELLED at once, a running one is told. Returns the state that it has then;
/// `None` when it is finished already.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn request_cancel(connection: &mut PgConnection, id: JobId) -> DbResult<Option<JobState>> {
    let state = sqlx::query_scalar!(
        r#"UPDATE jobs SET cancel_requested_at = COALESCE(cancel_requested_at, clock_timestamp()),
               state = CASE state WHEN 'QUEUED' THEN 'CANCELLED' ELSE state END,
               finished_at = CASE state WHEN 'QUEUED' THEN clock_timestamp() END
           WHERE id = $1 AND state IN ('QUEUED', 'RUNNING') RETURNING state"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(state.and_then(|state| state.parse().ok()))
}

/// What the newest job that succeeded found the box to be, if any did.
///
/// # Errors
/// See [`crate::DbError`].
pub async fn last_facts(executor: impl PgExecutor<'_>, server: ServerId) -> DbResult<Option<Value>> {
    let facts = sqlx::query_scalar!(
        r#"SELECT result -> 'facts' FROM jobs WHERE server_id = $1 AND jsonb_typeof(result -> 'facts') = 'object'
           ORDER BY requested_at DESC, id DESC LIMIT 1"#,
        server.0,
    )
    .fetch_optional(executor)
    .await?;
    Ok(facts.flatten())
}
