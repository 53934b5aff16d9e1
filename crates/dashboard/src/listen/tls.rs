//! TLS of the dashboard's own: a certificate and its key from files, followed when they change.

use anyhow::Context as _;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Asks for the files to be read again; answered when that is done, whatever came of it.
pub type Reload = oneshot::Sender<()>;

/// Where the certificate is, and what it is for.
#[derive(Debug, Clone)]
pub struct Files {
    pub cert: PathBuf,
    pub key: PathBuf,
    /// The host of the public URL.
    pub host: String,
}

/// A certificate that can be served.
pub struct Loaded {
    key: Arc<CertifiedKey>,
    /// Seconds since 1970.
    pub not_after: i64,
    /// Why browsers or gateways will refuse it, although it can be served.
    pub defects: Vec<String>,
}

impl Files {
    /// Reads both files and looks whether they fit each other, the time and the host.
    ///
    /// # Errors
    /// One sentence that names the file and the remedy, when they cannot be served at all.
    pub fn load(&self, now: UnixTime) -> anyhow::Result<Loaded> {
        let (cert, key) = (self.cert.display(), self.key.display());
        let chain = CertificateDer::pem_file_iter(&self.cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| anyhow::anyhow!("{cert} cannot be read as PEM: {error}"))?;
        anyhow::ensure!(!chain.is_empty(), "{cert} holds no certificate: it must begin with the dashboard's own");
        let private = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| anyhow::anyhow!("{key} cannot be read as a private key in PEM: {error}"))?;
        let certified = CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider()).map_err(|error| {
            anyhow::anyhow!(
                "{key} is not the key of the first certificate in {cert}: {error}. The dashboard's own certificate comes first, \
                 those that signed it behind it"
            )
        })?;
        let mut defects = Vec::new();
        let not_after = self.look(&certified.cert, now, &mut defects)?;
        Ok(Loaded { key: Arc::new(certified), not_after, defects })
    }

    fn look(&self, chain: &[CertificateDer<'static>], now: UnixTime, defects: &mut Vec<String>) -> anyhow::Result<i64> {
        let shown = self.cert.display();
        let parsed = chain
            .iter()
            .map(|cert| X509Certificate::from_der(cert).map(|(_, parsed)| parsed))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| anyhow::anyhow!("{shown} holds a malformed certificate: {error}"))?;
        let own = parsed.first().context("an empty chain")?;
        for (index, pair) in parsed.windows(2).enumerate() {
            if pair[0].issuer() != pair[1].subject() {
                defects.push(format!(
                    "{shown}: certificate {} was not signed by certificate {}: put the chain into order, the dashboard's own first",
                    index + 1,
                    index + 2
                ));
            }
        }
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        for (index, cert) in parsed.iter().enumerate() {
            let (from, to) = (cert.validity().not_before, cert.validity().not_after);
            if to.timestamp() <= now {
                defects.push(format!("{shown}: certificate {} expired at {to}: renew it", index + 1));
            } else if from.timestamp() > now {
                defects.push(format!(
                    "{shown}: certificate {} counts from {from} on: look at this machine's clock",
                    index + 1
                ));
            }
        }
        let name = ServerName::try_from(self.host.as_str()).context("the public URL's host is not a name")?;
        let end = ParsedCertificate::try_from(&chain[0])?;
        if rustls::client::verify_server_name(&end, &name).is_err() {
            defects
                .push(format!("{shown} is not for {}, the host of the public URL: have one issued for it", self.host));
        }
        Ok(own.validity().not_after.timestamp())
    }

    /// What changes when the files do, links followed.
    fn stamp(&self) -> [Option<(u64, u64, i64, i64)>; 2] {
        let of = |path: &Path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
        };
        [of(&self.cert), of(&self.key)]
    }
}

#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// TLS 1.2 and 1.3 with the certificate that the files hold now.
pub struct Tls {
    files: Files,
    current: Arc<Current>,
    acceptor: TlsAcceptor,
}

impl Tls {
    /// With the files as they are. What is wrong with them, and still can be served, is logged.
    ///
    /// # Errors
    /// As [`Files::load`].
    pub fn open(files: Files) -> anyhow::Result<Arc<Self>> {
        let loaded = files.load(UnixTime::now())?;
        note(&loaded);
        for defect in &loaded.defects {
            tracing::error!("{defect}");
        }
        let current = Arc::new(Current(ArcSwap::new(loaded.key)));
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // Gateways come back every minute: a resumed session costs no signature.
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        Ok(Arc::new(Self { files, current, acceptor: TlsAcceptor::from(Arc::new(config)) }))
    }

    pub(super) async fn accept(
        &self,
        stream: TcpStream,
    ) -> std::io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }

    /// Follows the files until the process ends: when they change, and when it is asked to. Connections stay. A new
    /// pair that is not right is refused with its reason, and the old one goes on.
    pub async fn follow(self: Arc<Self>, mut asked: mpsc::Receiver<Reload>) {
        let mut seen = self.files.stamp();
        loop {
            let asked = match tokio::time::timeout(LOOK_EVERY, asked.recv()).await {
                Ok(None) => return,
                Ok(done) => done,
                Err(_) => None,
            };
            let stamp = self.files.stamp();
            if asked.is_none() && stamp == seen {
                continue;
            }
            seen = stamp;
            self.reload(UnixTime::now());
            if let Some(done) = asked {
                let _ = done.send(());
            }
        }
    }

    fn reload(&self, now: UnixTime) {
        let refused = match self.files.load(now) {
            Ok(loaded) if loaded.defects.is_empty() => {
                note(&loaded);
                self.current.0.store(loaded.key);
                tracing::info!(certificate = %self.files.cert.display(), "the TLS certificate was read again");
                return;
            }
            Ok(loaded) => loaded.defects.join("; "),
            Err(error) => format!("{error:#}"),
        };
        metrics::counter!("proxima_tls_reloads_refused_total").increment(1);
        tracing::error!("the new TLS certificate is refused, the one before goes on: {refused}");
    }
}

fn note(loaded: &Loaded) {
    #[allow(clippy::cast_precision_loss)]
    metrics::gauge!("proxima_tls_certificate_not_after_seconds").set(loaded.not_after as f64);
}

#[cfg(test)]
mod tests;
