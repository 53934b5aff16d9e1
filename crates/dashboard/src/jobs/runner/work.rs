//! One run of one job: what it needs from the database, the installer's run, and how it ends.

use super::journal::{DbJournal, Place};
use super::lease::Lease;
use super::{ending, inputs};
use crate::app::connections;
use crate::app::{Actor, App, AppError, AppResult};
use proxima_db::jobs;
use proxima_db::jobs::running::{self, Taken, Wanted};
use proxima_installer::{Earlier, HostKey, Job, JobKind as InstallerKind, Outcome, Plan, ProblemReport, StepId, plan};
use proxima_types::{JobKind, ServerId};
use serde::Deserialize;
use std::time::Duration;

/// A job that ended the process (or outlived it) so often is not begun again.
const TAKES_MAX: i64 = 10;
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// Carries the job out and ends it. Returns without an end only when the journal refused: then another dashboard, or this
/// one after the lease, goes on.
pub(super) async fn run(app: &App, taken: &Taken, lease: &Lease) {
    if taken.cancel_requested {
        lease.cancelled.cancel();
    }
    let end = if taken.fence > TAKES_MAX {
        ending::End::failed(ProblemReport {
            code: "INTERRUPTED_TOO_OFTEN".to_owned(),
            sentence: format!("This job was interrupted {TAKES_MAX} times and is given up."),
            remedy:
                "Run it again: that is safe from wherever it stopped. If it ends like this again, the operator finds \
                     the reason in the dashboard's log."
                    .to_owned(),
        })
    } else {
        match attempt(app, taken, lease).await {
            Ok(Outcome::Stopped(fenced)) => {
                tracing::warn!(job = %lease.hold.job, reason = fenced.0, "a run of a job stopped");
                return;
            }
            Ok(outcome) => ending::End::of(outcome),
            Err(AppError::Unavailable(error)) => {
                tracing::warn!(job = %lease.hold.job, ?error, "a job could not begin yet");
                return;
            }
            Err(error) => ending::End::failed(refused(&error)),
        }
    };
    // The end is worth waiting for the database: until the lease is over.
    while let Err(error) = ending::finish(app, taken, lease.hold, &end).await {
        tracing::warn!(job = %lease.hold.job, error = ?anyhow::Error::from(error), "a job's end could not be stored yet");
        tokio::time::sleep(RETRY_EVERY).await;
    }
}

/// Why a job could not begin, for the person who asked for it.
fn refused(error: &AppError) -> ProblemReport {
    let report = |code: &str, sentence: String, remedy: &str| ProblemReport {
        code: code.to_owned(),
        sentence,
        remedy: remedy.to_owned(),
    };
    if let Some(trouble) = error.key_trouble() {
        tracing::error!(%trouble, "a job could not begin");
        return report(
            "KEYS",
            "The dashboard cannot open what is stored for this server.".to_owned(),
            "The operator finds the reason under Settings, Keys. Once it is mended, enter the login again and run it once \
             more.",
        );
    }
    match error {
        AppError::NotNow { code, title, sentence } => {
            report(&code.to_uppercase(), format!("{title}."), &format!("{sentence}."))
        }
        other => {
            tracing::error!(error = ?other, "a job could not begin");
            report(
                "INTERNAL",
                "The dashboard could not prepare this job.".to_owned(),
                "Enter the server's login again and run it once more. If it ends like this again, the operator finds the \
                 reason in the dashboard's log.",
            )
        }
    }
}

async fn attempt(app: &App, taken: &Taken, lease: &Lease) -> AppResult<Outcome> {
    let server = ServerId(taken.server_id);
    let system = Actor::system();
    let mut connection = app.db.acquire().await.map_err(proxima_db::DbError::from)?;
    let found = proxima_db::connections::find(&mut connection, system.scope(), server, false).await?;
    drop(connection);
    let found = found.ok_or(AppError::NotFound)?;
    let row = connections::connected(&found)?;
    let pinned = connections::pinned(row)?;
    let target = connections::stored_target(row)?;
    let login = connections::login(app, server, row)?;
    let (inputs, install) = inputs::of(app, taken, lease).await?;
    let plan = stored_plan(app, taken, lease).await?;
    let place = Place { server, host: row.host.clone(), port: target.port() };
    let wanted = Wanted { server, install, started_after: taken.started_at };
    let job = Job {
        id: taken.id,
        kind: kind(taken.kind()),
        target,
        pinned: HostKey { algorithm: pinned.algorithm, fingerprint: pinned.fingerprint, openssh: pinned.line },
        login,
        inputs,
        earlier: earlier(app, taken).await?,
        cancel: lease.cancelled.clone(),
    };
    let tools = connections::tools(app).await?;
    let steps = plan.steps.iter().map(|step| step.id).collect();
    let mut journal = DbJournal::new(app, lease, place, steps, wanted);
    Ok(proxima_installer::run(&plan, job, &tools, &mut journal).await)
}

fn kind(kind: JobKind) -> InstallerKind {
    match kind {
        JobKind::Install => InstallerKind::Install,
        JobKind::Update => InstallerKind::Update,
        JobKind::Restart => InstallerKind::Restart,
        JobKind::Uninstall => InstallerKind::Uninstall,
    }
}

/// The plan that the job began with; else a new one, stored before anything is done.
async fn stored_plan(app: &App, taken: &Taken, lease: &Lease) -> AppResult<Plan> {
    if let Some(stored) = &taken.plan
        && let Ok(plan) = Plan::deserialize(stored)
    {
        return Ok(plan);
    }
    let facts = jobs::last_facts(&app.db, ServerId(taken.server_id)).await?;
    let facts = facts.and_then(|facts| serde_json::from_value(facts).ok());
    let plan = plan(kind(taken.kind()), facts.as_ref());
    let value = serde_json::to_value(&plan).map_err(|error| AppError::Internal(error.into()))?;
    let names: Vec<String> = plan.steps.iter().map(|step| word(step.id)).collect();
    let titles: Vec<String> = plan.steps.iter().map(|step| step.title.clone()).collect();
    if !running::set_plan(&app.db, lease.hold, &value, &names, &titles).await? {
        return Err(AppError::Unavailable(anyhow::anyhow!("the job is with another dashboard")));
    }
    Ok(plan)
}

/// A step's stored name.
pub(crate) fn word(step: StepId) -> String {
    serde_json::to_value(step).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// What an earlier run of this job recorded, when there was one.
async fn earlier(app: &App, taken: &Taken) -> AppResult<Option<Earlier>> {
    #[derive(Deserialize)]
    struct Undoing {
        step: StepId,
        problem: ProblemReport,
    }
    if taken.plan.is_none() {
        return Ok(None);
    }
    let rows = jobs::steps(&app.db, proxima_types::JobId(taken.id)).await?;
    let read = |name: &str, state: &str| {
        let step = serde_json::from_value(serde_json::Value::from(name)).ok()?;
        let state = serde_json::from_value(serde_json::Value::from(state)).ok()?;
        Some((step, state))
    };
    let states = rows.iter().filter_map(|row| read(&row.name, &row.state)).collect();
    let undoing = taken.undoing.as_ref().and_then(|value| Undoing::deserialize(value).ok());
    Ok(Some(Earlier { states, failure: undoing.map(|undoing| (undoing.step, undoing.problem)) }))
}
