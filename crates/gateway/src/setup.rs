//! `proxima-gateway setup`: gives `proxima-setup` this machine, its clock and the client of
//! heartbeats.

use crate::agent::client;
use crate::clock::{Clock as _, SystemClock};
use anyhow::Context as _;
use proxima_setup::commands::System;
use proxima_setup::{Ended, Enrollment, Host};
use proxima_types::identity::DashboardUrl;
use rand::RngCore as _;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};

const FAILED: u8 = 1;
const USAGE: u8 = 2;
/// As shells say it of SIGINT.
const INTERRUPTED: u8 = 130;

/// One request on stdin, one reply on `out`; the exit code: 0 done, 1 not.
///
/// # Errors
/// When the reply cannot be written.
pub fn serve(out: &mut dyn Write) -> anyhow::Result<u8> {
    let done = with_host(|host| proxima_setup::serve(host, std::io::stdin().lock(), out))?;
    Ok(if done { 0 } else { FAILED })
}

/// The box installs itself; the exit code: 0 done, 1 not, 130 interrupted (128 + SIGINT).
///
/// # Errors
/// When signals cannot be heard: then nothing was done.
pub fn enroll(dashboard: DashboardUrl, out: &mut dyn Write) -> anyhow::Result<u8> {
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    let interrupted = hear_signals()?;
    let mut wanted = Enrollment {
        dashboard,
        input: &mut std::io::stdin().lock(),
        program,
        random: &|buffer| rand::rng().fill_bytes(buffer),
        interrupted: &|| interrupted.load(Ordering::Relaxed),
    };
    Ok(match with_host(|host| proxima_setup::enroll(host, &mut wanted, out)) {
        Ended::Installed => 0,
        Ended::Failed => FAILED,
        Ended::Interrupted => INTERRUPTED,
    })
}

/// From now on what would end this process is only noted.
fn hear_signals() -> anyhow::Result<Arc<AtomicBool>> {
    let heard = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&heard);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let signals = {
        let _inside = runtime.enter();
        kinds.into_iter().map(signal).collect::<std::io::Result<Vec<_>>>().context("signals cannot be heard")?
    };
    std::thread::spawn(move || {
        runtime.block_on(async move {
            let waiting = signals.into_iter().map(|mut signal| {
                let noted = Arc::clone(&noted);
                tokio::spawn(async move {
                    while signal.recv().await.is_some() {
                        noted.store(true, Ordering::Relaxed);
                    }
                })
            });
            for task in waiting.collect::<Vec<_>>() {
                let _ = task.await;
            }
        });
    });
    Ok(heard)
}

/// Removes the gateway; the exit code: 0 done, 1 not, 2 without `yes`.
///
/// # Errors
/// Never in practice.
pub fn uninstall(yes: bool, out: &mut dyn Write) -> anyhow::Result<u8> {
    if !yes {
        writeln!(
            out,
            "This stops the gateway, refuses its visitors from then on, and removes its program, unit, user, configuration and \
             state. To do it: proxima-gateway setup uninstall --yes"
        )?;
        return Ok(USAGE);
    }
    let done = with_host(|host| proxima_setup::uninstall(host, out));
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
