//! What systemd hears of a service of `Type=notify`. Without systemd all of it does nothing.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use sd_notify::NotifyState;
use std::net::SocketAddr;
use tower::ServiceExt as _;

pub(super) fn ready(listen: &SocketAddr) {
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("serving on {listen}"))]);
}

pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("requests under way may finish")]);
}

/// What SIGHUP asked for has begun: until [`reloaded`] systemd calls the service *reloading*.
pub(super) fn reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

/// What SIGHUP asked for is done.
pub(super) fn reloaded() {
    tell(&[NotifyState::Ready]);
}

/// Says that the dashboard is alive, three times as often as the unit's `WatchdogSec=` asks for, each time that a task of
/// its own got `/healthz` answered by the router: one that cannot is restarted. A database that is away is no reason.
pub(super) async fn beat(router: Router) {
    let Some(within) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval(within / 3);
    loop {
        ticks.tick().await;
        let Ok(request) = Request::get("/healthz").body(Body::empty()) else { continue };
        match tokio::spawn(router.clone().oneshot(request)).await {
            Ok(Ok(answer)) if answer.status() == StatusCode::OK => tell(&[NotifyState::Watchdog]),
            other => tracing::error!(?other, "the dashboard does not answer itself: systemd will restart it"),
        }
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
