//! A dashboard's side of the management API: TLS that pins a certificate by its fingerprint.

use super::{PATIENCE, local};
use proxima_types::manage::CertificateFingerprint;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use rustls::{StreamOwned, version::TLS13};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;

#[derive(Debug)]
struct Pinned(Option<CertificateFingerprint>, Arc<CryptoProvider>);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.0 {
            Some(pinned) if pinned != CertificateFingerprint::of_der(certificate) => {
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.1.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.1.signature_verification_algorithms.supported_schemes()
    }
}

pub type Tls = StreamOwned<ClientConnection, TcpStream>;

/// Connects from this address of loopback.
pub fn tcp_from(from: [u8; 4], port: u16) -> std::io::Result<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&std::net::SocketAddr::new(IpAddr::from(from), 0).into())?;
    socket.connect(&local(port).into())?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// A TLS connection to a management API, with its handshake done.
pub fn tls_from(from: [u8; 4], port: u16, pinned: Option<CertificateFingerprint>) -> std::io::Result<Tls> {
    let provider = Arc::new(default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned(pinned, provider)))
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from("proxima-gateway").unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, tcp_from(from, port)?);
    stream.conn.complete_io(&mut stream.sock)?;
    Ok(stream)
}

/// An answer: status, head, body.
#[derive(Debug)]
pub struct Heard {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Heard {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

/// Sends these bytes and reads to the end.
pub fn exchange(mut stream: Tls, request: &str) -> std::io::Result<Heard> {
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    Ok(Heard { status: super::http::status(head), head: head.to_owned(), body: body.to_owned() })
}

/// One management API, asked with its secret.
#[derive(Clone)]
pub struct Management {
    pub port: u16,
    pub secret: String,
}

impl Management {
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Heard {
        self.ask_with(method, path, body, &format!("Authorization: Bearer {}\r\n", self.secret))
    }

    /// With these header fields.
    pub fn ask_with(&self, method: &str, path: &str, body: &str, fields: &str) -> Heard {
        self.ask_from([127, 0, 0, 1], method, path, body, fields).unwrap()
    }

    pub fn ask_from(
        &self,
        from: [u8; 4],
        method: &str,
        path: &str,
        body: &str,
        fields: &str,
    ) -> std::io::Result<Heard> {
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len());
        exchange(tls_from(from, self.port, None)?, &request)
    }
}
