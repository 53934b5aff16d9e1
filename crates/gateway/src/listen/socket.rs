//! Opens listening sockets.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

/// Connections that the kernel may hold until they are accepted.
const BACKLOG: i32 = 4096;

/// A port that could not be opened, or not as it is to be. Says to the customer what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    #[error("Port {0} is already in use by another program on this server. Stop that program or choose another port.")]
    InUse(u16),
    #[error(
        "The gateway may not open port {0}: ports below 1024 need root or the capability CAP_NET_BIND_SERVICE. Grant it or choose a port from 1024."
    )]
    NotPermitted(u16),
    #[error("Port {port} cannot be opened: {reason}.")]
    Other { port: u16, reason: String },
    #[error("Port {port} cannot speak TLS: {reason}.")]
    Tls { port: u16, reason: String },
    #[error("Port {port} cannot use a backend: {reason}.")]
    Backend { port: u16, reason: String },
}

impl PortError {
    fn new(port: u16, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(port),
            io::ErrorKind::PermissionDenied => Self::NotPermitted(port),
            _ => Self::Other { port, reason: error.to_string() },
        }
    }
}

/// Opens `port` on `address`; by default on every IPv6 and IPv4 address, or on every IPv4 address
/// of a host without IPv6.
///
/// # Errors
/// What is in the way, and what to do about it.
pub(crate) fn open(address: Option<IpAddr>, port: u16) -> Result<TcpListener, PortError> {
    let opened = match address {
        Some(address) => listen(SocketAddr::new(address, port), false),
        None => match listen(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port), true) {
            Err(error) if without_ipv6(&error) => listen(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port), false),
            opened => opened,
        },
    };
    opened.map_err(|error| PortError::new(port, &error))
}

fn without_ipv6(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied)
}

fn listen(address: SocketAddr, dual_stack: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if dual_stack {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_both_families_reach_a_port() {
        let open = open(None, 0).expect("a free port");
        let port = open.local_addr().expect("bound").port();
        assert!(std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        if open.local_addr().expect("bound").is_ipv6() {
            assert!(std::net::TcpStream::connect((Ipv6Addr::LOCALHOST, port)).is_ok());
        }
    }

    #[test]
    fn a_taken_port_is_named_with_the_remedy() {
        let taken = listen(SocketAddr::from(([127, 0, 0, 1], 0)), false).expect("a free port");
        let port = taken.local_addr().expect("bound").port();
        let error = open(Some(Ipv4Addr::LOCALHOST.into()), port).expect_err("taken");
        assert_eq!(error, PortError::InUse(port));
        assert!(error.to_string().contains(&port.to_string()) && error.to_string().contains("choose another port"));
    }
}
