//! What systemd hears of a service of `Type=notify`. Without systemd all of it does nothing.

use sd_notify::NotifyState;
use std::net::SocketAddr;

pub(super) fn ready(listen: &SocketAddr) {
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("serving on {listen}"))]);
}

pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("requests under way may finish")]);
}

/// What SIGHUP asked for is done; systemd waits for both when the unit is of `Type=notify-reload`.
pub(super) fn reloaded() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
        tell(&[NotifyState::Ready]);
    }
}

/// Says that the process is alive, twice as often as the unit's `WatchdogSec=` asks for.
pub(super) async fn beat() {
    let Some(every) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval(every / 2);
    loop {
        ticks.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
