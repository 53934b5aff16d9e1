//! One visitor's connection: one request after the other, until either side has had enough.

use super::exchange::{self, Next};
use super::refusal::Refusal;
use super::{Port, REQUEST, Worker, http2};
use crate::tls::{self, Handshake, PortTls};
use crate::wire::{Buffer, Late, Patience, Stream};
use proxima_http1::{RequestHead, ResponseHead, Scan};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// After an answer that ends a connection so much is read and thrown away, lest what still arrives resets the answer.
const LINGER_BYTES: usize = 512 * 1024;
const LINGER: Duration = Duration::from_secs(2);

/// Who is served, and by whom.
pub(crate) struct Visitor {
    pub worker: Rc<Worker>,
    pub port: Rc<Port>,
    /// The address of the TCP peer, IPv4-mapped addresses unmapped (invariant 4).
    pub client: String,
    /// What secures the connection.
    pub tls: Option<PortTls>,
}

impl Visitor {
    /// How it came here (RFC 9110 section 4.2).
    pub(super) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// What `Strict-Transport-Security` is to say.
    pub(super) fn hsts(&self) -> Option<&str> {
        self.tls.as_ref()?.hsts.as_deref()
    }
}

/// What one connection keeps from request to request. At rest it holds no buffer.
pub(super) struct Connection {
    pub stream: Stream,
    pub buffer: Buffer,
    pub request: RequestHead,
    pub response: ResponseHead,
    /// What is to be written next to the backend, and to the visitor.
    pub to_backend: Vec<u8>,
    pub to_visitor: Vec<u8>,
    /// What is waited for of the visitor, and of the backend.
    pub visitor_timer: Patience,
    pub backend_timer: Patience,
}

impl Connection {
    fn new(stream: Stream) -> Self {
        Self {
            stream,
            buffer: Buffer::default(),
            request: RequestHead::default(),
            response: ResponseHead::default(),
            to_backend: Vec::new(),
            to_visitor: Vec::new(),
            visitor_timer: Patience::default(),
            backend_timer: Patience::default(),
        }
    }
}

/// Serves one connection to its end.
pub(crate) async fn serve(visitor: Rc<Visitor>, tcp: TcpStream) {
    let _ = tcp.set_nodelay(true);
    let keepalive = socket2::TcpKeepalive::new().with_time(Duration::from_secs(60));
    let _ = socket2::SockRef::from(&tcp).set_tcp_keepalive(&keepalive);
    let port = Rc::clone(&visitor.port);
    let mut killed = pin!(port.kill.cancelled());
    let mut served = pin!(connection(&visitor, tcp));
    poll_fn(|cx| match served.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(()),
        Poll::Pending => killed.as_mut().poll(cx),
    })
    .await;
}

async fn connection(visitor: &Rc<Visitor>, tcp: TcpStream) {
    let Some(tls) = &visitor.tls else { return requests(visitor, Stream::new(tcp)).await };
    let patience = visitor.worker.settings().visitor.header;
    match tokio::time::timeout(patience, tls::handshake(tcp, tls)).await {
        Ok(Handshake::Done(tls)) if tls.get_ref().1.alpn_protocol() == Some(b"h2") => {
            http2::serve(Rc::clone(visitor), tls).await
        }
        Ok(Handshake::Done(tls)) => requests(visitor, Stream::secured((*tls).into())).await,
        Ok(Handshake::Plain(tcp)) => refuse_plain(visitor, tcp).await,
        Ok(Handshake::Failed) | Err(_) => visitor.worker.metrics().tls_handshakes_failed.increment(),
    }
}

/// Who speaks plain HTTP to a port with TLS is told so.
async fn refuse_plain(visitor: &Visitor, tcp: TcpStream) {
    let mut connection = Connection::new(Stream::new(tcp));
    if exchange::refuse_head(visitor, &mut connection, Refusal::PlainHttp).await == Next::Linger {
        linger(&mut connection).await;
    }
}

async fn requests(visitor: &Visitor, stream: Stream) {
    let mut connection = Connection::new(stream);
    let mut closing = pin!(visitor.port.closing.cancelled());
    let timings = visitor.worker.settings().visitor;
    let mut first = true;
    loop {
        let limit = if first { timings.header } else { timings.keep_alive };
        if connection.buffer.is_empty() && !rest(&mut connection, limit, closing.as_mut()).await {
            return end(&mut connection).await;
        }
        connection.buffer = match std::mem::take(&mut connection.buffer) {
            empty if empty.is_empty() => visitor.worker.buffers.get(),
            begun => begun,
        };
        let next = one(visitor, &mut connection).await;
        first = false;
        match next {
            Next::Request if connection.buffer.is_empty() => {
                visitor.worker.buffers.put(std::mem::take(&mut connection.buffer))
            }
            Next::Request => {}
            Next::Linger => return linger(&mut connection).await,
            Next::End => return end(&mut connection).await,
            Next::Close => return,
        }
    }
}

/// Waits for the next request's first byte; false when there will be none.
async fn rest(connection: &mut Connection, limit: Duration, mut closing: Pin<&mut impl Future<Output = ()>>) -> bool {
    // What it holds is given back for as long as nothing comes.
    connection.request.shrink();
    connection.response.shrink();
    connection.to_backend = Vec::new();
    connection.to_visitor = Vec::new();
    let mut readable = pin!(connection.stream.readable());
    let either = poll_fn(|cx| match readable.as_mut().poll(cx) {
        Poll::Ready(ready) => Poll::Ready(ready.is_ok()),
        Poll::Pending => closing.as_mut().poll(cx).map(|()| false),
    });
    matches!(connection.visitor_timer.within(limit, either).await, Ok(true))
}

/// Reads one request's head and answers it.
async fn one(visitor: &Visitor, connection: &mut Connection) -> Next {
    let timings = visitor.worker.settings().visitor;
    let (mut scan, end) = (Scan::default(), Instant::now() + timings.header);
    let found = loop {
        match scan.look(connection.buffer.bytes(), &REQUEST) {
            Ok(Some(found)) => break Ok(found),
            Ok(None) => {}
            Err(violation) => break Err(violation),
        }
        match connection.visitor_timer.until(end, connection.stream.read(&mut connection.buffer)).await {
            Ok(Ok(1..)) => {}
            Ok(Ok(0) | Err(_)) | Err(Late) => return Next::Close,
        }
    };
    let parsed = found.and_then(|(start, end)| {
        connection.request.parse(&connection.buffer.bytes()[start..end], &REQUEST)?;
        connection.buffer.take(end);
        Ok(())
    });
    match parsed {
        Ok(()) => exchange::exchange(visitor, connection).await,
        Err(violation) => exchange::refuse_head(visitor, connection, Refusal::Head(violation)).await,
    }
}

/// Says that this is all: with TLS an end that is not said is taken for a cut (RFC 8446 section 6.1).
async fn end(connection: &mut Connection) {
    let _ = connection.visitor_timer.within(LINGER, connection.stream.shutdown()).await;
}

async fn linger(connection: &mut Connection) {
    if connection.stream.shutdown().await.is_err() {
        return;
    }
    let (end, mut left) = (Instant::now() + LINGER, LINGER_BYTES);
    while left > 0 {
        connection.buffer.clear();
        match connection.visitor_timer.until(end, connection.stream.read(&mut connection.buffer)).await {
            Ok(Ok(read @ 1..)) => left = left.saturating_sub(read),
            _ => return,
        }
    }
}
