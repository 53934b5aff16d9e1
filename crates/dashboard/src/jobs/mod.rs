//! What runs without being asked: every job is idempotent, and safe on several dashboards at once.

pub mod certificate;
pub mod keys;
pub mod notifications;
pub mod nudges;
pub mod runner;

use crate::app::notifications as telling;
use crate::app::{Actor, App, AppResult, anchor, audit, audit_retention, commit, install_tokens, licenses};
use metrics_exporter_prometheus::PrometheusHandle;
use proxima_db::notifications::episodes;
use proxima_db::servers::interval;
use proxima_db::{factors, heartbeats, passkeys, sessions, throttles};
use proxima_types::ServerId;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// How often expiries and shared keys are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(15);
/// A sweep whose database is gone without a word is given up after this long.
const SWEEP_WITHIN: Duration = Duration::from_secs(60);

/// Sweeps, and looks through the fleet, until the process ends. What failed is logged and tried again.
pub async fn run(app: Arc<App>) {
    // A look at a large fleet takes longer than a sweep may.
    tokio::join!(keep_tidy(&app), keep_looking(&app));
}

async fn keep_looking(app: &App) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = look(app).await {
            tracing::warn!(error = ?anyhow::Error::from(error), "the fleet could not be looked through; trying again");
        }
    }
}

async fn look(app: &App) -> AppResult<()> {
    // What a restored database says of gateways is of another time.
    if anchor::look(app).await?.is_err() { Ok(()) } else { telling::look(app).await }
}

async fn keep_tidy(app: &App) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match tokio::time::timeout(SWEEP_WITHIN, tidy(app)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = ?anyhow::Error::from(error), "a sweep failed; the next one tries again");
            }
            Err(_) => tracing::warn!("a sweep had no answer from the database; the next one tries again"),
        }
    }
}

/// How often the database is compared with its anchor, and the anchor brought up to date, when no heartbeat does it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the audit log is looked through for rows to remove.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// Compares the database with the anchor until the process ends.
pub async fn keep_anchor(app: Arc<App>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut told = None;
    loop {
        ticks.tick().await;
        if let Err(error) = look_and_tell(&app, &mut told).await {
            tracing::debug!(error = ?anyhow::Error::from(error), "the database cannot be compared with the anchor now");
        }
    }
}

/// Compares the database with the anchor, and notifies when the outcome is another than the one that was `told`.
///
/// # Errors
/// When the database is not to be had; the next look tells then.
pub async fn look_and_tell(app: &App, told: &mut Option<bool>) -> AppResult<()> {
    let behind = anchor::look(app).await?.is_err();
    if *told != Some(behind) {
        telling::database_behind_anchor(app, behind).await?;
        *told = Some(behind);
    }
    Ok(())
}

/// Removes audit rows by the policy until the process ends.
pub async fn keep_retention(app: Arc<App>) {
    let mut ticks = tokio::time::interval(PRUNE_EVERY);
    loop {
        ticks.tick().await;
        if let Err(error) = audit_retention::prune(&app).await {
            tracing::warn!(error = ?anyhow::Error::from(error), "old audit rows could not be removed; trying again later");
        }
    }
}

/// How often superseded installs are forgotten, and after which silence.
const FORGET_EVERY: Duration = Duration::from_secs(3600);
const SUPERSEDED_FOR: chrono::Duration = chrono::Duration::days(7);

/// Forgets superseded installs until the process ends.
pub async fn keep_installs_few(app: Arc<App>) {
    let mut ticks = tokio::time::interval(FORGET_EVERY);
    loop {
        ticks.tick().await;
        if let Err(error) = forget_superseded(&app).await {
            tracing::warn!(error = ?anyhow::Error::from(error), "superseded installs could not be forgotten; trying again later");
        }
    }
}

/// # Errors
/// When the database is not to be had.
pub async fn forget_superseded(app: &App) -> AppResult<()> {
    let mut tx = app.begin().await?;
    heartbeats::forget_superseded(&mut tx, interval(SUPERSEDED_FOR)).await?;
    commit(tx).await
}

/// How often measured times are folded into their summaries.
const FOLD_EVERY: Duration = Duration::from_secs(5);

/// Folds what was measured into the summaries that `/metrics` shows, until the process ends: every single time of every
/// request is kept until then, and nobody may ever ask for the page.
pub async fn keep_metrics(metrics: PrometheusHandle) {
    let mut ticks = tokio::time::interval(FOLD_EVERY);
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
    }
}

/// All that [`run`] does, once.
///
/// # Errors
/// When the database is not to be had.
pub async fn sweep(app: &App) -> AppResult<()> {
    tidy(app).await?;
    look(app).await
}

/// Audits expiries (and nudges their gateways) and shared keys seen for the first time, ends rotations past their limit, and forgets ended sessions.
async fn tidy(app: &App) -> AppResult<()> {
    // What a restored database says of licenses is of another time.
    if anchor::look(app).await?.is_err() {
        return Ok(());
    }
    for server in licenses::observe_expiries(&app.db).await? {
        app.nudges.request(server);
    }
    licenses::rotation::finish(&app.db, &[]).await?;
    observe_shared_keys(app).await?;
    telling::listen(app).await?;
    install_tokens::give_up_silent(app).await?;
    sessions::delete_ended(&app.db, interval(app.config.session_idle)).await?;
    factors::sweep(&app.db).await?;
    passkeys::sweep(&app.db).await?;
    throttles::sweep(&app.db).await?;
    Ok(())
}

async fn observe_shared_keys(app: &App) -> AppResult<()> {
    let mut tx = app.begin().await?;
    let found = heartbeats::observe_shared_keys(&mut tx, app.heartbeat_interval()).await?;
    let ids: Vec<_> = found.iter().map(|shared| shared.server_id).collect();
    let subjects = episodes::subjects(&mut tx, &ids).await?;
    telling::tell(&mut tx, telling::EventKind::KeyShared, &subjects).await?;
    for shared in found {
        tracing::warn!(server = %shared.server_id, hosts = shared.hosts, "a license key is in use on several hosts");
        let target = audit::server_target(ServerId(shared.server_id), &shared.server_name);
        let metadata = json!({ "hosts": shared.hosts });
        audit::succeeded(&mut tx, &Actor::system(), "server.license.shared", Some(target), metadata).await?;
    }
    commit(tx).await
}
