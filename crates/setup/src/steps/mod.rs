//! The steps that change the box: each is applied, and reverted from its journal entry.

pub(crate) mod binary;
mod config;
pub(crate) mod start;
pub(crate) mod unit;
pub(crate) mod user;

use crate::files;
use crate::host::Host;
use crate::journal::{self, Entry, Was};
use crate::problem::Result;
use crate::systemd;
use proxima_types::setup::{BoxStep, Done, ReceiptStep, ReceiptThing, StepInput, StepOutcome};
use uuid::Uuid;

/// What a step came to: whether it changed anything in this try, and what is there now.
pub(crate) type Applied = (StepOutcome, Vec<ReceiptThing>);

pub(crate) fn apply(host: &Host<'_>, job: Uuid, input: &StepInput) -> Result<(StepOutcome, ReceiptStep)> {
    let (outcome, things) = match input {
        StepInput::Binary { sha256, version } => binary::apply(host, job, sha256, version)?,
        StepInput::User {} => user::apply(host, job)?,
        StepInput::Config { config, replace_other_server } => config::apply(host, job, config, *replace_other_server)?,
        StepInput::Unit {} => unit::apply(host, job, unit::TEXT)?,
        StepInput::Start { wait_seconds } => start::apply(host, job, *wait_seconds)?,
    };
    note(host, job, input.step(), &things)?;
    Ok((outcome, ReceiptStep { step: input.step(), things }))
}

/// Writes the unit that the program in use prints: in an update, the new program's.
pub(crate) fn apply_unit_of_program(host: &Host<'_>, job: Uuid) -> Result<()> {
    let text = systemd::printed_unit(host)?;
    let (_, things) = unit::apply(host, job, &text)?;
    note(host, job, BoxStep::Unit, &things)
}

/// What the step did becomes part of its entry, for the receipt.
fn note(host: &Host<'_>, job: Uuid, step: BoxStep, things: &[ReceiptThing]) -> Result<()> {
    match journal::find(host, job, step)? {
        Some(mut entry) if entry.things.as_deref() != Some(things) => {
            entry.things = Some(things.to_vec());
            journal::save(host, job, &entry)
        }
        _ => Ok(()),
    }
}

pub(crate) fn revert(host: &Host<'_>, job: Uuid, step: BoxStep) -> Result<StepOutcome> {
    let found = journal::find(host, job, step)?;
    let mut changed = found.is_some();
    if let Some(entry) = &found {
        match step {
            BoxStep::Binary | BoxStep::Config => journal::restore(host, job, entry)?,
            BoxStep::User => user::revert(host, entry)?,
            BoxStep::Unit => unit::revert(host, job, entry)?,
            BoxStep::Start => start::revert(host, job, entry)?,
        }
    }
    if step == BoxStep::Binary {
        changed |= binary::remove_upload(host)?;
    }
    if found.is_some() && !journal::find(host, job, step)?.is_some_and(|entry| entry.note.restart_pending) {
        journal::forget(host, job, step)?;
    }
    start::settle(host, job)?;
    journal::tidy(host, job)?;
    Ok(if changed { StepOutcome::Changed } else { StepOutcome::Unchanged })
}

fn outcome(changed: bool) -> StepOutcome {
    if changed { StepOutcome::Changed } else { StepOutcome::Unchanged }
}

/// What became of the file `path`.
fn thing(host: &Host<'_>, entry: &Entry, path: &str) -> Result<ReceiptThing> {
    let sha256 = files::sha256(&host.at(path)).map_err(files::at(host, path))?;
    let done = match entry.was(path) {
        Was::Nothing => Done::Created,
        Was::File { sha256: before, .. } if Some(before) == sha256.as_ref() => Done::Kept,
        Was::Folder { .. } => Done::Kept,
        Was::Link { target } if std::fs::read_link(host.at(path)).is_ok_and(|now| now == *target) => Done::Kept,
        Was::File { .. } | Was::Link { .. } => Done::Replaced,
    };
    Ok(ReceiptThing { name: path.to_owned(), done, sha256, version: None })
}
