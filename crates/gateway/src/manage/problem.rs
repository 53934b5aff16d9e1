//! What the management API refuses, as problem documents (RFC 9457).

use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use proxima_types::manage::{MAX_DRAIN_SECONDS, MAX_REQUEST_BYTES, ManagementProblem};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// Missing, malformed and wrong are told the same.
    Unauthenticated,
    TooManyFailures(Duration),
    NotFound,
    MethodNotAllowed(&'static str),
    TooLarge,
    Malformed,
    AlreadyDraining,
}

impl Problem {
    fn shape(&self) -> (StatusCode, &'static str, &'static str, String) {
        match self {
            Self::Unauthenticated => (
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "Not authenticated",
                "Send this gateway's apiSecret as Authorization: Bearer.".to_owned(),
            ),
            Self::TooManyFailures(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_failures",
                "Too many wrong secrets",
                "Try again after the time that Retry-After names.".to_owned(),
            ),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "Not found", "There is no such path.".to_owned()),
            Self::MethodNotAllowed(allowed) => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "Method not allowed",
                format!("This path takes {allowed}."),
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "Too large",
                format!("The body may have {MAX_REQUEST_BYTES} bytes."),
            ),
            Self::Malformed => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "malformed",
                "The input is not valid",
                format!("Expected {{\"seconds\": n}} with n from 1 to {MAX_DRAIN_SECONDS}."),
            ),
            Self::AlreadyDraining => (
                StatusCode::CONFLICT,
                "already_draining",
                "Already draining",
                "The gateway is ending already; it starts again by itself.".to_owned(),
            ),
        }
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let (status, code, title, detail) = self.shape();
        let problem = ManagementProblem {
            kind: format!("urn:proxima:problem:{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail,
            code: code.to_owned(),
        };
        let mut response = super::api::json(status, &problem);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self {
            Self::Unauthenticated => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::TooManyFailures(wait) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
            }
            Self::MethodNotAllowed(allowed) => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            _ => {}
        }
        response
    }
}
