//! Opens one TCP connection to a backend. Names are resolved at every connect, from answers that
//! are no older than they allow, so a backend that moved is found without a restart.

use crate::names::Names;
use proxima_types::BackendUrl;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long one address may take while others wait.
const PER_ADDRESS: Duration = Duration::from_secs(2);

/// Tries the backend's addresses in the resolver's order (RFC 6724). The caller bounds the whole.
///
/// # Errors
/// The last address's.
pub(super) async fn connect(url: &BackendUrl, names: &Names) -> io::Result<TcpStream> {
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
