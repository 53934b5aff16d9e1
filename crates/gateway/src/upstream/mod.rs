//! The way to one backend: a bounded pool of HTTP/1.1 connections, used by one listener.
//!
//! A request that met a stale idle connection is sent once more, on a fresh one: always when no
//! byte of it was written, otherwise only when it is idempotent and has no body (RFC 9110
//! section 9.2.2).

mod connect;
mod pool;

use crate::metrics::Metrics;
use crate::names::Names;
use crate::proxy::body::{Progress, RequestBody};
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use pool::Pool;
use proxima_types::BackendUrl;
use std::sync::Arc;
use std::time::Duration;

/// Limits of time towards a backend.
#[derive(Debug, Clone, Copy)]
pub struct BackendTimings {
    pub connect: Duration,
    /// From the request's last progress to the response's head.
    pub header: Duration,
}

/// Why there is no response. All but [`SendError::Visitor`] are the backend's.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("cannot connect to the backend: {0}")]
    Connect(String),
    #[error("the backend did not accept a connection in time")]
    ConnectTimeout,
    #[error("the backend did not answer in time")]
    HeaderTimeout,
    #[error("the backend closed the connection or answered nonsense: {0}")]
    Response(String),
    #[error("the visitor's request body broke off: {0}")]
    Visitor(String),
}

/// One backend.
pub struct Upstream {
    url: BackendUrl,
    /// Its own `Host`, for visitors (HTTP/1.0) who name none.
    host: HeaderValue,
    names: Names,
    pool: Arc<Pool>,
    timings: BackendTimings,
    metrics: Arc<Metrics>,
}

type Sender = SendRequest<RequestBody>;

enum Failure {
    /// Not one byte was written: the request is intact.
    Unsent(Box<Request<RequestBody>>),
    Sent(SendError),
}

impl Upstream {
    #[must_use]
    pub fn new(url: BackendUrl, timings: BackendTimings, metrics: Arc<Metrics>) -> Self {
        let host = HeaderValue::try_from(url.authority()).unwrap_or(HeaderValue::from_static("localhost"));
        Self { url, host, names: Names::default(), pool: Arc::new(Pool::default()), timings, metrics }
    }

    #[must_use]
    pub fn url(&self) -> &BackendUrl {
        &self.url
    }

    #[must_use]
    pub fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// Sends one request and waits for the response's head; its body streams on its own.
    ///
    /// # Errors
    /// [`SendError`]; nothing of a response has been seen then.
    pub async fn send(
        &self,
        request: Request<RequestBody>,
        progress: &Arc<Progress>,
    ) -> Result<Response<Incoming>, SendError> {
        let mut request = request;
        if let Some(sender) = self.pool.take() {
            self.metrics.backend_connections_reused.increment();
            let again = repeatable(&request);
            match self.exchange(sender, request, progress).await {
                Ok(response) => return Ok(response),
                Err(Failure::Unsent(unsent)) => request = *unsent,
                Err(Failure::Sent(SendError::Response(why))) => {
                    request = again.ok_or(SendError::Response(why))?;
                }
                Err(Failure::Sent(error)) => return Err(error),
            }
            self.metrics.backend_retries.increment();
        }
        let sender = self.connect().await?;
        match self.exchange(sender, request, progress).await {
            Ok(response) => Ok(response),
            Err(Failure::Unsent(_)) => Err(SendError::Response("closed before the request was sent".to_owned())),
            Err(Failure::Sent(error)) => Err(error),
        }
    }

    async fn connect(&self) -> Result<Sender, SendError> {
        let stream = tokio::time::timeout(self.timings.connect, connect::connect(&self.url, &self.names))
            .await
            .map_err(|_| SendError::ConnectTimeout)?
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::TimedOut => SendError::ConnectTimeout,
                _ => SendError::Connect(error.to_string()),
            })?;
        self.metrics.backend_connections_opened.increment();
        let (sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_headers(pool::MAX_RESPONSE_HEADERS)
            .max_buf_size(pool::MAX_RESPONSE_HEAD_BYTES)
            .title_case_headers(true)
            .handshake(hyper_util::rt::TokioIo::new(stream))
            .await
            .map_err(|error| SendError::Connect(error.to_string()))?;
        tokio::spawn(async move {
            let _ = connection.with_upgrades().await;
        });
        Ok(sender)
    }

    async fn exchange(
        &self,
        mut sender: Sender,
        request: Request<RequestBody>,
        progress: &Arc<Progress>,
    ) -> Result<Response<Incoming>, Failure> {
        progress.touch();
        let sending = sender.try_send_request(request);
        tokio::pin!(sending);
        let received = loop {
            let patience = progress.patience(self.timings.header);
            tokio::select! {
                biased;
                received = &mut sending => break received,
                () = tokio::time::sleep(patience) => {
                    if progress.patience(self.timings.header).is_zero() {
                        return Err(Failure::Sent(SendError::HeaderTimeout));
                    }
                }
            }
        };
        match received {
            Ok(response) => {
                if response.status() != http::StatusCode::SWITCHING_PROTOCOLS {
                    self.pool.return_when_idle(sender);
                }
                Ok(response)
            }
            Err(mut failed) => match failed.take_message() {
                Some(request) => Err(Failure::Unsent(Box::new(request))),
                None => Err(Failure::Sent(explain(failed.error(), progress))),
            },
        }
    }
}

fn explain(error: &hyper::Error, progress: &Progress) -> SendError {
    match progress.visitor_failure() {
        Some(why) => SendError::Visitor(why),
        None => {
            let source = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
            SendError::Response(format!("{error}{source}"))
        }
    }
}

/// A copy to send again, when that does no harm.
fn repeatable(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    use hyper::body::Body as _;
    if !request.method().is_idempotent() || !request.body().is_end_stream() {
        return None;
    }
    let mut copy = Request::new(RequestBody::empty());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}
