//! How a job ends: its state, what it leaves in the database, and its row in the audit log, in one transaction.

use super::inputs::open_api_secret;
use crate::app::audit::server_target;
use crate::app::connections::host_key_changed;
use crate::app::{Actor, App, AppError, AppResult, audit, commit};
use crate::keyring::Place;
use proxima_db::PgConnection;
use proxima_db::connections::{self, Found};
use proxima_db::jobs::running::{self, Ending, Hold, Taken};
use proxima_db::servers::Scope;
use proxima_installer::{Outcome, ProblemReport, StepId, Succeeded};
use proxima_types::manage::CertificateFingerprint;
use proxima_types::{CredentialKind, JobKind, JobState, ServerId};
use serde_json::{Value, json};

/// What is stored of an outcome.
pub(crate) struct End {
    state: JobState,
    problem: Option<Value>,
    receipt: Option<Value>,
    result: Option<Value>,
    management_fingerprint: Option<String>,
}

impl End {
    /// Of a job that did not begin.
    pub fn failed(problem: ProblemReport) -> Self {
        Self::stopped(JobState::Failed, None, problem, &[])
    }

    /// Of the installer's outcome; one that was stopped has none.
    pub fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeded(succeeded) => Self::succeeded(*succeeded),
            Outcome::Failed { step, problem, remains } => {
                Self::stopped(JobState::Failed, Some(step), problem, &remains)
            }
            Outcome::Cancelled { step, remains } => {
                let problem = ProblemReport {
                    code: "CANCELLED".to_owned(),
                    sentence: "The job was cancelled.".to_owned(),
                    remedy: "Run it again whenever you like.".to_owned(),
                };
                Self::stopped(JobState::Cancelled, Some(step), problem, &remains)
            }
            Outcome::Stopped(fenced) => Self::failed(ProblemReport {
                code: "INTERRUPTED".to_owned(),
                sentence: format!("The job was interrupted: {}.", fenced.0),
                remedy: "Run it again.".to_owned(),
            }),
        }
    }

    fn stopped(state: JobState, step: Option<StepId>, problem: ProblemReport, remains: &[String]) -> Self {
        let ProblemReport { code, sentence, remedy } = problem;
        let problem = json!({ "step": step, "code": code, "sentence": sentence, "remedy": remedy, "remains": remains });
        Self { state, problem: Some(problem), receipt: None, result: None, management_fingerprint: None }
    }

    fn succeeded(succeeded: Succeeded) -> Self {
        let Succeeded { facts, receipt, status, update, uninstalled, warnings, box_facts: _ } = succeeded;
        let gateway = status.and_then(|status| status.gateway).unwrap_or_default();
        let fingerprint = gateway.pointer("/management/certificateFingerprint").and_then(Value::as_str);
        // A box may say anything.
        let fingerprint = fingerprint.and_then(|text| CertificateFingerprint::parse(text).ok());
        Self {
            state: JobState::Succeeded,
            problem: None,
            receipt: receipt.map(|receipt| json!(receipt)),
            result: Some(json!({ "facts": facts, "update": update, "uninstalled": uninstalled, "warnings": warnings })),
            management_fingerprint: fingerprint.map(|fingerprint| fingerprint.to_string()),
        }
    }

    fn is_changed_host_key(&self) -> bool {
        self.problem.as_ref().is_some_and(|problem| problem["code"] == host_key_changed::CODE)
    }
}

/// Ends the job, unless it is with another dashboard by now.
pub(crate) async fn finish(app: &App, taken: &Taken, hold: Hold, end: &End) -> AppResult<()> {
    let server = ServerId(taken.server_id);
    let mut tx = app.begin().await?;
    // The server first, as everybody who queues a job does.
    let Some(found) = connections::find(&mut tx, Scope::All, server, true).await? else {
        // Deleted meanwhile, and its jobs with it.
        return Ok(());
    };
    let secret = running::api_secret(&mut *tx, hold).await?;
    let ending = Ending {
        state: end.state,
        problem: end.problem.as_ref(),
        receipt: end.receipt.as_ref(),
        result: end.result.as_ref(),
    };
    if !running::finish(&mut tx, hold, ending).await? {
        return Ok(());
    }
    if end.state == JobState::Succeeded {
        settle(app, &mut tx, taken, end, secret.as_deref(), &found).await?;
    }
    let target = Some(server_target(server, &found.server_name));
    let system = Actor::system();
    let problem = end.problem.as_ref();
    let metadata = json!({
        "job": hold.job,
        "kind": taken.kind(),
        "state": end.state,
        "requestedBy": taken.requested_by,
        "step": problem.map(|problem| &problem["step"]),
        "problem": problem.map(|problem| &problem["code"]),
    });
    if end.state == JobState::Succeeded {
        audit::succeeded(&mut tx, &system, "server.job.end", target, metadata).await?;
    } else {
        audit::failed(&mut tx, &system, "server.job.end", target, metadata).await?;
    }
    let changed = found.connection.as_ref().filter(|_| end.is_changed_host_key());
    if let Some(row) = changed {
        host_key_changed::mark(&mut tx, server, &found, row).await?;
    }
    commit(tx).await?;
    if end.state == JobState::Succeeded {
        // So that whether its port is reachable is known at once.
        app.nudges.request(server);
    }
    match changed {
        Some(row) => host_key_changed::look_again(app, server, row).await,
        None => Ok(()),
    }
}

/// What a job that succeeded leaves in the database beside its own row.
async fn settle(
    app: &App,
    connection: &mut PgConnection,
    taken: &Taken,
    end: &End,
    secret: Option<&[u8]>,
    found: &Found,
) -> AppResult<()> {
    let server = ServerId(taken.server_id);
    let kind = taken.kind();
    if let (JobKind::Install, Some(sealed)) = (kind, secret) {
        let secret = open_api_secret(app, taken, sealed)?;
        let place = Place { table: "servers", row: server.0, column: "api_secret" };
        let sealed = app.keyring.seal(place, secret.expose(), app.entropy.as_ref()).map_err(AppError::Internal)?;
        running::set_api_secret(connection, server, &sealed).await?;
    }
    if kind == JobKind::Uninstall {
        running::forget_installs(connection, server).await?;
    }
    if kind == JobKind::Uninstall || end.management_fingerprint.is_some() {
        running::set_management_fingerprint(connection, server, end.management_fingerprint.as_deref()).await?;
    }
    // Only a key of the server's own stays, and only while the box knows it: whatever a person typed is for one use.
    let stored = found.connection.as_ref().and_then(|row| row.credential_kind());
    if stored != Some(CredentialKind::AccessKey) || kind == JobKind::Uninstall {
        connections::clear_credential(connection, server).await?;
    }
    Ok(())
}
