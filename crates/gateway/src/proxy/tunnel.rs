//! Upgraded connections (WebSocket and any other): bytes both ways, after the backend's 101 and never before (invariant 6).

use super::access::{Outcome, Record};
use super::attempts::Link;
use super::exchange::Next;
use super::headers::{self, Towards};
use super::visit::{Connection, Visitor};
use crate::wire::{Buffer, Patience, Stream};
use std::cell::Cell;
use std::io;
use std::time::Duration;
use tokio::time::Instant;

/// Sends the 101, then carries bytes both ways until both have ended, or nothing moves for too long.
pub(super) async fn carry(visitor: &Visitor, connection: &mut Connection, record: &Record, mut link: Link) -> Next {
    let settings = visitor.worker.settings();
    record.status.set(101);
    connection.to_visitor.clear();
    let towards = Towards { chunked: false, connection: Some("Upgrade"), hsts: visitor.hsts() };
    headers::push_response(&mut connection.to_visitor, &connection.response, towards, &record.request_id);
    let stall = settings.visitor.stall;
    if !matches!(connection.visitor_timer.progress(stall, &connection.stream, &connection.to_visitor).await, Ok(Ok(())))
    {
        return Next::Close;
    }
    let open = Open::new(visitor);
    let last = Cell::new(Instant::now());
    let (inward, outward) = (|bytes| record.received(bytes), |bytes| record.sent(bytes));
    let both = async {
        tokio::try_join!(
            pump(&connection.stream, &mut connection.buffer, &link.stream, &last, &inward),
            pump(&link.stream, &mut link.buffer, &connection.stream, &last, &outward)
        )
    };
    tokio::select! {
        done = both => if done.is_ok() { record.outcome.set(Outcome::Complete) },
        () = idle(&mut connection.visitor_timer, &last, settings.tunnel_idle) => {}
    }
    drop(open);
    Next::Close
}

/// Counted while it is open.
struct Open<'a>(&'a Visitor);

impl<'a> Open<'a> {
    fn new(visitor: &'a Visitor) -> Self {
        visitor.worker.metrics().tunnels.increment();
        Self(visitor)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.worker.metrics().tunnels.decrement();
    }
}

/// One direction. Its end is passed on as an end; the other direction goes on.
async fn pump(
    from: &Stream,
    buffer: &mut Buffer,
    to: &Stream,
    last: &Cell<Instant>,
    count: &dyn Fn(u64),
) -> io::Result<()> {
    loop {
        while !buffer.is_empty() {
            let written = to.write(buffer.bytes()).await?;
            buffer.take(written);
            count(written as u64);
            last.set(Instant::now());
        }
        to.flush().await?;
        if from.read(buffer).await? == 0 {
            return to.shutdown().await;
        }
        last.set(Instant::now());
    }
}

/// Returns when nothing has moved for so long.
async fn idle(timer: &mut Patience, last: &Cell<Instant>, limit: Duration) {
    while last.get().elapsed() < limit {
        let _ = timer.until(last.get() + limit, std::future::pending::<()>()).await;
    }
}
