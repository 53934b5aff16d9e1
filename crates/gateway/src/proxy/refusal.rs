//! Every way in which the gateway answers for itself, and the status of each.

use super::access::Record;
use super::body::AnswerBody;
use super::{error_page, headers};
use crate::metrics::Metrics;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("missing, repeated or malformed Host")]
    Host,
    #[error("malformed request target")]
    Target,
    #[error("CONNECT and TRACE are not served")]
    Method,
    #[error("the request came through this gateway before")]
    Loop,
    #[error("the request's body broke off: {0}")]
    Body(String),
    #[error("backend: {0}")]
    Backend(String),
    #[error("the backend did not answer in time")]
    BackendTimeout,
}

impl Refusal {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Host | Self::Target | Self::Body(_) => StatusCode::BAD_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Loop => StatusCode::LOOP_DETECTED,
            Self::Backend(_) => StatusCode::BAD_GATEWAY,
            Self::BackendTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    fn is_visitors(&self) -> bool {
        matches!(self, Self::Host | Self::Target | Self::Method | Self::Body(_))
    }

    pub(super) fn count(&self, metrics: &Metrics) {
        match self {
            Self::Backend(_) | Self::BackendTimeout => metrics.backend_errors.increment(),
            _ => metrics.refused_requests.increment(),
        }
    }

    /// The visitor's page says nothing of the reason: that is for the log.
    pub(super) fn into_response(self, mut record: Record, accept: Option<&HeaderValue>) -> Response<AnswerBody> {
        let status = self.status();
        record.refused(status, self.to_string());
        let id = record.request_id();
        let (content_type, page) = error_page::render(status, id.to_str().unwrap_or_default(), accept);
        let mut response = Response::new(AnswerBody::page(page, record));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(headers::REQUEST_ID, id);
        if self == Self::Method {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
        }
        if self.is_visitors() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
