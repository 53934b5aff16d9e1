//! Removes everything. The program that does it goes last, so that it can be asked again.

use crate::files::{self, at};
use crate::host::Host;
use crate::problem::Result;
use crate::steps::{start::WANTED, user};
use crate::{commands, systemd};
use proxima_types::setup::{StepOutcome, Uninstalled, place};
use std::path::Path;

/// Made by `systemctl edit`: the customer's.
const DROP_INS: &str = "/etc/systemd/system/proxima-gateway.service.d";

pub(crate) fn uninstall(host: &Host<'_>) -> Result<(StepOutcome, Uninstalled)> {
    let mut report = Uninstalled::default();
    if systemd::is_running(host) {
        stop(host, &mut report)?;
    }
    for path in [WANTED, place::UNIT_FILE] {
        remove(host, path, &mut report)?;
    }
    if systemd::is_running(host) {
        systemd::run(host, commands::DAEMON_RELOAD)?;
        // Fails when there is nothing to reset.
        let _ = systemd::run(host, commands::RESET_FAILED);
    }
    for path in [place::CONFIG_FOLDER, place::STATE, place::RUNTIME] {
        remove(host, path, &mut report)?;
    }
    remove_user(host, &mut report)?;
    remove_link(host, &mut report)?;
    for path in [place::SETUP, place::LIB] {
        remove(host, path, &mut report)?;
    }
    let outcome = if report.removed.is_empty() { StepOutcome::Unchanged } else { StepOutcome::Changed };
    if host.at(DROP_INS).exists() {
        report.left.push(format!("{DROP_INS}: your own changes to the unit"));
    }
    report.left.push("The system journal: what the gateway logged stays until the journal discards it".to_owned());
    Ok((outcome, report))
}

fn stop(host: &Host<'_>, report: &mut Uninstalled) -> Result<()> {
    // Fails when no update runs.
    let _ = systemd::run(host, commands::STOP_UPDATE);
    let state = systemd::state(host)?;
    if state.load != "not-found" && (systemd::is_up(&state) || state.active == "deactivating") {
        systemd::run(host, commands::STOP)?;
        host.say("Stopped the gateway.");
        report.removed.push("service proxima-gateway".to_owned());
    }
    if state.enabled == "enabled" {
        systemd::run(host, commands::DISABLE)?;
    }
    Ok(())
}

fn remove(host: &Host<'_>, path: &str, report: &mut Uninstalled) -> Result<()> {
    if files::remove(&host.at(path)).map_err(at(host, path))? {
        host.say(&format!("Removed {path}."));
        report.removed.push(path.to_owned());
    }
    Ok(())
}

fn remove_link(host: &Host<'_>, report: &mut Uninstalled) -> Result<()> {
    match std::fs::read_link(host.at(place::LINK)) {
        Ok(target) if target == Path::new(place::BINARY) => remove(host, place::LINK, report),
        _ => {
            if host.at(place::LINK).exists() {
                report.left.push(format!("{}: not the link that the install made", place::LINK));
            }
            Ok(())
        }
    }
}

fn remove_user(host: &Host<'_>, report: &mut Uninstalled) -> Result<()> {
    let account = user::find(host)?;
    if account.user.is_some() && !account.is_ours {
        report.left.push(format!("user and group {}: they were there before the install", place::USER));
        return Ok(());
    }
    user::remove(host, true, account.is_ours)?;
    if account.user.is_some() {
        host.say("Removed the system user proxima-gateway.");
        report.removed.push(format!("user {}", place::USER));
    }
    if user::find(host)?.group.is_some() {
        report.left.push(format!("group {}: it was there before the install", place::USER));
    }
    Ok(())
}
