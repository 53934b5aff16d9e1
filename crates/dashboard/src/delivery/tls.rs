//! TLS as a client of whoever is told: by name, and by the machine's certificate authorities.

use super::{Outcome, OutcomeCode};
use proxima_installer::target::Host;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{IpAddr, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Whom to trust. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tls(Arc<ClientConfig>);

impl Tls {
    /// The machine's certificate authorities, a private one that the operator installed there included.
    ///
    /// # Errors
    /// What to do when it has none.
    pub fn of_this_machine() -> Result<Self, String> {
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_platform_verifier())
            .map(|builder| Self(Arc::new(builder.with_no_client_auth())))
            .map_err(|error| {
                format!("This machine's certificate authorities cannot be read: install ca-certificates ({error}).")
            })
    }

    /// These authorities alone.
    ///
    /// # Errors
    /// When the versions of TLS are not to be had.
    pub fn with_roots(roots: RootCertStore) -> Result<Self, rustls::Error> {
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// The handshake with `host`. Nothing of ours has been sent when it fails.
    pub(super) async fn greet(&self, host: &Host, stream: TcpStream) -> Result<TlsStream<TcpStream>, Outcome> {
        let name = match host {
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| ()),
            Host::Address(address) => Ok(ServerName::IpAddress(IpAddr::from(*address))),
        };
        let name =
            name.map_err(|()| Outcome::failed(OutcomeCode::Tls, format!("{host} is no name for a certificate.")))?;
        TlsConnector::from(Arc::clone(&self.0)).connect(name, stream).await.map_err(|error| {
            Outcome::failed(OutcomeCode::Tls, format!("The TLS handshake with {host} failed: {error}."))
        })
    }
}
