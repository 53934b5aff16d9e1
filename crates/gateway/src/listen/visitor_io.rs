//! A visitor's socket as the HTTP parser sees it: watched by the [`Guard`], and with a limit of
//! time for whatever is being waited for.

use super::guard::{Event, Guard};
use super::state::ConnState;
use crate::metrics::Metrics;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// Limits of time towards a visitor.
#[derive(Debug, Clone, Copy)]
pub struct VisitorTimings {
    /// For a whole head.
    pub header: Duration,
    /// Between two requests.
    pub keep_alive: Duration,
    /// Without progress of a body, inwards or outwards.
    pub stall: Duration,
}

/// What makes any HTTP/1 parser answer 400, wherever in a head it comes.
const POISON: &[u8] = b"\0\r\n\r\n";

pub struct VisitorIo {
    stream: TcpStream,
    guard: Guard,
    state: Arc<ConnState>,
    metrics: Arc<Metrics>,
    timings: VisitorTimings,
    /// Read from the socket but not yet handed on.
    held: Vec<u8>,
    refused: bool,
    /// Before the end of the first request's head.
    fresh: bool,
    reading: Patience,
    writing: Patience,
}

impl VisitorIo {
    #[must_use]
    pub fn new(stream: TcpStream, state: Arc<ConnState>, metrics: Arc<Metrics>, timings: VisitorTimings) -> Self {
        Self {
            stream,
            guard: Guard::default(),
            state,
            metrics,
            timings,
            held: Vec::new(),
            refused: false,
            fresh: true,
            reading: Patience::default(),
            writing: Patience::default(),
        }
    }

    /// Shows `bytes` to the guard; what it does not take yet is held back.
    fn inspect(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        loop {
            match self.guard.feed(&bytes[taken..]) {
                Event::More => return bytes.len(),
                Event::Head { taken: head, may_upgrade } => {
                    taken += head;
                    self.fresh = false;
                    self.reading.reset();
                    self.state.request_began(may_upgrade);
                    if may_upgrade {
                        self.held = bytes[taken..].to_vec();
                        return taken;
                    }
                }
                Event::Refused { taken: good, violation } => {
                    tracing::debug!(violation = violation.to_string(), "request refused");
                    self.metrics.refused_requests.increment();
                    self.refused = true;
                    self.held = POISON.to_vec();
                    return taken + good;
                }
            }
        }
    }

    /// Hands on what was held back: at least one byte.
    fn release(&mut self, buffer: &mut ReadBuf<'_>) {
        if !self.refused {
            let mut held = std::mem::take(&mut self.held);
            let rest = held.split_off(held.len().min(buffer.remaining()));
            let taken = self.inspect(&held);
            buffer.put_slice(&held[..taken]);
            if !self.refused {
                self.held.extend_from_slice(&rest);
            }
            if taken > 0 {
                return;
            }
        }
        self.hand_on(buffer);
    }

    fn hand_on(&mut self, buffer: &mut ReadBuf<'_>) {
        let rest = self.held.split_off(self.held.len().min(buffer.remaining()));
        buffer.put_slice(&self.held);
        self.held = rest;
    }

    /// How long the visitor may take for what comes next; `None` while it is not his turn.
    fn read_limit(&self, waker: &Waker) -> Option<(Kind, Duration)> {
        if self.guard.in_body() {
            Some((Kind::Body, self.timings.stall))
        } else if self.state.is_answering(waker) {
            None
        } else if self.guard.in_head() || self.fresh {
            Some((Kind::Head, self.timings.header))
        } else {
            Some((Kind::Idle, self.timings.keep_alive))
        }
    }
}

impl AsyncRead for VisitorIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.state.is_tunnel() {
            if this.held.is_empty() {
                return Pin::new(&mut this.stream).poll_read(cx, buffer);
            }
            this.hand_on(buffer);
            return Poll::Ready(Ok(()));
        }
        if this.state.is_undecided(cx.waker()) && !this.guard.in_body() {
            return Poll::Pending;
        }
        if !this.held.is_empty() {
            this.release(buffer);
            return Poll::Ready(Ok(()));
        }
        if this.refused {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        if Pin::new(&mut this.stream).poll_read(cx, buffer)?.is_pending() {
            let Some((kind, limit)) = this.read_limit(cx.waker()) else { return Poll::Pending };
            ready!(this.reading.poll(kind, limit, cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if !this.guard.in_head() {
            this.reading.reset();
        }
        let taken = this.inspect(&buffer.filled()[before..]);
        buffer.set_filled(before + taken);
        if taken == 0 && !this.held.is_empty() {
            this.release(buffer);
        }
        Poll::Ready(Ok(()))
    }
}

impl VisitorIo {
    fn watch_write<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.writing.reset();
            return polled;
        }
        if self.state.is_tunnel() {
            return Poll::Pending;
        }
        ready!(self.writing.poll(Kind::Body, self.timings.stall, cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for VisitorIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.watch_write(cx, polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.watch_write(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Head,
    Body,
    Idle,
}

/// A limit of time for one kind of waiting.
#[derive(Default)]
struct Patience {
    waiting: Option<(Kind, Pin<Box<Sleep>>)>,
}

impl Patience {
    fn reset(&mut self) {
        self.waiting = None;
    }

    /// Ready once the same kind of waiting has lasted for `limit`.
    fn poll(&mut self, kind: Kind, limit: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = match &mut self.waiting {
            Some((waiting, sleep)) if *waiting == kind => sleep,
            waiting => {
                let sleep = Box::pin(tokio::time::sleep_until(Instant::now() + limit));
                &mut waiting.insert((kind, sleep)).1
            }
        };
        sleep.as_mut().poll(cx)
    }
}
