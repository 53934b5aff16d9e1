//! How the gateway on this box is; and its restart.

use crate::host::Host;
use crate::problem::{Result, problem};
use crate::systemd::{self, GatewayStatus, Until};
use crate::{journal, receipt, update};
use proxima_types::setup::{BoxStatus, SetupProblem, SetupProblemCode, UnitState, place};
use serde_json::Value;
use std::time::{Duration, Instant};

/// From a restart to a gateway that has read its configuration.
const RESTART_LIMIT: Duration = Duration::from_secs(30);
/// A gateway opens its management API beside its first heartbeats, and writes that down at its next tick, 0.5 s at most.
const MANAGEMENT_LIMIT: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(50);

pub(crate) fn gather(host: &Host<'_>) -> Result<BoxStatus> {
    systemd::require(host)?;
    let unit = systemd::state(host)?;
    Ok(BoxStatus {
        gateway_is_current: GatewayStatus::read(host).is_of(&unit),
        gateway: with_management(host, &unit),
        journal: systemd::journal(host),
        update: update::read(host),
        receipt: receipt::read(host),
        unfinished_jobs: journal::unfinished_jobs(host),
        unit,
    })
}

/// The gateway's own status, read again while it runs and does not tell of its management API yet: the dashboard knows that
/// API by the certificate in here alone. One whose API is off says nothing of it either, hence the limit.
fn with_management(host: &Host<'_>, unit: &UnitState) -> Option<Value> {
    let deadline = Instant::now() + MANAGEMENT_LIMIT;
    loop {
        let status = systemd::gateway_status(host);
        let untold = status.as_ref().and_then(|status| status.get("management")).is_some_and(Value::is_null);
        if !untold || !systemd::is_up(unit) || Instant::now() >= deadline {
            return status;
        }
        std::thread::sleep(POLL);
    }
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
