//! Every way in which the gateway answers for itself, and the status of each.

use super::{error_page, headers};
use crate::metrics::Metrics;
use http::StatusCode;
use proxima_http1::{Method, Violation};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{0}")]
    Head(Violation),
    #[error("missing, repeated or malformed Host")]
    Host,
    #[error("malformed request target")]
    Target,
    #[error("plain HTTP on a port that speaks TLS")]
    PlainHttp,
    #[error("CONNECT and TRACE are not served")]
    Method,
    #[error("sent to {0}")]
    Https(String),
    #[error("a picture: sent to {0}")]
    Image(String),
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
            Self::Head(Violation::HeadTooLong | Violation::TooManyFields) => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Self::Head(Violation::RequestLineTooLong) => StatusCode::URI_TOO_LONG,
            Self::Head(Violation::Version) => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Head(_) | Self::PlainHttp | Self::Host | Self::Target | Self::Body(_) => StatusCode::BAD_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Https(_) => StatusCode::PERMANENT_REDIRECT,
            Self::Image(_) => StatusCode::FOUND,
            Self::Loop => StatusCode::LOOP_DETECTED,
            Self::Backend(_) => StatusCode::BAD_GATEWAY,
            Self::BackendTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// After what the visitor did wrong nothing more is read of him.
    pub(super) fn is_visitors(&self) -> bool {
        !matches!(self, Self::Https(_) | Self::Image(_) | Self::Loop | Self::Backend(_) | Self::BackendTimeout)
    }

    pub(super) fn count(&self, metrics: &Metrics) {
        match self {
            Self::Backend(_) | Self::BackendTimeout => metrics.backend_errors.increment(),
            Self::Https(_) | Self::Image(_) => {}
            _ => metrics.refused_requests.increment(),
        }
    }

    /// The whole answer: its fields and its page, which is empty for `HEAD`. It says nothing of the reason: that is for the log.
    pub(super) fn page(&self, asked: Asked<'_>) -> (Vec<(&'static str, String)>, String) {
        let status = self.status();
        let text = if *self == Self::PlainHttp { error_page::PLAIN_HTTP } else { error_page::explain(status) };
        let (content_type, page) = error_page::render(status, text, asked.request_id, asked.accept);
        let mut fields = vec![
            ("Content-Type", content_type.to_owned()),
            ("Content-Length", page.len().to_string()),
            ("Cache-Control", "no-store".to_owned()),
            ("X-Request-Id", asked.request_id.to_owned()),
        ];
        if let Self::Https(location) | Self::Image(location) = self {
            fields.push(("Location", location.clone()));
        }
        if *self == Self::Method {
            fields.push(("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS".to_owned()));
        }
        if let Some(hsts) = asked.hsts {
            fields.push((headers::HSTS, hsts.to_owned()));
        }
        (fields, if asked.method == Method::Head { String::new() } else { page })
    }

    /// Writes the whole answer; how long its body is.
    pub(super) fn push(&self, out: &mut Vec<u8>, asked: Asked<'_>, keep: bool) -> u64 {
        let (fields, page) = self.page(asked);
        headers::push_status(out, self.status().as_u16());
        for (name, value) in &fields {
            headers::push_line(out, name.as_bytes(), value.as_bytes());
        }
        if !keep {
            headers::push_line(out, b"Connection", b"close");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(page.as_bytes());
        page.len() as u64
    }
}

/// What of a request its refusal depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub method: Method,
    pub request_id: &'a str,
    /// Its `Accept`.
    pub accept: &'a str,
    /// What `Strict-Transport-Security` is to say.
    pub hsts: Option<&'a str>,
}
