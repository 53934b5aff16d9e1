//! The beginning of a secured connection.

use super::PortTls;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How it went.
pub(crate) enum Handshake {
    Done(Box<TlsStream<TcpStream>>),
    /// The first byte is a letter, as a request begins; a TLS record begins with its type, 22 (RFC 8446 section 5.1).
    Plain(TcpStream),
    Failed,
}

/// The caller bounds its time.
pub(crate) async fn handshake(tcp: TcpStream, tls: &PortTls) -> Handshake {
    let mut first = [0];
    match tcp.peek(&mut first).await {
        Ok(1..) if first[0].is_ascii_alphabetic() => return Handshake::Plain(tcp),
        Ok(1..) => {}
        Ok(0) | Err(_) => return Handshake::Failed,
    }
    match TlsAcceptor::from(Arc::clone(&tls.config)).accept(tcp).await {
        Ok(stream) => Handshake::Done(Box::new(stream)),
        Err(error) => {
            tracing::debug!(error = error.to_string(), "no TLS with a visitor");
            Handshake::Failed
        }
    }
}
