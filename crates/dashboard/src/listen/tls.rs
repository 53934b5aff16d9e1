//! TLS of the dashboard's own: a certificate and its key, from files that are followed when they change, or from an authority.

use crate::acme;
use anyhow::Context as _;
use arc_swap::ArcSwapOption;
use futures_util::future::BoxFuture;
use proxima_certs::{Names, Pair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::UnixTime;
use rustls::server::{Acceptor, ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};
use zeroize::Zeroizing;

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

impl Files {
    /// Reads both files and looks whether they fit each other, the time and the host.
    ///
    /// # Errors
    /// One sentence that names the file and the remedy, when they cannot be served at all.
    pub fn load(&self, now: UnixTime) -> anyhow::Result<Pair> {
        let (cert, key) = (self.cert.display().to_string(), self.key.display().to_string());
        let read = |path: &Path| std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()));
        let (chain, private) = (read(&self.cert)?, Zeroizing::new(read(&self.key)?));
        for_host(&chain, &private, &Names { cert: &cert, key: &key }, &self.host, now)
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

fn for_host(chain: &[u8], key: &[u8], names: &Names<'_>, host: &str, now: UnixTime) -> anyhow::Result<Pair> {
    let mut pair = Pair::from_pem(chain, key, names, now)?;
    pair.expect_host(host, names.cert, "the host of the public URL")?;
    Ok(pair)
}

/// None until an authority has issued the first one.
#[derive(Debug, Default)]
struct Current(ArcSwapOption<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }
}

/// The digest that an authority looks for at a host now (RFC 8737).
pub type Challenges = Box<dyn Fn() -> BoxFuture<'static, Option<[u8; 32]>> + Send + Sync>;

/// Where the certificate comes from.
enum Source {
    Files(Files),
    /// It is given to [`Tls::take`]; the authority's questions for the host are answered.
    Authority {
        host: String,
        challenges: OnceLock<Challenges>,
    },
}

/// The certificate that is served, in words.
#[derive(Debug, Clone)]
pub struct Served {
    /// Organization and name of whoever signed it.
    pub issuer: String,
    /// Seconds since 1970.
    pub not_after: i64,
    /// Why browsers or gateways refuse it.
    pub defects: Vec<String>,
}

/// TLS 1.2 and 1.3 with the certificate of now.
pub struct Tls {
    source: Source,
    served: ArcSwapOption<Served>,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

impl Tls {
    /// With the files as they are. What is wrong with them, and still can be served, is logged.
    ///
    /// # Errors
    /// As [`Files::load`].
    pub fn open(files: Files) -> anyhow::Result<Arc<Self>> {
        let pair = files.load(UnixTime::now())?;
        let tls = Self::new(Source::Files(files))?;
        tls.serve(pair);
        Ok(tls)
    }

    /// Without a certificate yet: connections are refused until one is given to [`Self::take`], but for those of the authority.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn by_authority(host: String) -> anyhow::Result<Arc<Self>> {
        Self::new(Source::Authority { host, challenges: OnceLock::new() })
    }

    fn new(source: Source) -> anyhow::Result<Arc<Self>> {
        let current = Arc::new(Current::default());
        let mut config = builder()?.with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // Gateways come back every minute: a resumed session costs no signature.
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        Ok(Arc::new(Self { source, served: ArcSwapOption::empty(), current, config: Arc::new(config) }))
    }

    /// Who knows what an authority looks for; said once, before the first order.
    pub fn answer_challenges(&self, ask: Challenges) {
        if let Source::Authority { challenges, .. } = &self.source {
            let _ = challenges.set(ask);
        }
    }

    pub(super) async fn accept(
        &self,
        stream: TcpStream,
    ) -> std::io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
        let Source::Authority { host, challenges } = &self.source else {
            return TlsAcceptor::from(Arc::clone(&self.config)).accept(stream).await;
        };
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let asked = start.client_hello().alpn().is_some_and(|mut names| names.any(|name| name == acme::ALPN));
        let Some(ask) = challenges.get().filter(|_| asked) else {
            return start.into_stream(Arc::clone(&self.config)).await;
        };
        let config = challenge(host, ask().await).map_err(std::io::Error::other)?;
        // The handshake is all that there is to it (RFC 8737, section 3): nothing is served under that certificate.
        start.into_stream(config).await?.shutdown().await?;
        Err(std::io::Error::new(ErrorKind::ConnectionAborted, "the authority's question was answered"))
    }

    /// Serves a certificate that an authority issued: PEM, the host's own first, and its key.
    ///
    /// # Errors
    /// When it cannot be served; the one before goes on.
    pub fn take(&self, chain: &str, key: &str) -> anyhow::Result<()> {
        let Source::Authority { host, .. } = &self.source else { anyhow::bail!("this port has certificate files") };
        let names = Names { cert: "the issued certificate", key: "the issued certificate's key" };
        self.serve(for_host(chain.as_bytes(), key.as_bytes(), &names, host, UnixTime::now())?);
        Ok(())
    }

    fn serve(&self, pair: Pair) {
        #[allow(clippy::cast_precision_loss)]
        metrics::gauge!("proxima_tls_certificate_not_after_seconds").set(pair.not_after as f64);
        for defect in &pair.defects {
            tracing::error!("{defect}");
        }
        let Pair { key, issuer, not_after, defects, .. } = pair;
        self.served.store(Some(Arc::new(Served { issuer, not_after, defects })));
        self.current.0.store(Some(key));
    }

    /// None before an authority has issued the first.
    #[must_use]
    pub fn served(&self) -> Option<Arc<Served>> {
        self.served.load_full()
    }

    /// Follows the files until the process ends: when they change, and when it is asked to. Connections stay. A new
    /// pair that is not right is refused with its reason, and the old one goes on.
    pub async fn follow(self: Arc<Self>, mut asked: mpsc::Receiver<Reload>) {
        let Source::Files(files) = &self.source else { return };
        let mut seen = files.stamp();
        loop {
            let asked = match tokio::time::timeout(LOOK_EVERY, asked.recv()).await {
                Ok(None) => return,
                Ok(done) => done,
                Err(_) => None,
            };
            let stamp = files.stamp();
            if asked.is_none() && stamp == seen {
                continue;
            }
            seen = stamp;
            self.reload(files, UnixTime::now());
            if let Some(done) = asked {
                let _ = done.send(());
            }
        }
    }

    fn reload(&self, files: &Files, now: UnixTime) {
        let refused = match files.load(now) {
            Ok(pair) if pair.defects.is_empty() => {
                self.serve(pair);
                tracing::info!(certificate = %files.cert.display(), "the TLS certificate was read again");
                return;
            }
            Ok(pair) => pair.defects.join("; "),
            Err(error) => format!("{error:#}"),
        };
        metrics::counter!("proxima_tls_reloads_refused_total").increment(1);
        tracing::error!("the new TLS certificate is refused, the one before goes on: {refused}");
    }
}

fn builder() -> anyhow::Result<rustls::ConfigBuilder<ServerConfig, rustls::server::WantsServerCert>> {
    Ok(ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth())
}

/// For the one connection in which an authority makes sure of the host.
fn challenge(host: &str, digest: Option<[u8; 32]>) -> anyhow::Result<Arc<ServerConfig>> {
    let digest = digest.context("no authority's question is expected now")?;
    let key = acme::challenge_certificate(host, &digest)?;
    let mut config = builder()?.with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    config.alpn_protocols = vec![acme::ALPN.to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests;
