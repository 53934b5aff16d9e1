//! TLS towards visitors: versions 1.2 and 1.3, the certificate that a visitor's server name asks for, sessions resumed by tickets.

mod by_name;
mod handshake;

use by_name::ByName;
pub(crate) use handshake::{Handshake, handshake};
use proxima_certs::{Names, Pair};
use proxima_types::GatewayConfig;
use proxima_types::gateway_config::{
    Certificate, CertificateFiles, CertificatePem, CertificateSource, ListenerTls, TlsVersion,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::UnixTime;
use rustls::server::{NoServerSessionStorage, ProducesTickets};
use rustls::version::{TLS12, TLS13};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One port's TLS, as it is configured now.
#[derive(Debug, Clone)]
pub(crate) struct PortTls {
    pub config: Arc<ServerConfig>,
    /// What `Strict-Transport-Security` says.
    pub hsts: Option<Arc<str>>,
}

/// Makes ports' TLS. Tickets that one of them gave are good at all, also after a change of the configuration.
#[derive(Debug)]
pub(crate) struct Terminator(Arc<dyn ProducesTickets>);

/// The certificates of one configuration, each with what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Certificates(BTreeMap<String, Result<Pair, String>>);

impl Certificates {
    /// Reads them all, from the configuration and from files.
    pub fn read(config: &GatewayConfig, now: UnixTime) -> Self {
        let used = |certificate: &&Certificate| {
            config
                .listeners
                .iter()
                .filter_map(|listener| listener.tls.as_ref())
                .any(|tls| tls.certificates.contains(&certificate.name))
        };
        let read = |certificate: &Certificate| (certificate.name.clone(), read(certificate, now));
        Self(config.certificates.iter().filter(used).map(read).collect())
    }

    /// Whether they are the very same.
    pub fn same(&self, other: &Self) -> bool {
        let chain = |one: &Result<Pair, String>| one.as_ref().map(|pair| pair.key.cert.clone()).map_err(Clone::clone);
        self.0.len() == other.0.len()
            && self.0.iter().zip(&other.0).all(|(one, other)| one.0 == other.0 && chain(one.1) == chain(other.1))
    }

    /// Says what clients will not like.
    pub fn log_defects(&self) {
        for (name, pair) in &self.0 {
            for defect in pair.iter().flat_map(|pair| &pair.defects) {
                tracing::warn!(certificate = name, "{defect}");
            }
        }
    }
}

fn read(certificate: &Certificate, now: UnixTime) -> Result<Pair, String> {
    let name = &certificate.name;
    let pair = match &certificate.source {
        CertificateSource::Pem(CertificatePem { chain, private_key }) => {
            let (cert, key) =
                (format!("the chain of certificate {name:?}"), format!("the private key of certificate {name:?}"));
            Pair::from_pem(chain.as_bytes(), private_key.expose().as_bytes(), &Names { cert: &cert, key: &key }, now)
        }
        CertificateSource::Files(CertificateFiles { chain, private_key }) => {
            let read = |path: &str| {
                std::fs::read(path).map_err(|error| format!("certificate {name:?}: {path} cannot be read: {error}"))
            };
            let (cert, key) = (read(chain)?, zeroize::Zeroizing::new(read(private_key)?));
            Pair::from_pem(&cert, &key, &Names { cert: chain, key: private_key }, now)
        }
    };
    pair.map_err(|error| error.to_string())
}

impl Terminator {
    /// # Errors
    /// When the system gives no randomness.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(aws_lc_rs::Ticketer::new()?))
    }

    /// # Errors
    /// One sentence: which certificate cannot be served, and why.
    pub fn port(&self, tls: &ListenerTls, certificates: &Certificates) -> Result<PortTls, String> {
        let pairs = tls.certificates.iter().map(|name| match certificates.0.get(name) {
            Some(pair) => pair.as_ref().map_err(Clone::clone),
            None => Err(format!("there is no certificate named {name:?}")),
        });
        let resolver = ByName::new(&pairs.collect::<Result<Vec<_>, _>>()?).ok_or("no certificate is chosen")?;
        let versions: &[_] = match tls.minimum_version {
            TlsVersion::V1_2 => &[&TLS13, &TLS12],
            TlsVersion::V1_3 => &[&TLS13],
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.ticketer = Arc::clone(&self.0);
        // Tickets carry sessions to every worker; what one process remembered would be memory for each visitor.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        let hsts = tls.hsts_seconds.map(|seconds| format!("max-age={seconds}").into());
        Ok(PortTls { config: Arc::new(config), hsts })
    }
}
