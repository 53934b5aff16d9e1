//! Sends notifications, beside any number of other dashboards on the same database.

use crate::app::{App, AppResult, notifications};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How often a dashboard looks for deliveries that it was not told of.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Sends until `stopping` says so; attempts under way end by themselves, within 15 seconds.
pub async fn run(app: Arc<App>, mut stopping: watch::Receiver<bool>) {
    let mut sending = JoinSet::new();
    while !*stopping.borrow() {
        if let Err(error) = begin(&app, &mut sending).await {
            tracing::warn!(error = ?anyhow::Error::from(error), "notifications could not be looked for; trying again");
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = app.notifier.queued.notified() => {}
            Some(ended) = sending.join_next(), if !sending.is_empty() => report(ended),
            _ = stopping.changed() => {}
        }
    }
    while let Some(ended) = sending.join_next().await {
        report(ended);
    }
}

/// Sends all that is due now and has a place, to the end. Returns how many messages those were.
///
/// # Errors
/// When the database is not to be had.
pub async fn send_due(app: &Arc<App>) -> AppResult<usize> {
    let mut sending = JoinSet::new();
    begin(app, &mut sending).await?;
    let count = sending.len();
    while let Some(ended) = sending.join_next().await {
        report(ended);
    }
    Ok(count)
}

async fn begin(app: &Arc<App>, sending: &mut JoinSet<AppResult<()>>) -> AppResult<()> {
    for batch in notifications::batches(app).await? {
        let app = Arc::clone(app);
        sending.spawn(async move { notifications::deliver(&app, &batch).await });
    }
    Ok(())
}

fn report(ended: Result<AppResult<()>, tokio::task::JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(error = ?anyhow::Error::from(error), "a notification's attempt was not recorded; it is made again");
        }
        Err(error) => tracing::error!(%error, "a notification's task ended by a defect; it is sent again"),
    }
}
