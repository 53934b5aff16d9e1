//! Test connection: the first steps of an install, which only look.

use super::credential::{open_secret, open_sudo};
use super::{connected, find, host_key_changed, pinned, stored_target, target};
use crate::app::audit;
use crate::app::{Actor, App, AppError, AppResult, commit};
use crate::jobs::runner::state_word;
use async_trait::async_trait;
use proxima_db::connections::{self, ConnectionRow};
use proxima_installer::{
    AccessTraded, Credential, Facts, Fenced, HostKey, Job, JobInputs, JobKind, Journal, Login, Outcome, Plan,
    ProblemReport, StepEnd, StepId, StepState, Succeeded, Tools, plan,
};
use proxima_types::ServerId;
use proxima_types::identity::DashboardUrl;
use secrecy::SecretString;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A test is watched by a person, and a request lasts a minute at most.
const LIMIT: Duration = Duration::from_secs(50);
/// What a test does.
const STEPS: [StepId; 5] = [StepId::Connect, StepId::HostKey, StepId::Login, StepId::Privileges, StepId::Facts];

/// What a test found.
pub struct Tested {
    /// The connection afterwards: a host key that changed shows there.
    pub connection: ConnectionRow,
    /// What was tried, in order: title and how it ended.
    pub steps: Vec<(String, proxima_types::StepState)>,
    pub facts: Option<Facts>,
    /// What stands in the way of an install.
    pub problem: Option<ProblemReport>,
    /// What does not, but is good to know.
    pub warnings: Vec<ProblemReport>,
}

/// Logs in to a box with what is stored, and looks whether the gateway can be installed there.
///
/// # Errors
/// [`AppError::NotFound`]; [`AppError::NotNow`] when nothing is connected, no host key confirmed or it changed, or no login
/// stored; too many or too much at once as [`super::Attempts::begin`]. What the box says is in [`Tested`].
pub async fn test(app: &App, actor: &Actor, id: ServerId) -> AppResult<Tested> {
    const ACTION: &str = "server.connection.test";
    let found = find(&mut *app.db.acquire().await.map_err(proxima_db::DbError::from)?, actor, id).await?;
    let row = connected(&found)?;
    let job = job(app, id, row)?;
    let _attempt = app.attempts.begin(id)?;
    let plan = looking_plan();
    let mut watcher = Watcher { ended: Vec::new() };
    let (cancel, tools) = (job.cancel.clone(), tools(app).await?);
    let run = proxima_installer::run(&plan, job, &tools, &mut watcher);
    let outcome = if let Ok(outcome) = tokio::time::timeout(LIMIT, run).await {
        outcome
    } else {
        cancel.cancel();
        Outcome::Failed { step: StepId::Connect, problem: too_slow(), remains: Vec::new() }
    };
    let (succeeded, problem) = match outcome {
        Outcome::Succeeded(succeeded) => (*succeeded, None),
        Outcome::Failed { problem, .. } => (Succeeded::default(), Some(problem)),
        Outcome::Cancelled { .. } | Outcome::Stopped(_) => (Succeeded::default(), Some(too_slow())),
    };
    if problem.as_ref().is_some_and(|problem| problem.code == host_key_changed::CODE) {
        host_key_changed::remember(app, id, row).await?;
    }
    let metadata = json!({ "host": row.host, "port": row.port, "problem": problem.as_ref().map(|p| &p.code) });
    let mut tx = app.begin().await?;
    if problem.is_none() {
        audit::succeeded(&mut tx, actor, ACTION, target(id, &found), metadata).await?;
    } else {
        audit::failed(&mut tx, actor, ACTION, target(id, &found), metadata).await?;
    }
    commit(tx).await?;
    let connection = connections::row(&app.db, id).await?.ok_or(AppError::NotFound)?;
    let title = |step: StepId| {
        plan.steps.iter().find(|planned| planned.id == step).map(|planned| planned.title.clone()).unwrap_or_default()
    };
    let steps = watcher.ended.iter().map(|(step, state)| (title(*step), state_word(*state))).collect();
    Ok(Tested { connection, steps, facts: succeeded.facts, problem, warnings: succeeded.warnings })
}

