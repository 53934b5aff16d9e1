//! One request's way through: check it, re-encode its head, send it to the backend, stream both
//! bodies with back-pressure, answer for a backend that does not.
//!
//! Decided here: `X-Forwarded-For`, `-Proto`, `-Host`, `X-Real-IP` and `X-Request-Id` are ours,
//! whatever a visitor sends under those or similar names is dropped (trusted proxies are to
//! come). Neither `Via` nor `Forwarded` nor `Server` is added: a visitor must not notice the
//! gateway, and backends change their behaviour on `Via`.

mod access;
pub mod body;
mod error_page;
mod headers;
mod refusal;
mod target;
mod upgrade;

use crate::listen::ConnState;
use crate::metrics::Metrics;
use crate::upstream::{SendError, Upstream};
use access::Record;
use arc_swap::ArcSwap;
use body::{AnswerBody, Progress, RequestBody};
use headers::Hop;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use refusal::Refusal;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use target::Target;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What all listeners share.
pub struct ProxyContext {
    pub metrics: Arc<Metrics>,
    pub access_log: bool,
    pub request_ids: RequestIds,
    /// Without a byte in either direction.
    pub tunnel_idle: Duration,
    /// Everything that a drain waits for.
    pub tasks: TaskTracker,
}

/// Names requests: random per start, then counted.
pub struct RequestIds {
    prefix: u64,
    next: AtomicU64,
}

impl RequestIds {
    #[must_use]
    pub fn new(prefix: u64) -> Self {
        Self { prefix, next: AtomicU64::new(0) }
    }

    fn next(&self) -> String {
        format!("{:016x}{:012x}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Marks what went through this very process.
    fn loop_mark(&self) -> HeaderValue {
        HeaderValue::from_str(&format!("{:016x}", self.prefix.rotate_left(32)))
            .unwrap_or(HeaderValue::from_static("proxima"))
    }
}

/// One visitor's connection to one listener.
pub struct Visit {
    pub context: Arc<ProxyContext>,
    pub upstream: Arc<ArcSwap<Upstream>>,
    pub connection: Arc<ConnState>,
    /// The visitor: of the TCP peer, IPv4-mapped addresses unmapped (invariant 4).
    pub client: IpAddr,
    /// When the listener's drain is over.
    pub kill: CancellationToken,
}

impl Visit {
    /// Answers one request. Never fails: a failure is an answer too.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<AnswerBody> {
        let context = &self.context;
        context.metrics.requests.increment();
        let progress = Arc::new(Progress::default());
        let upstream = self.upstream.load_full();
        let mut record = Record::new(self, &request, &upstream, Arc::clone(&progress));
        let accept = request.headers().get(http::header::ACCEPT).cloned();
        match self.forward(request, &upstream, &progress, &mut record).await {
            Ok(response) => response,
            Err(refusal) => {
                self.connection.no_upgrade();
                refusal.count(&context.metrics);
                refusal.into_response(record, accept.as_ref())
            }
        }
    }

    async fn forward(
        &self,
        mut request: Request<Incoming>,
        upstream: &Arc<Upstream>,
        progress: &Arc<Progress>,
        record: &mut Record,
    ) -> Result<Response<AnswerBody>, Refusal> {
        let target = Target::of(&request)?;
        let loop_mark = self.context.request_ids.loop_mark();
        if request.headers().get_all(headers::LOOP_MARK).iter().any(|mark| mark == loop_mark) {
            return Err(Refusal::Loop);
        }
        let upgrade = headers::upgrade(&request);
        if upgrade.is_none() {
            self.connection.no_upgrade();
        }
        let on_upgrade = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
        let host = target.host.unwrap_or_else(|| upstream.host().clone());
        let hop = Hop { client: self.client, host, request_id: record.request_id(), loop_mark, upgrade };
        let outgoing = outgoing(request, target.path_and_query, &hop, progress, &self.context.metrics)?;
        let response = upstream.send(outgoing, progress).await.map_err(|error| self.refuse(error, record))?;

        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let Some(on_upgrade) = on_upgrade else {
                return Err(Refusal::Backend("switched protocols without being asked".to_owned()));
            };
            return Ok(upgrade::tunnel(self, on_upgrade, response, record.take()));
        }
        self.connection.no_upgrade();
        let (mut parts, body) = response.into_parts();
        headers::clean_response(&mut parts.headers, record.request_id());
        parts.version = Version::HTTP_11;
        record.answered(parts.status);
        Ok(Response::from_parts(parts, AnswerBody::backend(body, record.take())))
    }

    fn refuse(&self, error: SendError, record: &Record) -> Refusal {
        match error {
            SendError::Visitor(why) => Refusal::Body(why),
            SendError::ConnectTimeout | SendError::HeaderTimeout => {
                record.backend_failed(&error);
                Refusal::BackendTimeout
            }
            SendError::Connect(_) | SendError::Response(_) => {
                record.backend_failed(&error);
                Refusal::Backend(error.to_string())
            }
        }
    }
}

/// The request as the backend sees it: its own head, the visitor's body.
fn outgoing(
    request: Request<Incoming>,
    path_and_query: PathAndQuery,
    hop: &Hop,
    progress: &Arc<Progress>,
    metrics: &Arc<Metrics>,
) -> Result<Request<RequestBody>, Refusal> {
    let (parts, body) = request.into_parts();
    let mut outgoing = Request::new(RequestBody::of_visitor(body, Arc::clone(progress), Arc::clone(metrics)));
    *outgoing.method_mut() = parts.method;
    *outgoing.uri_mut() = path_and_query.into();
    *outgoing.headers_mut() = parts.headers;
    headers::forward_request(outgoing.headers_mut(), hop)?;
    Ok(outgoing)
}
