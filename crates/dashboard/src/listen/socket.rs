//! Listening sockets: how long their queue is, and how they close without losing who stands in it.

use socket2::{SockFilter, SockRef};
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Connections that the kernel may hold until they are accepted: as many as `net.core.somaxconn` lets it (4096 unless
/// changed). The 128 that programs ask for by habit run over when a fleet comes back at once, and connections are reset.
const BACKLOG: u32 = 65_535;

/// A socket that connections are accepted from.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    /// systemd holds it, too: it stays open, with its queue, for who comes next.
    shared: bool,
}

impl Listener {
    /// Opens a port.
    ///
    /// # Errors
    /// The port is taken, or not ours to take.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Self { socket: socket.listen(BACKLOG)?, shared: false })
    }

    /// Takes a socket that systemd opened (`sd_listen_fds(3)`); its queue is as long as its unit says.
    ///
    /// # Errors
    /// It is no socket to accept from.
    pub fn adopt(socket: std::net::TcpListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { socket: TcpListener::from_std(socket)?, shared: true })
    }

    /// # Errors
    /// The system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(super) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.socket.accept().await
    }

    /// Begins to close: nobody joins the queue any more. What stands in it is to be accepted before this is dropped,
    /// or it is reset.
    pub(super) fn close(self) -> io::Result<Queue> {
        if self.shared {
            return Ok(Queue(None));
        }
        if let Err(error) = SockRef::from(&self.socket).attach_filter(&WITHOUT_SYN) {
            tracing::debug!(%error, "connections may still join the queue of a port that closes");
        }
        self.socket.into_std().map(|socket| Queue(Some(socket)))
    }
}

/// Those who had connected before a port closed.
pub(super) struct Queue(Option<std::net::TcpListener>);

impl Queue {
    /// The next of them. Asks the kernel and not the runtime, which may not have heard of them yet.
    pub(super) fn next(&self) -> Option<(TcpStream, SocketAddr)> {
        let (stream, peer) = self.0.as_ref()?.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        Some((TcpStream::from_std(stream).ok()?, peer))
    }
}

/// Drops segments that would open a connection, so that none is opened between the last look at the queue and its end:
/// who sends one asks again in a second, and is refused. A program of classic BPF, over the TCP header (RFC 9293,
/// section 3.1): the flags are its 14th byte.
const WITHOUT_SYN: [SockFilter; 4] = [
    SockFilter::new(LOAD_BYTE, 0, 0, 13),
    SockFilter::new(JUMP_IF_SET, 0, 1, SYN),
    SockFilter::new(RETURN, 0, 0, 0),
    SockFilter::new(RETURN, 0, 0, u32::MAX),
];
/// `BPF_LD | BPF_B | BPF_ABS`.
const LOAD_BYTE: u16 = 0x30;
/// `BPF_JMP | BPF_JSET | BPF_K`.
const JUMP_IF_SET: u16 = 0x45;
/// `BPF_RET | BPF_K`.
const RETURN: u16 = 0x06;
const SYN: u32 = 0x02;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_port_that_closes_keeps_its_queue_and_lets_nobody_join() {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let address = listener.local_addr().expect("bound");
        let connect = || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200));
        let before: Vec<_> = (0..200).map(|_| connect().expect("the queue has room for a crowd")).collect();
        let queue = listener.close().expect("a queue");
        let late = connect().expect_err("nobody joins");
        assert_eq!(late.kind(), io::ErrorKind::TimedOut, "and nobody is refused before the port has closed");
        let held: Vec<_> = std::iter::from_fn(|| queue.next()).collect();
        assert_eq!(held.len(), before.len());
        drop(queue);
        assert_eq!(connect().expect_err("closed").kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn a_port_that_systemd_holds_goes_on_with_its_queue() {
        let kept = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let listener = Listener::adopt(kept.try_clone().expect("the same socket")).expect("a listener");
        let address = kept.local_addr().expect("bound");
        let before = std::net::TcpStream::connect(address).expect("connected");
        let queue = listener.close().expect("a queue");
        assert!(queue.next().is_none(), "who stands in it is for who comes next");
        drop(queue);
        let _after = std::net::TcpStream::connect(address).expect("connected");
        kept.set_nonblocking(false).expect("blocking");
        let next = kept.accept().expect("the first of the queue").1;
        assert_eq!(next, before.local_addr().expect("connected"));
    }
}
