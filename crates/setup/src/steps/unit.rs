//! The systemd unit.

use super::{Applied, outcome, thing};
use crate::commands;
use crate::files::{self, at};
use crate::host::Host;
use crate::journal::{self, Entry, Note};
use crate::problem::Result;
use crate::systemd;
use proxima_types::setup::{BoxStep, place};
use std::io;
use uuid::Uuid;

/// The unit of this version.
pub const TEXT: &str = include_str!("../proxima-gateway.service");
const MODE: u32 = 0o644;

/// `text` is [`TEXT`], or in an update that of the new program.
pub(super) fn apply(host: &Host<'_>, job: Uuid, text: &str) -> Result<Applied> {
    systemd::require(host)?;
    let entry = journal::begin(host, job, BoxStep::Unit, &[place::UNIT_FILE], Note::default())?;
    let is_as_asked = is_as_asked(host, text).map_err(at(host, place::UNIT_FILE))?;
    if !is_as_asked {
        files::write(&host.at(place::UNIT_FILE), text.as_bytes(), host.owner(), MODE)
            .map_err(at(host, place::UNIT_FILE))?;
        host.say("Wrote the systemd unit proxima-gateway.service.");
    }
    // Also when nothing changed: an earlier try may have ended before this.
    systemd::run(host, commands::DAEMON_RELOAD)?;
    Ok((outcome(!is_as_asked), vec![thing(host, &entry, place::UNIT_FILE)?]))
}

fn is_as_asked(host: &Host<'_>, text: &str) -> io::Result<bool> {
    let path = host.at(place::UNIT_FILE);
    Ok(match files::look(&path)? {
        Some(metadata) if metadata.is_file() => {
            files::owner_of(&metadata) == host.owner()
                && files::mode_of(&metadata) == MODE
                && std::fs::read(&path)? == text.as_bytes()
        }
        _ => false,
    })
}

pub(super) fn revert(host: &Host<'_>, job: Uuid, entry: &Entry) -> Result<()> {
    journal::restore(host, job, entry)?;
    systemd::run(host, commands::DAEMON_RELOAD).map(|_| ())
}
