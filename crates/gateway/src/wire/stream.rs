//! One connection, of which one may read while another writes.

use super::{Buffer, Pipe};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;
use tokio_util::io::poll_read_buf;

/// A connection of this thread. It is borrowed only while something is done with it, never while something is waited for.
#[derive(Debug)]
pub(crate) struct Stream(RefCell<Transport>);

#[derive(Debug)]
enum Transport {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Tcp(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(tcp) => poll_read_buf(Pin::new(tcp), cx, into),
            Self::Tls(tls) => poll_read_buf(Pin::new(tls.as_mut()), cx, into),
        }
    }

    fn writer(&mut self) -> Pin<&mut (dyn AsyncWrite + Unpin)> {
        match self {
            Self::Tcp(tcp) => Pin::new(tcp),
            Self::Tls(tls) => Pin::new(tls.as_mut()),
        }
    }

    /// Whether plaintext was read that nobody has taken.
    fn holds_bytes(&mut self) -> bool {
        match self {
            Self::Tcp(_) => false,
            // The session is told of nothing new: what it says is left over of a record.
            Self::Tls(tls) => match tls.as_mut() {
                TlsStream::Server(tls) => tls.get_mut().1.process_new_packets(),
                TlsStream::Client(tls) => tls.get_mut().1.process_new_packets(),
            }
            .is_ok_and(|state| state.plaintext_bytes_to_read() > 0),
        }
    }
}

impl Stream {
    pub fn new(tcp: TcpStream) -> Self {
        Self(RefCell::new(Transport::Tcp(tcp)))
    }

    pub fn secured(tls: TlsStream<TcpStream>) -> Self {
        Self(RefCell::new(Transport::Tls(Box::new(tls))))
    }

    /// Reads what is there into the buffer; 0 bytes are the end.
    pub async fn read(&self, into: &mut Buffer) -> io::Result<usize> {
        poll_fn(|cx| self.0.borrow_mut().poll_read(cx, into.tail())).await
    }

    /// Writes some, at least one byte. It may wait for [`Self::flush`] before it leaves.
    pub async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| match ready!(self.0.borrow_mut().writer().poll_write(cx, bytes))? {
            0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            written => Poll::Ready(Ok(written)),
        })
        .await
    }

    /// Sends what was written.
    pub async fn flush(&self) -> io::Result<()> {
        poll_fn(|cx| match &mut *self.0.borrow_mut() {
            Transport::Tcp(_) => Poll::Ready(Ok(())),
            Transport::Tls(tls) => Pin::new(tls.as_mut()).poll_flush(cx),
        })
        .await
    }

    /// Whether its bytes are what a socket has: such can pass through the kernel alone.
    pub fn is_plain(&self) -> bool {
        matches!(&*self.0.borrow(), Transport::Tcp(_))
    }

    /// Moves what is there, at most `count` bytes, into an empty pipe; 0 bytes are the end. Of a plain connection.
    pub async fn pour(&self, pipe: &mut Pipe, count: usize) -> io::Result<usize> {
        poll_fn(|cx| {
            let transport = self.0.borrow();
            let tcp = transport.tcp();
            loop {
                ready!(tcp.poll_read_ready(cx))?;
                match tcp.try_io(Interest::READABLE, || pipe.fill(tcp, count)) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    poured => return Poll::Ready(poured),
                }
            }
        })
        .await
    }

    /// Writes what a pipe holds, some of it. To a plain connection.
    pub async fn take_from(&self, pipe: &mut Pipe) -> io::Result<usize> {
        poll_fn(|cx| {
            let transport = self.0.borrow();
            let tcp = transport.tcp();
            loop {
                ready!(tcp.poll_write_ready(cx))?;
                match tcp.try_io(Interest::WRITABLE, || pipe.empty(tcp)) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    taken => return Poll::Ready(taken),
                }
            }
        })
        .await
    }

    /// Waits until there is something to read, or the end.
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| {
            let mut transport = self.0.borrow_mut();
            if transport.holds_bytes() { Poll::Ready(Ok(())) } else { transport.tcp().poll_read_ready(cx) }
        })
        .await
    }

    /// Whether nothing has come on a connection at rest: neither bytes nor its end. Waits for nothing.
    pub fn is_quiet(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let mut transport = self.0.borrow_mut();
        match &mut *transport {
            Transport::Tcp(tcp) => tcp.poll_read_ready(&mut cx).is_pending(),
            // A session's tickets come when they come, and are no bytes.
            Transport::Tls(tls) => Pin::new(tls.as_mut()).poll_read(&mut cx, &mut ReadBuf::new(&mut [0])).is_pending(),
        }
    }

    /// Says that nothing more will be written.
    pub async fn shutdown(&self) -> io::Result<()> {
        poll_fn(|cx| self.0.borrow_mut().writer().poll_shutdown(cx)).await
    }
}
