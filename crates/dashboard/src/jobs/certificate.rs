//! Keeps the port's certificate the one that is stored, and has it renewed in time.

use crate::acme::Authority;
use crate::app::certificates::{self, Stored};
use crate::app::{App, AppResult};
use crate::listen::tls::{Reload, Tls};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How soon a certificate that another dashboard had issued is taken.
const EVERY: Duration = Duration::from_secs(10);

/// Until the process ends. A reload (`asked`) tries again at once, and is not waited for: an authority takes its time.
pub async fn run(app: Arc<App>, authority: Authority, tls: Arc<Tls>, mut asked: mpsc::Receiver<Reload>) {
    let mut seen = None;
    let mut now = false;
    loop {
        if let Err(error) = round(&app, &authority, &tls, &mut seen, now).await {
            tracing::warn!(error = ?anyhow::Error::from(error), "the certificate could not be looked after; trying again");
        }
        now = match tokio::time::timeout(EVERY, asked.recv()).await {
            Ok(None) => return,
            Ok(Some(done)) => done.send(()).is_ok(),
            Err(_) => false,
        };
    }
}

async fn round(app: &App, authority: &Authority, tls: &Tls, seen: &mut Option<String>, now: bool) -> AppResult<()> {
    if let Some(stored) = certificates::stored(app, authority, seen.as_deref()).await? {
        take(tls, stored, seen);
    }
    if let Some(issued) = certificates::renew(app, authority, now).await? {
        take(tls, issued, seen);
    }
    Ok(())
}

fn take(tls: &Tls, stored: Stored, seen: &mut Option<String>) {
    if let Err(error) = tls.take(&stored.chain, &stored.key) {
        tracing::error!(error = format!("{error:#}"), "the stored certificate cannot be served");
    }
    *seen = Some(stored.chain);
}
