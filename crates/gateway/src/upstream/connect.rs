//! Opens one connection to a backend. Names are resolved at every connect, from answers that
//! are no older than they allow, so a backend that moved is found without a restart.

use super::Backend;
use crate::names::Names;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long one address may take while others wait.
const PER_ADDRESS: Duration = Duration::from_secs(2);

pub(super) enum Connected {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// With TLS where the backend is to have it. The caller bounds the whole.
///
/// # Errors
/// The last address's, or that of the handshake.
pub(super) async fn connect(backend: &Backend, names: &Names) -> io::Result<Connected> {
    let tcp = tcp(backend, names).await?;
    let Some(trust) = &backend.trust else { return Ok(Connected::Tcp(tcp)) };
    let connector = TlsConnector::from(Arc::clone(&trust.config));
    let tls = connector.connect(trust.name.clone(), tcp).await;
    Ok(Connected::Tls(Box::new(tls.map_err(|error| io::Error::new(error.kind(), format!("TLS: {error}")))?)))
}

/// Tries the backend's addresses in the resolver's order (RFC 6724).
async fn tcp(backend: &Backend, names: &Names) -> io::Result<TcpStream> {
    let url = &backend.url;
    let addresses = names.addresses(url.host().trim_start_matches('[').trim_end_matches(']')).await?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for (index, address) in addresses.iter().enumerate() {
        let connecting = TcpStream::connect((*address, url.port()));
        let connected = if index + 1 < addresses.len() {
            tokio::time::timeout(PER_ADDRESS, connecting).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
        } else {
            connecting.await
        };
        match connected {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                let keepalive = socket2::TcpKeepalive::new().with_time(Duration::from_secs(60));
                socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
