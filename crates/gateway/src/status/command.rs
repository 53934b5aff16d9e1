//! `proxima-gateway status`.

use super::process::is_alive;
use super::{Status, StatusDocument};
use crate::agent::store::{self, STATUS_FILE};
use anyhow::Context as _;
use chrono::{DateTime, Utc};
use proxima_types::heartbeat::Phase;
use std::fmt::Write as _;
use std::path::Path;

const SERVING: u8 = 0;
const NOT_RUNNING: u8 = 3;
const PORTS_CLOSED: u8 = 4;

/// Prints to `out`; returns the exit code: 0 serving, 3 not running, 4 running with closed ports.
///
/// # Errors
/// When the status cannot be read, such as without permission.
pub fn run(state_dir: &Path, json: bool, now: DateTime<Utc>, out: &mut dyn std::io::Write) -> anyhow::Result<u8> {
    let path = state_dir.join(STATUS_FILE);
    let status: Option<Status> =
        store::read(&path).with_context(|| format!("cannot read {}. Run as root?", path.display()))?;
    let running = status.as_ref().is_some_and(|status| status.stopped.is_none() && is_alive(&status.process));
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&StatusDocument { running, status: status.clone() })?)?;
    } else {
        write!(out, "{}", describe(status.as_ref(), running, now))?;
    }
    Ok(match status {
        Some(status) if running && status.phase == Phase::Serving && status.closed_ports.is_empty() => SERVING,
        Some(_) if running => PORTS_CLOSED,
        _ => NOT_RUNNING,
    })
}

fn describe(status: Option<&Status>, running: bool, now: DateTime<Utc>) -> String {
    let Some(status) = status else { return "not running (never started with this state directory)\n".to_owned() };
    let mut text = String::new();
    if !running {
        let why = status.stopped.as_deref().unwrap_or("it ended without saying why");
        let _ = writeln!(text, "not running: {why} ({})", ago(status.written_at, now));
        return text;
    }
    let phase = match (status.phase, status.closed_ports.is_empty()) {
        (Phase::Serving, true) => "serving",
        (Phase::Serving, false) => "serving, with closed ports",
        (Phase::Starting, _) => "running, ports closed",
    };
    let _ = writeln!(text, "{phase} (pid {}, version {})", status.process.pid, status.version);
    let ports: Vec<String> = status.open_ports.iter().map(ToString::to_string).collect();
    let ports = if ports.is_empty() { "none".to_owned() } else { ports.join(", ") };
    row(&mut text, "open ports", &ports);
    for problem in &status.closed_ports {
        row(&mut text, "closed", problem);
    }
    let license = match (status.license, status.grace_expires_at) {
        (Some(license), Some(end)) => format!("{license} until {}", end.format("%F %T UTC")),
        (Some(license), None) => license.to_string(),
        (None, _) => "not known yet".to_owned(),
    };
    row(&mut text, "license", &license);
    let answered = status.answered_at.map_or_else(|| "never".to_owned(), |time| ago(time, now));
    row(&mut text, "dashboard", &format!("{}, last signed answer {answered}", status.dashboard_url));
    if let Some(why) = &status.silence {
        row(&mut text, "silent", why);
    }
    if let (Some(left), true) = (status.silence_left_seconds, status.silence.is_some()) {
        row(&mut text, "stops in", &format!("{left} s without a signed answer"));
    }
    let config = status.applied_config.map_or_else(|| "none yet".to_owned(), |generation| generation.to_string());
    row(&mut text, "config", &config);
    if let Some(rejected) = &status.rejected_config {
        row(&mut text, "rejected", &format!("{}: {}", rejected.generation, rejected.reason));
    }
    if let Some(key) = &status.license_key {
        let how = match (key.handed_over, key.answered) {
            (false, _) => "",
            (true, true) => ", handed over by the dashboard",
            (true, false) => ", handed over by the dashboard, not answered yet",
        };
        row(&mut text, "license key", &format!("{}{how}", key.masked));
    }
    if let Some(management) = &status.management {
        let listens = management.address.as_deref().map(|address| format!("https://{address}"));
        row(&mut text, "management", &listens.or_else(|| management.problem.clone()).unwrap_or_default());
        if let Some(fingerprint) = management.certificate_fingerprint {
            row(&mut text, "certificate", &fingerprint.to_string());
        }
    }
    let counters = &status.counters;
    row(
        &mut text,
        "since start",
        &format!(
            "{} requests, {} B in, {} B out, {} backend errors",
            counters.requests, counters.bytes_in, counters.bytes_out, counters.backend_errors
        ),
    );
    text
}

fn row(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "  {name:<12} {value}");
}

fn ago(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match (now - time).num_seconds() {
        seconds @ ..120 => format!("{} s ago", seconds.max(0)),
        seconds @ 120..7200 => format!("{} min ago", seconds / 60),
        seconds => format!("{} h ago", seconds / 3600),
    }
}
