//! One request, one reply.

use crate::host::Host;
use crate::problem::{Result, problem};
use crate::{facts, files, lock, reach, receipt, status, steps, uninstall, update};
use proxima_types::setup::{
    MAX_SETUP_REQUEST_BYTES, SETUP_PROTOCOL, SetupAction, SetupData, SetupProblem, SetupProblemCode as Code,
    SetupReply, SetupRequest, StepOutcome,
};
use rustix::fs::Mode;
use std::io::{Read, Write};
use zeroize::Zeroizing;

/// Reads one request from `input`, does it, writes one line to `output`; true when it was done.
///
/// # Errors
/// When the reply cannot be written: it was done, or not, all the same.
pub fn serve(host: &Host<'_>, input: impl Read, output: &mut dyn Write) -> std::io::Result<bool> {
    // Folders that are made on the way are as everywhere, whatever the login shell's mask is.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let reply = read(input)
        .and_then(|request| perform(host, &request))
        .unwrap_or_else(|problem| reply(StepOutcome::Failed, Some(problem), None));
    serde_json::to_writer(&mut *output, &reply)?;
    output.write_all(b"\n")?;
    output.flush()?;
    Ok(reply.outcome != StepOutcome::Failed)
}

fn reply(outcome: StepOutcome, problem: Option<SetupProblem>, data: Option<SetupData>) -> SetupReply {
    SetupReply { protocol: SETUP_PROTOCOL, outcome, problem, data }
}

fn read(input: impl Read) -> Result<SetupRequest> {
    let refused = |why: String| {
        problem(
            Code::BadRequest,
            why,
            "The dashboard and the program on the server do not fit: update, then start again.",
        )
    };
    let mut json = Zeroizing::new(Vec::new());
    input
        .take(MAX_SETUP_REQUEST_BYTES + 1)
        .read_to_end(&mut json)
        .map_err(|error| refused(format!("The request cannot be read: {error}.")))?;
    if json.len() as u64 > MAX_SETUP_REQUEST_BYTES {
        return Err(refused(format!("The request is longer than {MAX_SETUP_REQUEST_BYTES} bytes.")));
    }
    // Only the place: serde's own message may quote a secret.
    let request: SetupRequest = serde_json::from_slice(&json).map_err(|error| {
        refused(format!("The request is not understood at line {}, column {}.", error.line(), error.column()))
    })?;
    match request.protocol {
        SETUP_PROTOCOL => Ok(request),
        other => Err(refused(format!("The request speaks protocol {other}; this program speaks {SETUP_PROTOCOL}."))),
    }
}

fn perform(host: &Host<'_>, SetupRequest { job, action, .. }: &SetupRequest) -> Result<SetupReply> {
    let looks = matches!(action, SetupAction::Facts { .. } | SetupAction::Reach { .. } | SetupAction::Status {});
    if !looks {
        require_root(host)?;
    }
    // An update's lock is taken by its own unit.
    let alone = !looks && !matches!(action, SetupAction::Update { .. });
    let _lock = if alone { Some(lock::take(host)?) } else { None };
    match action {
        SetupAction::Facts { ports } => looked(SetupData::Facts(Box::new(facts::gather(host, ports)?))),
        SetupAction::Reach { dashboard_url } => {
            let (reach, problem) = reach::ask(host, dashboard_url);
            let outcome = if problem.is_none() { StepOutcome::Unchanged } else { StepOutcome::Failed };
            Ok(reply(outcome, problem, Some(SetupData::Reach(reach))))
        }
        SetupAction::Status {} => looked(SetupData::Status(Box::new(status::gather(host)?))),
        SetupAction::Update { sha256, version, at, wait_seconds } => {
            let (report, problem) = update::request(
                host,
                &update::Wanted {
                    job: *job,
                    sha256: sha256.clone(),
                    version: version.clone(),
                    at: *at,
                    wait_seconds: *wait_seconds,
                },
            )?;
            let outcome = if problem.is_none() { StepOutcome::Changed } else { StepOutcome::Failed };
            Ok(reply(outcome, problem, Some(SetupData::Update(report))))
        }
        SetupAction::Apply { input } => {
            let (outcome, step) = steps::apply(host, *job, input)?;
            done(outcome, SetupData::Step(step))
        }
        SetupAction::Revert { step } => Ok(reply(steps::revert(host, *job, *step)?, None, None)),
        SetupAction::Commit { at } => {
            let (outcome, receipt) = receipt::commit(host, *job, *at)?;
            done(outcome, SetupData::Receipt(receipt))
        }
        SetupAction::Restart {} => {
            status::restart(host)?;
            done(StepOutcome::Changed, SetupData::Status(Box::new(status::gather(host)?)))
        }
        SetupAction::Uninstall {} => {
            let (outcome, uninstalled) = uninstall::uninstall(host)?;
            let _ = files::remove(&host.at(lock::LOCK));
            done(outcome, SetupData::Uninstalled(uninstalled))
        }
    }
}

fn looked(data: SetupData) -> Result<SetupReply> {
    done(StepOutcome::Unchanged, data)
}

fn done(outcome: StepOutcome, data: SetupData) -> Result<SetupReply> {
    Ok(reply(outcome, None, Some(data)))
}

pub(crate) fn require_root(host: &Host<'_>) -> Result<()> {
    if host.is_real() && !rustix::process::geteuid().is_root() {
        return Err(problem(
            Code::NotRoot,
            "This needs the rights of root on the server.",
            "Log in as root, or as a user that may use sudo.",
        ));
    }
    Ok(())
}
