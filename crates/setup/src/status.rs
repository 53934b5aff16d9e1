//! How the gateway on this box is; and its restart.

use crate::host::Host;
use crate::problem::{Result, problem};
use crate::systemd::{self, GatewayStatus, Until};
use crate::{journal, receipt, update};
use proxima_types::setup::{BoxStatus, SetupProblem, SetupProblemCode, place};
use std::time::Duration;

/// From a restart to a gateway that has read its configuration.
const RESTART_LIMIT: Duration = Duration::from_secs(30);

pub(crate) fn gather(host: &Host<'_>) -> Result<BoxStatus> {
    systemd::require(host)?;
    let unit = systemd::state(host)?;
    Ok(BoxStatus {
        gateway_is_current: GatewayStatus::read(host).is_of(&unit),
        gateway: systemd::gateway_status(host),
        journal: systemd::journal(host),
        update: update::read(host),
        receipt: receipt::read(host),
        unfinished_jobs: journal::unfinished_jobs(host),
        unit,
    })
}

pub(crate) fn restart(host: &Host<'_>) -> Result<()> {
    systemd::require(host)?;
    if !host.at(place::UNIT_FILE).exists() || !host.at(place::BINARY).exists() {
        return Err(not_installed());
    }
    let boot = systemd::restart(host)?;
    systemd::wait(host, boot, Until::Runs, RESTART_LIMIT)
}

pub(crate) fn not_installed() -> SetupProblem {
    problem(SetupProblemCode::NotInstalled, "The gateway is not installed on this server.", "Install it first.")
}
