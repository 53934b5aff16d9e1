//! One connection, of which one may read while another writes.

use super::Buffer;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use tokio::io::AsyncWrite as _;
use tokio::net::TcpStream;
use tokio_util::io::poll_read_buf;

/// A connection of this thread. It is borrowed only while something is done with it, never while something is waited for.
#[derive(Debug)]
pub(crate) struct Stream(RefCell<TcpStream>);

impl Stream {
    pub fn new(tcp: TcpStream) -> Self {
        Self(RefCell::new(tcp))
    }

    /// Reads what is there into the buffer; 0 bytes are the end.
    pub async fn read(&self, into: &mut Buffer) -> io::Result<usize> {
        poll_fn(|cx| {
            let tail = into.tail();
            poll_read_buf(Pin::new(&mut *self.0.borrow_mut()), cx, tail)
        })
        .await
    }

    /// Writes some, at least one byte.
    pub async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        poll_fn(|cx| match ready!(Pin::new(&mut *self.0.borrow_mut()).poll_write(cx, bytes))? {
            0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            written => Poll::Ready(Ok(written)),
        })
        .await
    }

    /// Waits until there is something to read, or the end.
    pub async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| self.0.borrow().poll_read_ready(cx)).await
    }

    /// Whether nothing has come on a connection at rest: neither bytes nor its end. Asks no one but the runtime.
    pub fn is_quiet(&self) -> bool {
        self.0.borrow().poll_read_ready(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// Says that nothing more will be written.
    pub async fn shutdown(&self) -> io::Result<()> {
        poll_fn(|cx| Pin::new(&mut *self.0.borrow_mut()).poll_shutdown(cx)).await
    }
}
