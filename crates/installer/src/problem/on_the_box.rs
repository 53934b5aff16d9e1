//! The words of problems that show once we are logged in.

use super::{Problem, Words, detail};

impl Problem {
    pub(super) fn on_the_box(&self) -> Option<Words> {
        Some(match self {
            Self::NoBinary { architecture, folder } => (
                "NO_BINARY",
                format!("This dashboard has no gateway for {architecture} servers."),
                format!(
                    "The operator puts the gateway's binary for {architecture} at {folder}/{architecture}/proxima-gateway on the dashboard's machine; until then this server cannot be installed."
                ),
            ),
            Self::BinaryUnreadable { reason } => (
                "BINARY_UNREADABLE",
                format!("The dashboard cannot read its gateway binary{}.", detail(reason)),
                "The operator checks the release folder.".to_owned(),
            ),
            Self::PortTaken { port, by } => (
                "PORT_TAKEN",
                format!("Port {port} is taken by {by}."),
                format!(
                    "Stop that service or move it to another port, or give the gateway another port than {port}; then try again."
                ),
            ),
            Self::FactsUnreadable { reason } => (
                "FACTS_UNREADABLE",
                format!("The server's answers about itself cannot be read{}.", detail(reason)),
                "A login script may print into every session (.bashrc, .profile): make it silent for commands."
                    .to_owned(),
            ),
            Self::UploadFailed { reason } => (
                "UPLOAD_FAILED",
                format!("The gateway could not be written to the server{}.", detail(reason)),
                "Make room or make /usr/local writable, then try again.".to_owned(),
            ),
            Self::UploadDamaged => (
                "UPLOAD_DAMAGED",
                "What arrived at the server is not what was sent.".to_owned(),
                "Try again; nothing was put in use.".to_owned(),
            ),
            Self::SetupUnreadable { reason } => (
                "SETUP_UNREADABLE",
                format!("The gateway's setup program on the server gave no readable answer{}.", detail(reason)),
                "Try again; if it stays so, send the step's log to the operator.".to_owned(),
            ),
            Self::CommandFailed { what, status, said } => (
                "COMMAND_FAILED",
                format!("{what} failed on the server ({status}){}.", detail(said)),
                "The step's log has all that it said.".to_owned(),
            ),
            Self::TooMuchOutput { what } => (
                "TOO_MUCH_OUTPUT",
                format!("{what} printed without end; it was cut off."),
                "Check that this is your server and that its login scripts are silent.".to_owned(),
            ),
            Self::StepTimedOut { what, seconds } => (
                "STEP_TIMED_OUT",
                format!("{what} took longer than {seconds} seconds and was stopped."),
                "Check the server's load and connection, then try again.".to_owned(),
            ),
            Self::NoHeartbeat { seconds } => (
                "NO_HEARTBEAT",
                format!("The gateway runs, but the dashboard got no heartbeat from it within {seconds} seconds."),
                "The step's log shows what the gateway says. Check that the server may reach the dashboard over HTTPS."
                    .to_owned(),
            ),
            Self::Cancelled => {
                ("CANCELLED", "It was cancelled.".to_owned(), "Start it again whenever you like.".to_owned())
            }
            _ => return None,
        })
    }

    pub(super) fn unsuitable(&self) -> Option<Words> {
        Some(match self {
            Self::NotLinux { kernel } => (
                "NOT_LINUX",
                format!("This server runs {kernel}; the gateway needs Linux."),
                "Use a Linux server.".to_owned(),
            ),
            Self::NoSystemd { init } => (
                "NO_SYSTEMD",
                format!("This server is not run by systemd (its first process is {init})."),
                "Use a distribution with systemd, such as Debian or Ubuntu; containers often have none.".to_owned(),
            ),
            Self::SystemdTooOld { found, needed } => (
                "SYSTEMD_TOO_OLD",
                format!("This server's systemd is version {found}; {needed} or newer is needed."),
                "Update the distribution.".to_owned(),
            ),
            Self::DiskFull { path, free_mib, needed_mib } => (
                "DISK_FULL",
                format!("There are {free_mib} MiB free at {path}; {needed_mib} MiB are needed."),
                "Make room on the server, then try again.".to_owned(),
            ),
            _ => return None,
        })
    }

    pub(super) fn warning(&self) -> Option<Words> {
        Some(match self {
            Self::ClockOff { box_time, our_time, seconds } => (
                "CLOCK_OFF",
                format!(
                    "The server's clock says {box_time}; here it is {our_time}: {} apart. TLS connections from the server may fail.",
                    in_words(*seconds)
                ),
                "Set the server's clock: timedatectl set-ntp true.".to_owned(),
            ),
            Self::UntriedDistribution { name } => (
                "UNTRIED_DISTRIBUTION",
                format!("We have not tried the gateway on {name}; it should work."),
                "Nothing to do; tell the operator if something does not work.".to_owned(),
            ),
            Self::AccessNotTraded { reason } => (
                "ACCESS_NOT_TRADED",
                format!("No key of its own could be set up for this server{}.", detail(reason)),
                "The gateway is installed all the same. Updates will ask for the login again. If the new key was refused: when the \
                 dashboard reaches this server from an address that is missing in the Dashboard IP allowlist, `from=` keeps \
                 it out; the operator mends the list, and Install tries once more."
                    .to_owned(),
            ),
            _ => return None,
        })
    }
}

/// A span of time as people say it; always positive.
fn in_words(seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    let (count, unit) = match seconds {
        0..=119 => (seconds, "second"),
        120..=7199 => (seconds / 60, "minute"),
        7200..=172_799 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    if count == 1 { format!("1 {unit}") } else { format!("{count} {unit}s") }
}
