//! `proxima-gateway setup`: gives `proxima-setup` this machine, its clock and the client of
//! heartbeats.

use crate::agent::client;
use crate::clock::{Clock as _, SystemClock};
use proxima_setup::Host;
use proxima_setup::commands::System;
use std::io::Write;

const FAILED: u8 = 1;

/// One request on stdin, one reply on `out`; the exit code: 0 done, 1 not.
///
/// # Errors
/// When the reply cannot be written.
pub fn serve(out: &mut dyn Write) -> anyhow::Result<u8> {
    let done = with_host(|host| proxima_setup::serve(host, std::io::stdin().lock(), out))?;
    Ok(if done { 0 } else { FAILED })
}

/// # Errors
/// Why the update did not succeed.
pub fn finish_update() -> anyhow::Result<u8> {
    with_host(proxima_setup::finish_update).map(|()| 0).map_err(anyhow::Error::msg)
}

fn with_host<T>(action: impl FnOnce(&Host<'_>) -> T) -> T {
    let clock = SystemClock::new();
    let host = Host {
        root: "/".into(),
        commands: &System,
        now_ms: &|| clock.read().wall.timestamp_millis(),
        http: &client::build,
        // Whoever watched may be gone: that stops nothing.
        log: &|line| drop(writeln!(std::io::stderr(), "{line}")),
    };
    action(&host)
}
