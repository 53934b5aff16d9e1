//! What every request passes through.

use super::{client_address, problem};
use crate::app::{App, AppError};
use crate::config::AppConfig;
use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use ipnet::IpNet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::TimeoutLayer;

/// How long a request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Scripts, styles and connections from here only; Mantine sets style attributes and elements.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'none'";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(super) fn wrap(router: Router, app: &App) -> anyhow::Result<Router> {
    let mut csrf = CsrfLayer::new();
    if let Some(origin) = &app.config.public_origin {
        csrf = csrf.add_trusted_origin(origin)?;
    }
    let headers: Arc<[_]> = security_headers(&app.config).into();
    let trusted: Arc<[IpNet]> = app.config.trusted_proxies.clone().into();
    // One layer: each that a router is given by itself is boxed, and copied with all beneath it for every request.
    let layers = ServiceBuilder::new()
        .layer(middleware::from_fn(move |request, next| client_address::find(Arc::clone(&trusted), request, next)))
        .layer(middleware::map_request(forget_foreign_request_id))
        .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
        .layer(PropagateRequestIdLayer::new(REQUEST_ID))
        .layer(middleware::from_fn(count_requests))
        .layer(middleware::map_response(move |response| {
            let headers = Arc::clone(&headers);
            async move { with_headers(response, &headers) }
        }))
        .layer(middleware::from_fn(problem::finish))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, REQUEST_TIMEOUT))
        .layer(csrf)
        .layer(CatchPanicLayer::custom(panicked));
    Ok(router.layer(layers))
}

/// A panic is a defect of one request: it answers as every internal error does.
fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    AppError::Internal(anyhow::anyhow!("a handler panicked")).into_response()
}

/// A request id is ours: a stranger's could forge or flood the log.
async fn forget_foreign_request_id(mut request: Request) -> Request {
    request.headers_mut().remove(REQUEST_ID);
    request
}

fn security_headers(config: &AppConfig) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = vec![
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
        (
            HeaderName::from_static("permissions-policy"),
            HeaderValue::from_static("camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
        ),
    ];
    if config.secure_cookies {
        headers.push((header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000")));
    }
    headers
}

fn with_headers<B>(mut response: Response<B>, headers: &[(HeaderName, HeaderValue)]) -> Response<B> {
    for (name, value) in headers {
        response.headers_mut().insert(name, value.clone());
    }
    // Nothing of the API is for a cache; the UI's files say otherwise for themselves.
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Methods that are counted by their name; a client can make up any other.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Counts and times requests by route, never by the address that was asked for: the label set is bounded.
pub async fn count_requests(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("ui", MatchedPath::as_str).to_owned();
    let method = METHODS.into_iter().find(|known| request.method() == known).unwrap_or("other");
    let started = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    tracing::debug!(method, route, status, duration_ms = started.elapsed().as_millis(), "request");
    metrics::counter!("proxima_http_requests_total", "route" => route.clone(), "method" => method, "status" => status)
        .increment(1);
    metrics::histogram!("proxima_http_request_seconds", "route" => route).record(started.elapsed().as_secs_f64());
    response
}
