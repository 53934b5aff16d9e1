//! Looking for what is to be told. Idempotent, and safe on several dashboards: an episode is told by whoever stores it.

use super::EventKind;
use super::tell::{tell, tell_platform};
use crate::app::{App, AppResult, commit};
use chrono::Duration;
use proxima_db::notifications::settings::SettingsRow;
use proxima_db::notifications::{episodes, events, queue, settings, unheard};
use proxima_db::servers::interval;

/// How often the fleet is looked through.
const LOOK_EVERY: Duration = Duration::seconds(60);
/// How long the log is kept.
const KEEP: Duration = Duration::days(30);
/// Heartbeats that a gateway misses before it is offline (product.md section 4).
const MISSED: i32 = 3;
const OFFLINE: &str = EventKind::GatewayOffline.as_str();
const SILENT: &str = EventKind::GatewaySilent.as_str();

/// Notes that this dashboard listens, and how many messages wait.
///
/// # Errors
/// When the database is not to be had.
pub async fn listen(app: &App) -> AppResult<()> {
    // Shorter gaps are within what a gateway may miss: a restart, a failover.
    let gap = (app.config.heartbeat_interval * 2).max(Duration::seconds(45));
    episodes::note_listening(&app.db, interval(gap)).await?;
    let depth = queue::depth(&app.db).await?;
    #[allow(clippy::cast_precision_loss)] // a queue of 2^52 is not to be had
    metrics::gauge!("proxima_notifications_waiting").set(depth.waiting as f64);
    metrics::gauge!("proxima_notifications_overdue_seconds").set(depth.overdue_seconds);
    Ok(())
}

/// Looks through the fleet, if it is time to. With a large one it takes a while: it leaves most of the database to others.
///
/// # Errors
/// When the database is not to be had; the next look finds the same.
pub async fn look(app: &App) -> AppResult<()> {
    if !episodes::begin_look(&app.db, interval(LOOK_EVERY)).await? {
        return Ok(());
    }
    let settings = settings::get(&app.db).await?;
    let fresh = app.config.heartbeat_interval * MISSED;
    look_at_known(app, &settings, fresh).await?;
    app.notifier.queued.notify_one();
    look_for_unheard(app, &settings, fresh).await?;
    app.notifier.queued.notify_one();
    Ok(())
}

/// What a few rows say: who is back, and which licenses end.
async fn look_at_known(app: &App, settings: &SettingsRow, fresh: Duration) -> AppResult<()> {
    let mut tx = app.begin().await?;
    episodes::one_at_a_time(&mut tx).await?;
    let back = episodes::close_heard(&mut tx, OFFLINE, interval(fresh)).await?;
    tell(&mut tx, EventKind::GatewayOnline, &back).await?;
    // Their return is told as that of an offline gateway.
    episodes::close_heard(&mut tx, SILENT, interval(fresh)).await?;

    let (hours, ending) = (settings.license_ending_hours, EventKind::LicenseEnding.as_str());
    for spared in episodes::close_ending(&mut tx, ending, hours).await? {
        events::call_off(&mut tx, ending, spared).await?;
    }
    let soon = episodes::open_ending(&mut tx, ending, hours).await?;
    tell(&mut tx, EventKind::LicenseEnding, &soon).await?;
    let expired = episodes::open_expired(&mut tx, EventKind::LicenseExpired.as_str()).await?;
    tell(&mut tx, EventKind::LicenseExpired, &expired).await?;
    events::forget_old(&mut *tx, interval(KEEP)).await?;
    commit(tx).await
}

async fn look_for_unheard(app: &App, settings: &SettingsRow, fresh: Duration) -> AppResult<()> {
    let late = fresh + Duration::minutes(settings.offline_settle_minutes.into());
    let silent = late.max(Duration::hours(settings.silent_hours.into()));
    let unheard = unheard::servers(&app.db, OFFLINE, interval(late)).await?;

    let mut tx = app.begin().await?;
    episodes::one_at_a_time(&mut tx).await?;
    let gone = episodes::open_unheard(&mut tx, OFFLINE, &unheard, interval(late), interval(late)).await?;
    tell(&mut tx, EventKind::GatewayOffline, &gone).await?;
    let unheard_long = unheard::for_longer(&mut *tx, OFFLINE, SILENT, interval(silent)).await?;
    let gone_long = episodes::open_unheard(&mut tx, SILENT, &unheard_long, interval(silent), interval(late)).await?;
    tell(&mut tx, EventKind::GatewaySilent, &gone_long).await?;
    commit(tx).await
}

/// Says whether the database is behind its anchor. Told once, until it is in order again.
///
/// # Errors
/// When the database is not to be had.
pub async fn database_behind_anchor(app: &App, behind: bool) -> AppResult<()> {
    let kind = EventKind::DatabaseBehindAnchor;
    if !behind {
        return Ok(episodes::close_platform(&app.db, kind.as_str()).await?);
    }
    let mut tx = app.begin().await?;
    if episodes::open_platform(&mut tx, kind.as_str()).await? {
        let sentence = "The database is behind its anchor: heartbeats are not answered until accept-restore is run";
        tell_platform(&mut tx, kind, sentence, None).await?;
    }
    commit(tx).await
}
