//! The few constant scripts that run on the box before our binary does, and asking our binary.

use super::Fenced;
use super::Journal;
use crate::binaries::Binary;
use crate::plan::StepId;
use crate::problem::Problem;
use crate::scripts::{Privileged, SETUP, STAGED, UNDO_UPLOAD, UNINSTALL, UPLOAD};
use crate::ssh::{Exec, Listener, Output, Payload, Session, Stop};
use crate::text::{Redactor, clean};
use async_trait::async_trait;
use proxima_types::setup::{SETUP_PROTOCOL, SetupAction, SetupProblem, SetupReply, SetupRequest, StepOutcome};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Characters of any one text in the setup program's replies.
const TEXT_CHARS_MAX: usize = 2000;
/// Between two questions to a setup program that is busy with another request.
const BUSY_PAUSE: Duration = Duration::from_secs(2);
/// How often a busy setup program is asked.
const BUSY_TRIES: usize = 20;

/// Passes what a command says on to the journal, as lines of one step.
pub(super) struct StepLog<'a> {
    pub journal: &'a mut dyn Journal,
    pub step: StepId,
}

#[async_trait]
impl Listener for StepLog<'_> {
    async fn line(&mut self, line: &str) -> Result<(), Fenced> {
        self.journal.line(self.step, line).await
    }

    async fn progress(&mut self, done: u64, total: u64) -> Result<(), Fenced> {
        self.journal.progress(self.step, done, total).await
    }
}

/// A session together with who listens and when to stop.
pub(super) struct Remote<'a> {
    pub session: &'a Session,
    pub log: StepLog<'a>,
    pub cancel: &'a CancellationToken,
    pub redactor: &'a Redactor,
}

impl Remote<'_> {
    /// Runs a constant script as root; any exit status is the caller's to judge.
    pub(super) async fn script(
        &mut self,
        what: &'static str,
        script: &Privileged,
        head: &[u8],
        limit: Duration,
    ) -> Result<Output, Stop> {
        let (command, head) = self.session.as_root(script, head);
        let payload = Payload { head, body: None };
        self.session.exec(Exec { what, command, payload, limit }, &mut self.log, self.cancel).await
    }

    /// Whether exactly this binary is staged already. `claimant`: the server that is being installed, so that no other one
    /// is on the same box meanwhile; empty for none.
    pub(super) async fn is_staged(&mut self, binary: &Binary, claimant: &str, limit: Duration) -> Result<bool, Stop> {
        let head = format!("{claimant}\n");
        let output = self.script("Looking for an earlier upload", &STAGED, head.as_bytes(), limit).await?;
        if output.code == Some(65) {
            return Err(Problem::Setup(claimed()).into());
        }
        Ok(mark(&output, "proxima-staged=").is_some_and(|digest| digest == binary.sha256))
    }

    pub(super) async fn upload(&mut self, binary: &mut Binary, limit: Duration) -> Result<(), Stop> {
        let what = "Uploading the gateway";
        let header = format!("{} {}\n", binary.sha256, binary.bytes);
        let bytes = binary.bytes;
        let (command, head) = self.session.as_root(&UPLOAD, header.as_bytes());
        let payload = Payload { head, body: Some((binary.reader(), bytes)) };
        let output = self.session.exec(Exec { what, command, payload, limit }, &mut self.log, self.cancel).await?;
        if output.code == Some(0) && mark(&output, "proxima-upload=") == Some("done".to_owned()) {
            return Ok(());
        }
        let reason = if output.said.is_empty() { output.status.clone() } else { output.said.clone() };
        Err(match output.code {
            Some(74) => Problem::UploadDamaged,
            Some(70..=75) => Problem::UploadFailed { reason },
            _ => Problem::CommandFailed { what, status: output.status, said: output.said },
        }
        .into())
    }

    pub(super) async fn undo_upload(&mut self, limit: Duration) -> Result<(), Stop> {
        let what = "Deleting the uploaded file";
        let output = self.script(what, &UNDO_UPLOAD, b"", limit).await?;
        succeeded(what, &output).map_err(Stop::from)
    }

    /// Asks `proxima-gateway setup` on the box; waits while it is busy with another request, such
    /// as one whose connection was lost. A reply that tells of a failure is returned as it is.
    pub(super) async fn setup(&mut self, job: Uuid, action: &SetupAction, limit: Duration) -> Result<SetupReply, Stop> {
        use proxima_types::setup::SetupProblemCode::Busy;
        let mut tries = 0;
        loop {
            let reply = self.setup_once(job, action, limit).await?;
            tries += 1;
            let busy = reply.problem.as_ref().is_some_and(|problem| problem.code == Busy);
            if !busy || tries == BUSY_TRIES {
                return Ok(reply);
            }
            tokio::select! {
                () = self.cancel.cancelled() => return Err(Problem::Cancelled.into()),
                () = tokio::time::sleep(BUSY_PAUSE) => {}
            }
        }
    }

    async fn setup_once(&mut self, job: Uuid, action: &SetupAction, limit: Duration) -> Result<SetupReply, Stop> {
        let what = "The setup program on the server";
        let request = SetupRequest { protocol: SETUP_PROTOCOL, job, action: action.clone() };
        let unreadable = |reason: &str| Problem::SetupUnreadable { reason: reason.to_owned() };
        let json = serde_json::to_vec(&request).map_err(|_| unreadable("the request cannot be written"))?;
        let mut json = Zeroizing::new(json);
        json.push(b'\n');
        let script = if matches!(action, SetupAction::Uninstall {}) { UNINSTALL } else { SETUP };
        let output = self.script(what, &script, &json, limit).await?;
        if output.code == Some(69) && output.stdout.is_empty() {
            return Ok(not_installed());
        }
        let reply = String::from_utf8_lossy(&output.stdout);
        let reply = reply.lines().rev().map(str::trim).find(|line| !line.is_empty());
        let reply: Option<serde_json::Value> = reply.and_then(|line| serde_json::from_str(line).ok());
        let reply = reply.and_then(|reply| serde_json::from_value(scrubbed(reply, self.redactor)).ok());
        Ok(reply.ok_or_else(|| {
            let said = if output.said.is_empty() { output.status.clone() } else { output.said.clone() };
            unreadable(&said)
        })?)
    }
}