fn looking_plan() -> Plan {
    let whole = plan(JobKind::Install, None);
    let steps = whole.steps.into_iter().filter(|step| STEPS.contains(&step.id)).collect();
    Plan { kind: whole.kind, steps }
}

fn too_slow() -> ProblemReport {
    ProblemReport {
        code: "TOO_SLOW".to_owned(),
        sentence: format!("The test did not come to an end within {} seconds.", LIMIT.as_secs()),
        remedy: "Try again; an install has more patience than this test.".to_owned(),
    }
}

fn job(app: &App, id: ServerId, row: &ConnectionRow) -> AppResult<Job> {
    let pinned = pinned(row)?;
    // Not asked for by any step that only looks.
    let unused =
        DashboardUrl::parse("https://localhost").map_err(|error| AppError::Internal(anyhow::anyhow!(error)))?;
    Ok(Job {
        id: crate::entropy::EntropyExt::uuid(app.entropy.as_ref()),
        kind: JobKind::Install,
        target: stored_target(row)?,
        pinned: HostKey { algorithm: pinned.algorithm, fingerprint: pinned.fingerprint, openssh: pinned.line },
        login: login(app, id, row)?,
        inputs: JobInputs {
            dashboard_url: app.config.gateway_url.clone().unwrap_or(unused),
            config: None,
            replace_other_server: false,
            ports: Vec::new(),
            access: None,
        },
        earlier: None,
        cancel: CancellationToken::new(),
    })
}

/// What is stored, to log in with.
///
/// # Errors
/// As [`open_secret`].
pub(crate) fn login(app: &App, id: ServerId, row: &ConnectionRow) -> AppResult<Login> {
    let sudo_password = open_sudo(app, id, row)?.map(|text| SecretString::from(text.as_str()));
    Ok(Login { credential: Credential::from(&open_secret(app, id, row)?), sudo_password })
}

/// What runs need from this dashboard.
///
/// # Errors
/// When the database is not to be had.
pub(crate) async fn tools(app: &App) -> AppResult<Tools> {
    // The database's clock, carried on: the only one that dates are judged by here.
    let (then, started) = (proxima_db::now(&app.db).await?, Instant::now());
    let entropy = Arc::clone(&app.entropy);
    Ok(Tools {
        outbound: super::outbound(app).await?,
        binaries: app.config.binaries(),
        clock: Arc::new(move || then + started.elapsed()),
        random: Arc::new(move |buffer: &mut [u8]| entropy.fill(buffer)),
        limits: app.config.job_limits,
    })
}

/// Remembers how each step ended.
struct Watcher {
    ended: Vec<(StepId, StepState)>,
}

#[async_trait]
impl Journal for Watcher {
    async fn step_started(&mut self, _step: StepId) -> Result<(), Fenced> {
        Ok(())
    }

    async fn line(&mut self, _step: StepId, _line: &str) -> Result<(), Fenced> {
        Ok(())
    }

    async fn progress(&mut self, _step: StepId, _done: u64, _total: u64) -> Result<(), Fenced> {
        Ok(())
    }

    async fn step_ended(&mut self, step: StepId, end: &StepEnd) -> Result<(), Fenced> {
        self.ended.push((step, end.state));
        Ok(())
    }

    async fn undoing(&mut self, _step: StepId, _problem: &ProblemReport) -> Result<(), Fenced> {
        Ok(())
    }

    async fn heartbeat(&mut self) -> Result<(), Fenced> {
        Err(Fenced("a test waits for no heartbeat".to_owned()))
    }

    async fn access_traded(&mut self, _traded: &AccessTraded) -> Result<(), Fenced> {
        Err(Fenced("a test trades nothing".to_owned()))
    }
}
