//! The PROXY protocol (versions 1 and 2, haproxy.org/download/3.0/doc/proxy-protocol.txt), by which a proxy that
//! passes TCP on says whose connection it is.

use ppp::{HeaderResult, PartialResult as _, v1, v2};
use std::io;
use std::net::SocketAddr;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// The longest header that is read, in bytes: version 1 has 107 at most, version 2 what proxies add in TLVs.
const MOST: usize = 1024;

/// Reads the header and not a byte beyond it. None: the proxy speaks for itself (a health check).
///
/// # Errors
/// When there is none, or a malformed one: then nobody can say who asks.
pub(super) async fn read(stream: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let invalid = |reason: &str| io::Error::new(io::ErrorKind::InvalidData, reason.to_owned());
    let mut buffer = vec![0; MOST];
    let mut filled = 0;
    loop {
        // Looks before it takes: what follows the header belongs to TLS or HTTP.
        let seen = stream.peek(&mut buffer[..]).await?;
        if seen == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let result = HeaderResult::parse(&buffer[..seen]);
        if result.is_complete() {
            let (length, source) = match &result {
                HeaderResult::V1(Ok(header)) => (header.header.len(), source_v1(&header.addresses)),
                HeaderResult::V2(Ok(header)) => (header.len(), source_v2(header)),
                _ => return Err(invalid("a malformed header")),
            };
            stream.read_exact(&mut buffer[..length]).await?;
            return Ok(source);
        }
        if seen == MOST {
            return Err(invalid("too long a header"));
        }
        if seen == filled {
            // `peek` returns at once while the same bytes wait.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        filled = seen;
    }
}

fn source_v1(addresses: &v1::Addresses) -> Option<SocketAddr> {
    match addresses {
        v1::Addresses::Tcp4(pair) => Some((pair.source_address, pair.source_port).into()),
        v1::Addresses::Tcp6(pair) => Some((pair.source_address, pair.source_port).into()),
        v1::Addresses::Unknown => None,
    }
}

fn source_v2(header: &v2::Header<'_>) -> Option<SocketAddr> {
    if header.command == v2::Command::Local {
        return None;
    }
    match &header.addresses {
        v2::Addresses::IPv4(pair) => Some((pair.source_address, pair.source_port).into()),
        v2::Addresses::IPv6(pair) => Some((pair.source_address, pair.source_port).into()),
        v2::Addresses::Unspecified | v2::Addresses::Unix(_) => None,
    }
}
