//! `healthcheck`: for containers, whose health is judged by a command inside.

use crate::config::ServeArgs;
use anyhow::{Context as _, bail};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const PATIENCE: Duration = Duration::from_secs(4);
const REQUEST: &[u8] = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

pub(super) async fn run(args: ServeArgs) -> anyhow::Result<()> {
    let address = reachable(args.listen);
    // From a trusted proxy's address each connection begins so, also this one.
    let of_proxy = args.proxy_protocol && args.trusted_proxies.iter().any(|proxies| proxies.contains(&address.ip()));
    let preamble: &[u8] = if of_proxy { b"PROXY UNKNOWN\r\n" } else { b"" };
    let status = tokio::time::timeout(PATIENCE, ask(address, preamble))
        .await
        .with_context(|| format!("the dashboard on {address} did not answer in time"))?
        .with_context(|| format!("the dashboard on {address} does not answer"))?;
    if status.split(' ').nth(1) == Some("200") { Ok(()) } else { bail!("the dashboard is not ready: {status}") }
}

/// Who listens on every address is asked on loopback.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// The answer's first line: in the clear, or over TLS where that is what is spoken.
async fn ask(address: SocketAddr, preamble: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(preamble).await?;
    if let Ok(status) = first_line(stream).await
        && status.starts_with("HTTP/")
    {
        return Ok(status);
    }
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(preamble).await?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    first_line(TlsConnector::from(Arc::new(config)).connect(ServerName::from(address.ip()), stream).await?).await
}

async fn first_line(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<String> {
    stream.write_all(REQUEST).await?;
    let mut answer = Vec::new();
    // What came before a connection broke off counts.
    let _ = stream.take(4096).read_to_end(&mut answer).await;
    Ok(String::from_utf8_lossy(&answer).lines().next().unwrap_or("an empty answer").to_owned())
}

/// Whatever certificate is shown: nothing is told to whoever answers here, and the name of this machine's loopback is in none.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    #[test]
    fn it_asks_where_the_dashboard_can_be_reached() {
        for (listen, asked) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("192.0.2.1:8080", "192.0.2.1:8080")]
        {
            assert_eq!(reachable(listen.parse().expect("an address")), asked.parse().expect("an address"));
        }
    }

    async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut request = vec![0; REQUEST.len()];
        stream.read_exact(&mut request).await.expect("a request");
        assert_eq!(request, REQUEST);
        stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").await.expect("answered");
        stream.shutdown().await.expect("ended");
    }

    #[tokio::test]
    async fn it_asks_in_the_clear_and_over_tls() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let plain = tokio::spawn(async move { answer(listener.accept().await.expect("a client").0).await });
        assert_eq!(ask(address, b"").await.expect("an answer"), "HTTP/1.1 503 Service Unavailable");
        plain.await.expect("asked");

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let key = rcgen::generate_simple_self_signed(["panel.example.com".to_owned()]).expect("a certificate");
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![key.cert.der().clone()],
                PrivateKeyDer::try_from(key.signing_key.serialize_der()).expect("a key"),
            )
            .expect("a server");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let tls = tokio::spawn(async move {
            assert!(acceptor.accept(listener.accept().await.expect("a client").0).await.is_err(), "in the clear");
            answer(acceptor.accept(listener.accept().await.expect("a client").0).await.expect("TLS")).await;
        });
        assert_eq!(ask(address, b"").await.expect("an answer"), "HTTP/1.1 503 Service Unavailable");
        tls.await.expect("asked");
    }
}
