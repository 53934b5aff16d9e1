//! Certificates, configurations with them, and visitors who speak TLS.

use super::connect;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, ServerConfig, ServerConnection, SignatureScheme,
    StreamOwned, SupportedProtocolVersion,
};
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A certificate that signs itself.
pub struct Made {
    pub der: CertificateDer<'static>,
    pub chain: String,
    pub key: String,
}

pub fn certificate(names: &[&str]) -> Made {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    Made { der: made.cert.der().clone(), chain: made.cert.pem(), key: made.signing_key.serialize_pem() }
}

impl Made {
    pub fn pem(&self, name: &str) -> Value {
        json!({ "name": name, "source": { "pem": { "chain": self.chain, "privateKey": self.key } } })
    }
}

/// A configuration with one port that speaks TLS with all of `certificates`.
pub fn secured(number: u64, port: u16, backend: &str, certificates: &[Value], more: &Value) -> Value {
    let mut tls = json!({ "certificates": certificates.iter().map(|one| one["name"].clone()).collect::<Vec<_>>() });
    for (name, value) in more.as_object().into_iter().flatten() {
        tls[name] = value.clone();
    }
    json!({
        "generation": { "incarnation": 1, "number": number },
        "config": {
            "listeners": [{ "port": port, "backendUrl": backend, "tls": tls }],
            "certificates": certificates,
        },
    })
}

pub type Visitor = StreamOwned<ClientConnection, TcpStream>;

/// Whoever comes with it trusts every certificate, and looks at it afterwards.
pub fn client(versions: &[&'static SupportedProtocolVersion], protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting(provider)))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

/// Connects and finishes the handshake.
pub fn visit_with(config: &Arc<ClientConfig>, port: u16, name: &str) -> std::io::Result<Visitor> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut visitor = StreamOwned::new(ClientConnection::new(Arc::clone(config), name).unwrap(), connect(port));
    while visitor.conn.is_handshaking() {
        visitor.conn.complete_io(&mut visitor.sock)?;
    }
    Ok(visitor)
}

pub fn visit(port: u16, name: &str) -> Visitor {
    visit_with(&client(rustls::ALL_VERSIONS, &[]), port, name).unwrap()
}

/// The certificate that a visitor was shown.
pub fn shown(visitor: &Visitor) -> CertificateDer<'static> {
    visitor.conn.peer_certificates().unwrap()[0].clone().into_owned()
}

#[derive(Debug)]
struct Trusting(Arc<CryptoProvider>);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A backend that speaks TLS and answers every request with `body`; counts its connections.
pub fn serve_tls(made: &Made, body: &'static str) -> (u16, Arc<AtomicUsize>) {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let key = PrivateKeyDer::from_pem_slice(made.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.der.clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, counted) = (Arc::clone(&config), Arc::clone(&counted));
            std::thread::spawn(move || {
                let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
                let mut first = true;
                while super::http::read_head(&mut stream).is_some() {
                    counted.fetch_add(usize::from(std::mem::take(&mut first)), Ordering::SeqCst);
                    if stream.write_all(super::http::ok(body).as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, connections)
}
