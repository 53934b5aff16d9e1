//! One setup at a time on a box.

use crate::files::at;
use crate::host::Host;
use crate::problem::{Result, problem};
use proxima_types::setup::SetupProblemCode;
use rustix::fs::{FlockOperation, flock};
use rustix::io::{FdFlags, fcntl_setfd};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::{Duration, Instant};

/// Empty, root's; gone with the next boot or an uninstall.
pub(crate) const LOCK: &str = "/run/proxima-gateway-setup.lock";
/// How long to wait for another setup: one whose connection was lost ends soon.
const PATIENCE: Duration = Duration::from_secs(20);

/// Held until this process and the programs that it has started have ended: when it is killed, a
/// useradd may still be at work.
pub(crate) struct Lock {
    _file: File,
}

pub(crate) fn take(host: &Host<'_>) -> Result<Lock> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(host.at(LOCK))
        .map_err(at(host, LOCK))?;
    fcntl_setfd(&file, FdFlags::empty()).map_err(|error| at(host, LOCK)(error.into()))?;
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        if error != rustix::io::Errno::WOULDBLOCK {
            return Err(at(host, LOCK)(error.into()));
        }
        if Instant::now() >= deadline {
            return Err(problem(
                SetupProblemCode::Busy,
                "Another install, update or uninstall is at work on this server.",
                "Wait until it has ended, then start again.",
            ));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(Lock { _file: file })
}
