//! The ways to backends: who gets a request (`group`), who is well (`health`, `check`), how they are trusted (`trust`), and each
//! worker's connections to each of them (`connections`).

mod check;
mod connect;
mod connections;
mod group;
mod health;
mod trust;

pub(crate) use check::Checks;
pub(crate) use connections::{ConnectError, Connections};
pub(crate) use group::Group;
use health::Health;
use proxima_types::BackendUrl;
use proxima_types::gateway_config::BackendTls;
use std::sync::Arc;
use std::time::Duration;
use trust::Trust;

/// Limits of time towards a backend.
#[derive(Debug, Clone, Copy)]
pub struct BackendTimings {
    pub connect: Duration,
    /// From the request's last progress to the response's head.
    pub header: Duration,
}

/// One backend, as all workers know it.
#[derive(Debug)]
pub struct Backend {
    pub url: BackendUrl,
    /// As the log names it.
    pub name: String,
    /// Its own `Host`, for visitors (HTTP/1.0) who name none.
    pub host: String,
    tls: BackendTls,
    trust: Option<Trust>,
    pub(crate) health: Health,
}

impl Backend {
    /// # Errors
    /// One sentence: why an `https://` backend cannot be trusted.
    pub fn new(url: BackendUrl, tls: BackendTls) -> Result<Self, String> {
        let trust = Trust::of(&url, &tls)?;
        Ok(Self { name: url.to_string(), host: url.authority(), trust, tls, health: Health::default(), url })
    }

    /// Whether it is the very same as this would be.
    pub fn is(&self, url: &BackendUrl, tls: &BackendTls) -> bool {
        self.url == *url && self.tls == *tls
    }

    #[cfg(test)]
    fn plain(url: BackendUrl) -> Self {
        Self::new(url, BackendTls::default()).expect("without TLS")
    }
}

/// A request that is under way to a backend.
#[derive(Debug)]
pub(crate) struct UnderWay(Arc<Backend>);

impl UnderWay {
    pub fn to(backend: &Arc<Backend>) -> Self {
        backend.health.begin();
        Self(Arc::clone(backend))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.health.end();
    }
}
