//! Bodies that stream: a frame is taken from one side when the other side asks for it, so memory
//! holds one frame per direction, and a slow reader slows the writer.

use super::access::Record;
use crate::metrics::Metrics;
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

/// How a request's body gets on: tells a slow visitor from a slow backend.
pub struct Progress {
    started: Instant,
    /// Milliseconds after `started`.
    last: AtomicU64,
    waits_for_visitor: AtomicBool,
    bytes: AtomicU64,
    failure: Mutex<Option<String>>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            last: AtomicU64::new(0),
            waits_for_visitor: AtomicBool::new(false),
            bytes: AtomicU64::new(0),
            failure: Mutex::new(None),
        }
    }
}

impl Progress {
    pub fn touch(&self) {
        self.last.store(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX), Relaxed);
    }

    /// What is left of `limit` for the backend; all of it while the visitor keeps us waiting.
    #[must_use]
    pub fn patience(&self, limit: Duration) -> Duration {
        if self.waits_for_visitor.load(Relaxed) {
            return limit;
        }
        (Duration::from_millis(self.last.load(Relaxed)) + limit).saturating_sub(self.started.elapsed())
    }

    /// Body bytes so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    pub fn add_bytes(&self, more: u64) {
        self.bytes.fetch_add(more, Relaxed);
    }

    /// Why the visitor's body broke off, if it did.
    #[must_use]
    pub fn visitor_failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A visitor's request body on its way to the backend.
pub struct RequestBody(Option<VisitorBody>);

struct VisitorBody {
    body: Incoming,
    progress: Arc<Progress>,
    metrics: Arc<Metrics>,
}

impl RequestBody {
    #[must_use]
    pub fn empty() -> Self {
        Self(None)
    }

    #[must_use]
    pub fn of_visitor(body: Incoming, progress: Arc<Progress>, metrics: Arc<Metrics>) -> Self {
        if body.is_end_stream() { Self(None) } else { Self(Some(VisitorBody { body, progress, metrics })) }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(visitor) = &mut self.0 else { return Poll::Ready(None) };
        let polled = Pin::new(&mut visitor.body).poll_frame(cx);
        visitor.progress.waits_for_visitor.store(polled.is_pending(), Relaxed);
        let frame = ready!(polled);
        visitor.progress.touch();
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    visitor.progress.add_bytes(data.len() as u64);
                    visitor.metrics.bytes_in.add(data.len() as u64);
                }
            }
            Some(Err(error)) => {
                let mut failure = visitor.progress.failure.lock().unwrap_or_else(PoisonError::into_inner);
                *failure = Some(error.to_string());
            }
            None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|visitor| visitor.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or(SizeHint::with_exact(0), |visitor| visitor.body.size_hint())
    }
}

/// What a visitor is sent.
pub struct AnswerBody {
    content: Content,
    /// Written to the access log when the body ends or is dropped.
    record: Option<Record>,
}

enum Content {
    Nothing,
    Page(Option<Bytes>),
    Backend(Incoming),
}

impl AnswerBody {
    pub(super) fn page(page: Bytes, record: Record) -> Self {
        Self { content: Content::Page(Some(page)), record: Some(record) }
    }

    pub(super) fn backend(body: Incoming, record: Record) -> Self {
        Self { content: Content::Backend(body), record: Some(record) }
    }

    pub(super) fn nothing() -> Self {
        Self { content: Content::Nothing, record: None }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = match &mut self.content {
            Content::Nothing => None,
            Content::Page(page) => page.take().map(|page| Ok(Frame::data(page))),
            Content::Backend(body) => ready!(Pin::new(body).poll_frame(cx)),
        };
        if let Some(record) = &mut self.record {
            match &frame {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        record.sent(data.len() as u64);
                    }
                }
                Some(Err(error)) => record.backend_broke_off(error),
                None => record.finished(),
            }
        }
        if self.is_end_stream()
            && let Some(record) = &mut self.record
        {
            record.finished();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Nothing => true,
            Content::Page(page) => page.is_none(),
            Content::Backend(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Nothing | Content::Page(None) => SizeHint::with_exact(0),
            Content::Page(Some(page)) => SizeHint::with_exact(page.len() as u64),
            Content::Backend(body) => body.size_hint(),
        }
    }
}