/// The same JSON with every text in it clean, bounded and redacted: all of it may be shown.
pub(crate) fn scrubbed(value: serde_json::Value, redactor: &Redactor) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) => Value::String(redactor.redact(&clean(text.as_bytes(), TEXT_CHARS_MAX))),
        Value::Array(items) => items.into_iter().map(|item| scrubbed(item, redactor)).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, item)| (name, scrubbed(item, redactor))).collect(),
        other => other,
    }
}

/// The problem of a reply that tells of a failure.
pub(super) fn failure(reply: &SetupReply) -> Option<Problem> {
    match (&reply.problem, reply.outcome) {
        (Some(problem), _) => Some(Problem::Setup(problem.clone())),
        (None, StepOutcome::Failed) => {
            Some(Problem::SetupUnreadable { reason: "it failed without a reason".to_owned() })
        }
        (None, _) => None,
    }
}

pub(super) fn is_not_installed(reply: &SetupReply) -> bool {
    use proxima_types::setup::SetupProblemCode::NotInstalled;
    reply.problem.as_ref().is_some_and(|problem| problem.code == NotInstalled)
}

fn claimed() -> SetupProblem {
    SetupProblem {
        code: proxima_types::setup::SetupProblemCode::Busy,
        sentence: "Another server of this or another dashboard is being installed on this machine.".to_owned(),
        remedy: "Check that the address is this server's own. If it is, wait until the other install has ended (half an hour \
                 at most), then start again."
            .to_owned(),
    }
}

fn not_installed() -> SetupReply {
    SetupReply {
        protocol: SETUP_PROTOCOL,
        outcome: StepOutcome::Failed,
        problem: Some(SetupProblem {
            code: proxima_types::setup::SetupProblemCode::NotInstalled,
            sentence: "The gateway is not installed on this server.".to_owned(),
            remedy: "Install it first.".to_owned(),
        }),
        data: None,
    }
}

pub(super) fn succeeded(what: &'static str, output: &Output) -> Result<(), Problem> {
    if output.code == Some(0) {
        return Ok(());
    }
    Err(Problem::CommandFailed { what, status: output.status.clone(), said: output.said.clone() })
}

/// The value of the line that begins with `name`: login scripts may print before it.
fn mark(output: &Output, name: &str) -> Option<String> {
    let stdout = String::from_utf8_lossy(&output.stdout);
    stdout.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::to_owned)
}
