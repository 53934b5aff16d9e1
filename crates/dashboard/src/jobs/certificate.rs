//! Keeps the port's certificate the one that is stored, and has it renewed in time.

use crate::acme::Authority;
use crate::app::certificates::{self, Certificate, Stored};
use crate::app::{App, AppResult};
use crate::entropy::EntropyExt as _;
use crate::listen::tls::{Reload, Tls};
use proxima_db::acme::Haste;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How soon a certificate that another dashboard had issued is taken.
const EVERY: Duration = Duration::from_secs(10);

/// One dashboard's part in it.
pub struct Certificates {
    app: Arc<App>,
    authority: Authority,
    tls: Arc<Tls>,
    /// This process, to the others.
    claimant: Uuid,
    /// The stored chain that is served.
    seen: Option<String>,
    /// Whether one is served that could not be stored.
    own: bool,
}

impl Certificates {
    #[must_use]
    pub fn new(app: Arc<App>, authority: Authority, tls: Arc<Tls>) -> Self {
        let claimant = app.entropy.uuid();
        Self { app, authority, tls, claimant, seen: None, own: false }
    }

    /// Until `closing`. A reload (`asked`) tries again at once, and is not waited for: an authority takes its time.
    pub async fn run(mut self, mut asked: mpsc::Receiver<Reload>, closing: CancellationToken) {
        let (app, claimant) = (Arc::clone(&self.app), self.claimant);
        tokio::select! {
            () = self.follow(&mut asked) => {}
            () = closing.cancelled() => {}
        }
        certificates::let_go(&app, claimant).await;
    }

    async fn follow(&mut self, asked: &mut mpsc::Receiver<Reload>) {
        let (mut now, mut settings_are_new) = (false, true);
        loop {
            if let Err(error) = self.round(now).await {
                tracing::warn!(error = ?anyhow::Error::from(error), "the certificate could not be looked after; trying again");
            }
            if now || settings_are_new {
                settings_are_new = false;
                if let Err(error) = certificates::follow_settings(&self.app, &self.authority).await {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "the authority's account is as before; the next start or reload tries again"
                    );
                }
            }
            now = match tokio::time::timeout(EVERY, asked.recv()).await {
                Ok(None) => return,
                Ok(Some(done)) => {
                    let _ = done.send(());
                    true
                }
                Err(_) => false,
            };
        }
    }

    async fn round(&mut self, now: bool) -> AppResult<()> {
        let mut haste = Haste { now, anyway: false };
        match certificates::stored(&self.app, &self.authority, self.seen.as_deref()).await? {
            Stored::Nothing => {}
            Stored::Certificate(stored) => {
                self.serve(&stored);
                self.seen = Some(stored.chain);
            }
            // In place of a key that is lost for good; or for this process alone, while it serves nothing.
            Stored::Sealed => haste.anyway = certificates::can_be_stored(&self.app) || self.serves_nothing(),
        }
        if !certificates::can_be_stored(&self.app) && !self.serves_nothing() {
            return Ok(());
        }
        if let Some(issued) = certificates::renew(&self.app, &self.authority, self.claimant, haste).await? {
            self.serve(&issued);
            self.own = true;
        }
        Ok(())
    }

    fn serves_nothing(&self) -> bool {
        self.seen.is_none() && !self.own
    }

    fn serve(&self, certificate: &Certificate) {
        if let Err(error) = self.tls.take(&certificate.chain, &certificate.key) {
            tracing::error!(error = format!("{error:#}"), "the certificate cannot be served");
        }
    }
}
