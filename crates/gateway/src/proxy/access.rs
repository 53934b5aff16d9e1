//! One record per request in the access log, written when its answer has ended: however it ends. The path without its query:
//! queries carry people's credentials.

use super::Worker;
use crate::cli::LogFormat;
use crate::upstream::Backend;
use proxima_http1::RequestHead;
use std::cell::{Cell, RefCell};
use std::io::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// What is known of one request. Dropping it ends the request.
pub(super) struct Record {
    worker: Rc<Worker>,
    started: Instant,
    /// What the request's head says, as the log's line has it.
    asked: Vec<u8>,
    pub request_id: String,
    pub status: Cell<u16>,
    bytes_in: Cell<u64>,
    bytes_out: Cell<u64>,
    backend: RefCell<Option<Arc<Backend>>>,
    pub outcome: Cell<Outcome>,
    note: RefCell<Option<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The visitor left, or the gateway stopped, before the answer was whole.
    Aborted,
    Complete,
    BackendBrokeOff,
}

impl Outcome {
    fn text(self) -> &'static str {
        match self {
            Self::Aborted => "aborted",
            Self::Complete => "complete",
            Self::BackendBrokeOff => "backend broke off",
        }
    }
}

/// As nginx logs it: the visitor left before there was an answer.
const NO_ANSWER: u16 = 499;

impl Record {
    /// Of a request whose head could not be read, `None`.
    pub(super) fn begin(worker: &Rc<Worker>, client: &str, peer: &str, head: Option<&RequestHead>) -> Self {
        worker.metrics().requests.increment();
        let mut asked = worker.lines.get();
        if worker.settings().access_log {
            let mut line = Line { out: &mut asked, format: worker.settings().log_format };
            line.token("client", client.as_bytes());
            if peer != client {
                line.token("peer", peer.as_bytes());
            }
            if let Some(head) = head {
                line.token("method", head.method_name());
                line.text("host", head.fields().get("host").unwrap_or_default());
                line.text("path", path(head.target()));
                line.text("user_agent", head.fields().get("user-agent").unwrap_or_default());
            }
        }
        Self {
            worker: Rc::clone(worker),
            started: Instant::now(),
            asked,
            request_id: worker.request_ids().next(),
            status: Cell::new(NO_ANSWER),
            bytes_in: Cell::new(0),
            bytes_out: Cell::new(0),
            backend: RefCell::default(),
            outcome: Cell::new(Outcome::Aborted),
            note: RefCell::default(),
        }
    }

    /// So many bytes of a body came from the visitor.
    pub(super) fn received(&self, bytes: u64) {
        self.bytes_in.set(self.bytes_in.get() + bytes);
        self.worker.metrics().bytes_in.add(bytes);
    }

    /// So many bytes of a body went to the visitor.
    pub(super) fn sent(&self, bytes: u64) {
        self.bytes_out.set(self.bytes_out.get() + bytes);
        self.worker.metrics().bytes_out.add(bytes);
    }

    pub(super) fn goes_to(&self, backend: &Arc<Backend>) {
        *self.backend.borrow_mut() = Some(Arc::clone(backend));
    }

    pub(super) fn note(&self, note: String) {
        *self.note.borrow_mut() = Some(note);
    }

    fn log(&self) {
        let (worker, format) = (Rc::clone(&self.worker), self.worker.settings().log_format);
        worker.log.line(format, |out| {
            out.extend_from_slice(&self.asked);
            let mut line = Line { out, format };
            line.number("status", self.status.get().into());
            line.number("bytes_in", self.bytes_in.get());
            line.number("bytes_out", self.bytes_out.get());
            line.milliseconds("duration_ms", self.started.elapsed());
            if let Some(backend) = self.backend.borrow().as_ref() {
                line.text("upstream", backend.name.as_bytes());
            }
            line.text("request_id", self.request_id.as_bytes());
            line.text("outcome", self.outcome.get().text().as_bytes());
            if let Some(note) = self.note.borrow().as_ref() {
                line.text("note", note.as_bytes());
            }
        });
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.worker.settings().access_log {
            self.log();
        }
        self.worker.lines.put(std::mem::take(&mut self.asked));
    }
}

fn path(target: &[u8]) -> &[u8] {
    target.split(|&byte| byte == b'?').next().unwrap_or_default()
}

/// Fields of one line: `,"name":value`, or ` name=value`.
struct Line<'a> {
    out: &'a mut Vec<u8>,
    format: LogFormat,
}

impl Line<'_> {
    fn name(&mut self, name: &str) {
        let _ = match self.format {
            LogFormat::Json => write!(self.out, ",\"{name}\":"),
            LogFormat::Text => write!(self.out, " {name}="),
        };
    }

    fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        let _ = write!(self.out, "{value}");
    }

    /// To the microsecond.
    fn milliseconds(&mut self, name: &str, time: std::time::Duration) {
        self.name(name);
        let _ = write!(self.out, "{}.{:03}", time.as_millis(), time.subsec_micros() % 1000);
    }

    /// A token, which needs no quotes but JSON's.
    fn token(&mut self, name: &str, token: &[u8]) {
        self.name(name);
        let quote: &[u8] = if self.format == LogFormat::Json { b"\"" } else { b"" };
        for part in [quote, token, quote] {
            self.out.extend_from_slice(part);
        }
    }

    /// A stranger's text: quotes and control characters are escaped, so that a line stays a line.
    fn text(&mut self, name: &str, text: &[u8]) {
        self.name(name);
        self.out.push(b'"');
        for char in String::from_utf8_lossy(text).chars() {
            match char {
                '"' | '\\' => self.out.extend_from_slice(&[b'\\', char as u8]),
                _ if char.is_control() => drop(write!(self.out, "\\u{:04x}", u32::from(char))),
                _ => self.out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        self.out.push(b'"');
    }
}
