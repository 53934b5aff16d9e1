//! Lines of the access log on their way to the writer's thread: many in one message.

use super::LogSink;
use crate::cli::LogFormat;
use crate::clock::Clock;
use chrono::{DateTime, SecondsFormat, Utc};
use std::cell::{Cell, RefCell};
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// So many bytes are sent at once, however young they are.
const FULL: usize = 32 * 1024;
/// No line waits longer before it is sent.
const REST: Duration = Duration::from_millis(50);

/// One worker's part of the log.
pub(crate) struct AccessLog {
    sink: LogSink,
    clock: Arc<dyn Clock>,
    pending: RefCell<Vec<u8>>,
    lines: Cell<u64>,
    begun: Notify,
    /// The second that was written last, and how.
    second: RefCell<(i64, String)>,
}

impl AccessLog {
    pub fn new(sink: LogSink, clock: Arc<dyn Clock>) -> Self {
        Self {
            sink,
            clock,
            pending: RefCell::default(),
            lines: Cell::new(0),
            begun: Notify::new(),
            second: RefCell::new((i64::MIN, String::new())),
        }
    }

    /// Adds one line.
    pub fn line(&self, format: LogFormat, fields: impl FnOnce(&mut Vec<u8>)) {
        let mut pending = self.pending.borrow_mut();
        if pending.is_empty() {
            self.begun.notify_one();
        }
        if format == LogFormat::Json {
            pending.extend_from_slice(b"{\"timestamp\":\"");
        }
        self.time(&mut pending, self.clock.read().wall);
        pending.extend_from_slice(match format {
            LogFormat::Json => b"\",\"level\":\"INFO\",\"target\":\"access\"",
            LogFormat::Text => b"  INFO access:",
        });
        fields(&mut pending);
        pending.extend_from_slice(match format {
            LogFormat::Json => b"}\n",
            LogFormat::Text => b"\n",
        });
        self.lines.set(self.lines.get() + 1);
        if pending.len() >= FULL {
            drop(pending);
            self.flush();
        }
    }

    fn time(&self, out: &mut Vec<u8>, now: DateTime<Utc>) {
        let mut second = self.second.borrow_mut();
        if second.0 != now.timestamp() {
            let text = now.to_rfc3339_opts(SecondsFormat::Secs, true);
            *second = (now.timestamp(), text.trim_end_matches('Z').to_owned());
        }
        out.extend_from_slice(second.1.as_bytes());
        let _ = write!(out, ".{:06}Z", now.timestamp_subsec_micros());
    }

    /// Sends what waits.
    pub fn flush(&self) {
        let lines = self.lines.replace(0);
        let mut pending = self.pending.borrow_mut();
        if !pending.is_empty() {
            let room = pending.capacity();
            self.sink.send(std::mem::replace(&mut *pending, Vec::with_capacity(room)), lines);
        }
    }

    /// Sends what has waited long enough, for ever.
    pub async fn send_in_time(&self) {
        loop {
            self.begun.notified().await;
            tokio::time::sleep(REST).await;
            self.flush();
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.flush();
    }
}
