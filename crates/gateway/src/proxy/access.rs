//! One line per request at the target `access`, written when the answer has ended. The path
//! without its query: queries carry people's credentials.

use super::Visit;
use super::body::Progress;
use crate::listen::ConnState;
use crate::proxy::ProxyContext;
use crate::upstream::{SendError, Upstream};
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use std::net::IpAddr;
use std::sync::Arc;
use tokio::time::Instant;

/// What is known of one request. Dropping it ends the request.
pub struct Record(Option<Box<Facts>>);

struct Facts {
    context: Arc<ProxyContext>,
    connection: Arc<ConnState>,
    upstream: Arc<Upstream>,
    progress: Arc<Progress>,
    started: Instant,
    client: IpAddr,
    method: Method,
    uri: Uri,
    host: Option<HeaderValue>,
    request_id: HeaderValue,
    status: StatusCode,
    bytes_out: u64,
    outcome: Outcome,
    note: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The visitor left, or the gateway stopped, before the answer was whole.
    Aborted,
    Complete,
    BackendBrokeOff,
}

impl Record {
    pub(super) fn new<B>(
        visit: &Visit,
        request: &Request<B>,
        upstream: &Arc<Upstream>,
        progress: Arc<Progress>,
    ) -> Self {
        let context = Arc::clone(&visit.context);
        let request_id = HeaderValue::try_from(context.request_ids.next());
        Self(Some(Box::new(Facts {
            context,
            connection: Arc::clone(&visit.connection),
            upstream: Arc::clone(upstream),
            progress,
            started: Instant::now(),
            client: visit.client,
            method: request.method().clone(),
            uri: request.uri().clone(),
            host: request.headers().get(header::HOST).cloned(),
            request_id: request_id.unwrap_or(HeaderValue::from_static("-")),
            // As nginx logs it: the visitor left before there was an answer.
            status: StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            bytes_out: 0,
            outcome: Outcome::Aborted,
            note: None,
        })))
    }

    /// The facts, moved to whoever sees the answer's end.
    pub(super) fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    pub(super) fn request_id(&self) -> HeaderValue {
        self.0.as_ref().map_or(HeaderValue::from_static("-"), |facts| facts.request_id.clone())
    }

    pub(super) fn answered(&mut self, status: StatusCode) {
        if let Some(facts) = &mut self.0 {
            facts.status = status;
        }
    }

    pub(super) fn refused(&mut self, status: StatusCode, why: String) {
        if let Some(facts) = &mut self.0 {
            facts.status = status;
            facts.note = Some(why);
        }
    }

    pub(super) fn backend_failed(&self, error: &SendError) {
        if let Some(facts) = &self.0 {
            let backend = facts.upstream.url().to_string();
            tracing::debug!(backend, request_id = ?facts.request_id, error = error.to_string(), "backend failed");
        }
    }

    pub(super) fn backend_broke_off(&mut self, error: &hyper::Error) {
        if let Some(facts) = &mut self.0 {
            facts.outcome = Outcome::BackendBrokeOff;
            facts.note = Some(error.to_string());
        }
    }

    pub(super) fn sent(&mut self, bytes: u64) {
        if let Some(facts) = &mut self.0 {
            facts.bytes_out += bytes;
            facts.context.metrics.bytes_out.add(bytes);
        }
    }

    pub(super) fn received(&mut self, bytes: u64) {
        if let Some(facts) = &mut self.0 {
            facts.progress.add_bytes(bytes);
            facts.context.metrics.bytes_in.add(bytes);
        }
    }

    pub(super) fn finished(&mut self) {
        if let Some(facts) = &mut self.0
            && facts.outcome == Outcome::Aborted
        {
            facts.outcome = Outcome::Complete;
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let Some(facts) = self.0.take() else { return };
        facts.connection.request_ended();
        if facts.context.access_log {
            facts.log();
        }
    }
}

impl Facts {
    fn log(&self) {
        let has_no_body =
            self.method == Method::HEAD || matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let outcome = match self.outcome {
            Outcome::Aborted if has_no_body => "complete",
            Outcome::Aborted => "aborted",
            Outcome::Complete => "complete",
            Outcome::BackendBrokeOff => "backend broke off",
        };
        tracing::info!(
            target: "access",
            client = %self.client,
            method = %self.method,
            host = self.host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default(),
            path = self.uri.path(),
            status = self.status.as_u16(),
            bytes_in = self.progress.bytes(),
            bytes_out = self.bytes_out,
            duration_ms = milliseconds(self.started.elapsed()),
            upstream = %self.upstream.url(),
            request_id = self.request_id.to_str().unwrap_or_default(),
            outcome,
            note = self.note.as_deref(),
        );
    }
}

/// To the microsecond, so that no reader sees a double's tail.
#[allow(clippy::cast_precision_loss, reason = "a request does not last 285 years")]
fn milliseconds(time: std::time::Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}
