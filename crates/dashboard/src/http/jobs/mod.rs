//! Installs, updates, restarts and uninstalls of a server.

mod cancel;
mod create;
mod get;
mod list;

use super::AppState;
use super::connections::BoxProblem;
use crate::app::jobs::Details;
use chrono::{DateTime, Utc};
use proxima_db::jobs::{JobRow, LogRow, StepRow};
use proxima_types::{JobId, JobKind, JobState, ServerId, StepState};
use serde::Serialize;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create::jobs_create, list::jobs_list))
        .routes(routes!(get::jobs_get))
        .routes(routes!(cancel::jobs_cancel))
}

/// A job.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    pub id: JobId,
    pub server_id: ServerId,
    pub kind: JobKind,
    pub state: JobState,
    /// The username of who asked.
    pub requested_by: String,
    pub requested_at: DateTime<Utc>,
    #[schema(required)]
    pub started_at: Option<DateTime<Utc>>,
    #[schema(required)]
    pub finished_at: Option<DateTime<Utc>>,
    /// A running job stops, and puts back what it changed.
    pub cancel_requested: bool,
    /// The server runs it itself, by an install command; else the dashboard runs it by SSH.
    pub by_command: bool,
    /// Why it did not succeed.
    #[schema(required)]
    pub problem: Option<BoxProblem>,
    /// The database's clock: elapsed times are counted from the times here to this one.
    pub now: DateTime<Utc>,
}

/// A job with its steps and log.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobDetails {
    #[serde(flatten)]
    pub job: Job,
    /// Empty until the job runs.
    pub steps: Vec<JobStep>,
    /// The lines after the cursor `after`, oldest first, at most 1000.
    pub log: Vec<JobLogLine>,
    /// The cursor for the next request.
    pub log_cursor: i64,
    /// What could not be put back after a failure, in sentences.
    pub remains: Vec<String>,
    /// What an install put on the box.
    #[schema(required, value_type = Option<Object>)]
    pub receipt: Option<Value>,
    /// What a job that succeeded found and left: `facts`, `update`, `uninstalled`, `warnings`.
    #[schema(required, value_type = Option<Object>)]
    pub result: Option<Value>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobStep {
    /// `CONNECT`, `HOST_KEY`, …
    pub id: String,
    pub title: String,
    /// One sentence: what it will do.
    pub will: String,
    /// One sentence: how it is undone; `null` when it changes nothing.
    #[schema(required)]
    pub undo: Option<String>,
    pub state: StepState,
    /// Why it failed, or what remains of it.
    #[schema(required)]
    pub problem: Option<BoxProblem>,
    pub warnings: Vec<BoxProblem>,
    /// Bytes sent so far, and in all, of a step that sends something.
    #[schema(required)]
    pub sent_bytes: Option<i64>,
    #[schema(required)]
    pub total_bytes: Option<i64>,
    #[schema(required)]
    pub started_at: Option<DateTime<Utc>>,
    #[schema(required)]
    pub finished_at: Option<DateTime<Utc>>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobLogLine {
    pub id: i64,
    /// The step that says it, counted from 0.
    pub step: i32,
    pub time: DateTime<Utc>,
    pub line: String,
}

/// A problem as it is stored.
fn stored_problem(value: &Value) -> BoxProblem {
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    BoxProblem { code: text("code"), sentence: text("sentence"), remedy: text("remedy") }
}

impl From<JobRow> for Job {
    fn from(row: JobRow) -> Self {
        Self {
            id: JobId(row.id),
            server_id: ServerId(row.server_id),
            kind: row.kind(),
            state: row.state(),
            requested_by: row.requested_by,
            requested_at: row.requested_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            cancel_requested: row.cancel_requested_at.is_some(),
            by_command: row.by_command,
            problem: row.problem.as_ref().map(stored_problem),
            now: row.now,
        }
    }
}

impl JobDetails {
    fn new(details: Details, after: i64) -> Self {
        let Details { mut job, steps, log } = details;
        let (plan, receipt, result) = (job.plan.take(), job.receipt.take(), job.result.take());
        let remains = job.problem.as_ref().and_then(|problem| problem["remains"].as_array());
        let remains = remains
            .map_or_else(Vec::new, |list| list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect());
        Self {
            steps: steps.into_iter().map(|row| step(row, plan.as_ref())).collect(),
            log_cursor: log.last().map_or(after, |line| line.id),
            log: log.into_iter().map(JobLogLine::from).collect(),
            job: job.into(),
            remains,
            receipt,
            result,
        }
    }
}

/// A step with the plan's words for it.
fn step(row: StepRow, plan: Option<&Value>) -> JobStep {
    let planned = usize::try_from(row.position).ok().and_then(|place| plan?.get("steps")?.get(place));
    let text = |name: &str| planned.and_then(|step| step.get(name)?.as_str()).map(str::to_owned);
    JobStep {
        id: row.name,
        title: row.title,
        will: text("will").unwrap_or_default(),
        undo: text("undo"),
        // The CHECK on the column lets no other word in.
        state: row.state.parse().unwrap_or(StepState::Pending),
        problem: row.problem.as_ref().map(stored_problem),
        warnings: row.warnings.as_array().map_or_else(Vec::new, |list| list.iter().map(stored_problem).collect()),
        sent_bytes: row.sent,
        total_bytes: row.total,
        started_at: row.started_at,
        finished_at: row.finished_at,
    }
}

impl From<LogRow> for JobLogLine {
    fn from(row: LogRow) -> Self {
        Self { id: row.id, step: row.position, time: row.time, line: row.line }
    }
}
