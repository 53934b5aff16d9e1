//! Visitors who speak HTTP/2 (RFC 9113). `h2` has the frames, flow control and budgets of floods; each stream's request then
//! goes the way of every other.
//!
//! What a visitor may cost is bounded: streams at once, bytes on their way inwards (the windows) and outwards (the send buffers),
//! a header's size, and how many streams may be reset before they were answered (CVE-2023-44487, CVE-2025-8671).

mod request;
mod sink;
mod stream;

use super::visit::Visitor;
use bytes::Bytes;
use h2::server::{Builder, Connection};
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

/// Requests of one connection at one time.
const STREAMS: u32 = 128;
/// What one stream, and one connection, may send before its backend has taken it, in bytes.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What one stream's answer may hold before its visitor takes it, in bytes.
const SEND_BUFFER: usize = 64 * 1024;
/// A request's header, counted as RFC 9113 section 6.5.2 does, in bytes.
const HEADER_LIST: u32 = 64 * 1024;
/// Streams that were reset: by the visitor before they were looked at, and by us for what he did wrong in all of a connection.
const RESET_BEFORE_ACCEPTED: usize = 20;
const RESET_BY_US: usize = 256;
/// After a connection's last request it ends within this time, whatever its visitor does.
const GOING_AWAY: Duration = Duration::from_secs(5);

/// Serves one connection to its end.
pub(super) async fn serve(visitor: Rc<Visitor>, io: impl AsyncRead + AsyncWrite + Unpin) {
    let limit = visitor.worker.settings().visitor.header;
    let handshake = Builder::new()
        .max_concurrent_streams(STREAMS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_header_list_size(HEADER_LIST)
        .max_pending_accept_reset_streams(RESET_BEFORE_ACCEPTED)
        .max_local_error_reset_streams(Some(RESET_BY_US))
        .handshake::<_, Bytes>(io);
    match tokio::time::timeout(limit, handshake).await {
        Ok(Ok(connection)) => streams(visitor, connection).await,
        Ok(Err(error)) => tracing::debug!(error = error.to_string(), "no HTTP/2 with a visitor"),
        Err(_) => {}
    }
}

type Stream = (http::Request<h2::RecvStream>, h2::server::SendResponse<Bytes>);

/// What comes next on a connection.
enum Event {
    Request(Box<Stream>),
    /// A stream has ended.
    Answered,
    /// The port closes, or nothing was asked for too long.
    Enough,
    End,
}

async fn streams(visitor: Rc<Visitor>, mut connection: Connection<impl AsyncRead + AsyncWrite + Unpin, Bytes>) {
    let keep_alive = visitor.worker.settings().visitor.keep_alive;
    // Dropped with the connection: whoever has left is served no more.
    let mut answering = JoinSet::new();
    let mut leaving = false;
    let mut closing = pin!(visitor.port.closing.cancelled());
    let mut resting = pin!(tokio::time::sleep(keep_alive));
    loop {
        let event = poll_fn(|cx| {
            if let Poll::Ready(accepted) = connection.poll_accept(cx) {
                return Poll::Ready(match accepted {
                    Some(Ok(stream)) => Event::Request(Box::new(stream)),
                    Some(Err(error)) => {
                        tracing::debug!(error = error.to_string(), "HTTP/2 with a visitor ended");
                        Event::End
                    }
                    None => Event::End,
                });
            }
            if let Poll::Ready(Some(_)) = answering.poll_join_next(cx) {
                return Poll::Ready(Event::Answered);
            }
            let rested = answering.is_empty() && resting.as_mut().poll(cx).is_ready();
            if rested || (!leaving && closing.as_mut().poll(cx).is_ready()) {
                return Poll::Ready(Event::Enough);
            }
            Poll::Pending
        })
        .await;
        match event {
            Event::Request(stream) => {
                let (request, respond) = *stream;
                answering.spawn_local(stream::answer(Rc::clone(&visitor), request, respond));
            }
            Event::Answered if answering.is_empty() => {
                let patience = if leaving { GOING_AWAY } else { keep_alive };
                resting.as_mut().reset(tokio::time::Instant::now() + patience);
            }
            Event::Answered => {}
            Event::Enough if leaving => return,
            Event::Enough => {
                leaving = true;
                connection.graceful_shutdown();
                resting.as_mut().reset(tokio::time::Instant::now() + GOING_AWAY);
            }
            Event::End => return,
        }
    }
}
