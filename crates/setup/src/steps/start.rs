//! Enabled and running.

use super::{Applied, outcome};
use crate::commands;
use crate::host::Host;
use crate::journal::{self, Entry, Note, Was};
use crate::problem::Result;
use crate::systemd::{self, Until};
use proxima_types::setup::{BoxStep, Done, ReceiptThing, StepOutcome, place};
use std::time::Duration;
use uuid::Uuid;

/// What `systemctl enable` makes, by the unit's `WantedBy`.
pub(crate) const WANTED: &str = "/etc/systemd/system/multi-user.target.wants/proxima-gateway.service";

pub(super) fn apply(host: &Host<'_>, job: Uuid, wait_seconds: u32) -> Result<Applied> {
    systemd::require(host)?;
    let before = systemd::state(host)?;
    let note = Note { ran: systemd::is_up(&before), ..Note::default() };
    let kept = [WANTED, place::STATE, place::RUNTIME];
    let entry = journal::begin(host, job, BoxStep::Start, &kept, note)?;
    let things = || {
        let thing = |name: &str, existed: bool| ReceiptThing {
            name: name.to_owned(),
            done: if existed { Done::Replaced } else { Done::Created },
            sha256: None,
            version: None,
        };
        vec![
            thing("service proxima-gateway", entry.note.ran),
            thing(place::STATE, matches!(entry.was(place::STATE), Was::Folder { .. })),
        ]
    };
    let is_done = entry.things.is_some() && systemd::is_up(&before) && before.enabled == "enabled";
    if is_done {
        return Ok((StepOutcome::Unchanged, things()));
    }
    systemd::run(host, commands::DAEMON_RELOAD)?;
    systemd::run(host, commands::ENABLE)?;
    host.say("Starting the gateway.");
    let boot = systemd::restart(host)?;
    systemd::wait(host, boot, Until::Runs, Duration::from_secs(u64::from(wait_seconds.clamp(5, 300))))?;
    host.say("The gateway runs.");
    Ok((outcome(true), things()))
}

/// A service that ran before goes on until all is as it was, and is restarted by [`settle`].
pub(super) fn revert(host: &Host<'_>, job: Uuid, entry: &Entry) -> Result<()> {
    if entry.note.ran {
        journal::restore(host, job, entry)?;
        let mut entry = entry.clone();
        entry.note.restart_pending = true;
        return journal::save(host, job, &entry);
    }
    if systemd::state(host)?.load != "not-found" {
        systemd::run(host, commands::STOP)?;
        // Fails when there is nothing to reset.
        let _ = systemd::run(host, commands::RESET_FAILED);
    }
    journal::restore(host, job, entry)?;
    systemd::run(host, commands::DAEMON_RELOAD).map(|_| ())
}

/// When nothing of the job is left to revert but its restart, does that.
pub(super) fn settle(host: &Host<'_>, job: Uuid) -> Result<()> {
    match journal::begun(host, job)?.as_slice() {
        [only] if only.note.restart_pending => {
            systemd::run(host, commands::DAEMON_RELOAD)?;
            systemd::restart(host)?;
            host.say("The gateway that was there before runs again.");
            journal::forget(host, job, BoxStep::Start)
        }
        _ => Ok(()),
    }
}
