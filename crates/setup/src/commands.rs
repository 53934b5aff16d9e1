//! The programs of the box that are run: constant command lines, a clean environment, bounded
//! time and output.

use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A program, its arguments, and how long it may take in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandLine(pub &'static [&'static str], pub u64);

pub const SYSTEMD_VERSION: CommandLine = CommandLine(&["systemctl", "--version"], 10);
pub const DAEMON_RELOAD: CommandLine = CommandLine(&["systemctl", "daemon-reload"], 90);
pub const SHOW: CommandLine = CommandLine(
    &[
        "systemctl",
        "show",
        "proxima-gateway.service",
        "--property=LoadState,ActiveState,SubState,UnitFileState,MainPID,NRestarts",
    ],
    20,
);
pub const ENABLE: CommandLine = CommandLine(&["systemctl", "--quiet", "enable", "proxima-gateway.service"], 60);
pub const DISABLE: CommandLine = CommandLine(&["systemctl", "--quiet", "disable", "proxima-gateway.service"], 60);
/// Longer than the unit's `TimeoutStopSec`.
pub const RESTART: CommandLine = CommandLine(&["systemctl", "restart", "proxima-gateway.service"], 120);
/// Longer than the unit's `TimeoutStopSec`.
pub const STOP: CommandLine = CommandLine(&["systemctl", "stop", "proxima-gateway.service"], 120);
pub const RESET_FAILED: CommandLine = CommandLine(&["systemctl", "reset-failed", "proxima-gateway.service"], 20);
pub const JOURNAL: CommandLine = CommandLine(
    &["journalctl", "--unit=proxima-gateway.service", "--lines=20", "--no-pager", "--output=cat", "--quiet"],
    20,
);
pub const RUN_UPDATE: CommandLine = CommandLine(
    &[
        "systemd-run",
        "--quiet",
        "--collect",
        "--no-block",
        "--unit=proxima-gateway-update.service",
        "--description=Update of Proxima Gateway",
        proxima_types::setup::place::BINARY,
        "setup-update",
    ],
    30,
);
/// The unit that belongs to the program in use, as that program prints it.
pub const PRINT_UNIT: CommandLine = CommandLine(&[proxima_types::setup::place::BINARY, "setup-unit"], 20);
pub const UPDATE_IS_ACTIVE: CommandLine =
    CommandLine(&["systemctl", "is-active", "--quiet", "proxima-gateway-update.service"], 20);
pub const STOP_UPDATE: CommandLine = CommandLine(&["systemctl", "stop", "proxima-gateway-update.service"], 120);
/// The comment is what tells our user from one that was there before: see `steps::user`.
pub const USERADD: CommandLine = CommandLine(
    &[
        "useradd",
        "--system",
        "--user-group",
        "--home-dir=/nonexistent",
        "--no-create-home",
        "--shell=/usr/sbin/nologin",
        "--comment=Proxima Gateway",
        "proxima-gateway",
    ],
    30,
);
/// With a group of that name that was there before.
pub const USERADD_INTO_GROUP: CommandLine = CommandLine(
    &[
        "useradd",
        "--system",
        "--gid=proxima-gateway",
        "--home-dir=/nonexistent",
        "--no-create-home",
        "--shell=/usr/sbin/nologin",
        "--comment=Proxima Gateway",
        "proxima-gateway",
    ],
    30,
);
pub const USERDEL: CommandLine = CommandLine(&["userdel", "proxima-gateway"], 30);
pub const GROUPADD: CommandLine = CommandLine(&["groupadd", "--system", "proxima-gateway"], 30);
pub const GROUPDEL: CommandLine = CommandLine(&["groupdel", "proxima-gateway"], 30);

/// What is kept of each of a program's two streams, in bytes.
const MAX_OUTPUT: u64 = 64 * 1024;
const POLL: Duration = Duration::from_millis(10);

/// How a program ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// It said 0.
    pub success: bool,
    pub stdout: String,
    pub stderr: String,
}

pub trait Commands {
    /// # Errors
    /// When the program is not there (`NotFound`), cannot be run, or takes too long (`TimedOut`).
    fn run(&self, line: CommandLine) -> io::Result<Ended>;
}

/// The box's own programs.
pub struct System;

impl Commands for System {
    fn run(&self, CommandLine(words, seconds): CommandLine) -> io::Result<Ended> {
        let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C")
            .env("SYSTEMD_COLORS", "0")
            .current_dir("/")
            // Ctrl-C at the terminal is ours to hear: it does not end what is just being done, or undone.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
        let success = wait(&mut child, Instant::now() + Duration::from_secs(seconds))?;
        let text = |reader: std::thread::JoinHandle<Vec<u8>>| {
            String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned()
        };
        Ok(Ended { success, stdout: text(stdout), stderr: text(stderr) })
    }
}

/// Reads all, keeps the beginning: a program must not block on a full pipe.
fn drain(stream: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut stream) = stream {
            let _ = stream.by_ref().take(MAX_OUTPUT).read_to_end(&mut kept);
            let _ = io::copy(&mut stream, &mut io::sink());
        }
        kept
    })
}

fn wait(child: &mut Child, deadline: Instant) -> io::Result<bool> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if Instant::now() >= deadline {
            let _ = child.kill();
            let _ = child.wait();
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_bounded_and_a_flood_does_not_block() {
        let ended = System.run(CommandLine(&["head", "-c", "1000000", "/dev/zero"], 30)).expect("runs");
        assert!(ended.success);
        assert_eq!(ended.stdout.len() as u64, MAX_OUTPUT);
    }

    #[test]
    fn what_takes_too_long_is_ended() {
        let error = System.run(CommandLine(&["sleep", "600"], 0)).expect_err("too long");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let error = System.run(CommandLine(&["proxima-there-is-no-such-program"], 1)).expect_err("missing");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn the_environment_is_clean() {
        let ended = System.run(CommandLine(&["env"], 10)).expect("runs");
        let names: Vec<_> = ended.stdout.lines().filter_map(|line| line.split('=').next()).collect();
        assert_eq!(names.len(), 3, "{names:?}");
    }
}
