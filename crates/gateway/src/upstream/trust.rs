//! How `https://` backends are trusted.

use proxima_types::BackendUrl;
use proxima_types::gateway_config::BackendTls;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;
use std::sync::Arc;

/// One backend's TLS.
#[derive(Debug)]
pub(super) struct Trust {
    pub config: Arc<ClientConfig>,
    /// Whom its certificate must be for.
    pub name: ServerName<'static>,
}

impl Trust {
    /// `None` for `http://`.
    ///
    /// # Errors
    /// One sentence: what cannot be trusted with.
    pub fn of(url: &BackendUrl, tls: &BackendTls) -> Result<Option<Self>, String> {
        if !url.is_https() {
            return Ok(None);
        }
        let host = tls.server_name.as_deref().unwrap_or(url.host().trim_start_matches('[').trim_end_matches(']'));
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| format!("{host} is no name that a certificate is for"))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let mut config = match (&tls.ca, tls.insecure_skip_verify) {
            (_, true) => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))).with_no_client_auth()
            }
            (Some(ca), false) => builder.with_root_certificates(authorities(ca)?).with_no_client_auth(),
            (None, false) => {
                let verifier = Verifier::new(provider)
                    .map_err(|error| format!("this host's authorities cannot be read: {error}"))?;
                builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Self { config: Arc::new(config), name }))
    }
}

fn authorities(pem: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for found in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let authority = found.map_err(|error| format!("an authority's certificate cannot be read: {error}"))?;
        roots.add(authority).map_err(|error| format!("an authority's certificate cannot be used: {error}"))?;
    }
    if roots.is_empty() { Err("there is no authority's certificate in what was given".to_owned()) } else { Ok(roots) }
}

/// Trusts whatever answers, as the configuration asks for in so many words. Signatures are checked all the same: they are what
/// the connection's keys hang on.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
