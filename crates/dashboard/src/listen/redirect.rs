//! Plain HTTP that sends browsers to the dashboard's own `https://` address, and nowhere else.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use url::Url;

/// Answers everything with a redirect to the same path at `public`. The host that a request names plays no part.
pub fn router(public: &Url) -> Router {
    let origin = public.origin().ascii_serialization();
    Router::new().fallback(move |request: Request| std::future::ready(guarded(redirect(&origin, &request))))
}

/// What browsers are told with every answer, as on the other port.
fn guarded(mut response: Response) -> Response {
    let policy = HeaderValue::from_static("default-src 'none'; base-uri 'none'; frame-ancestors 'none'");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn redirect(origin: &str, request: &Request) -> Response {
    // What was sent with it has travelled unprotected: a script that does so, or asks the API, shall notice.
    let by_browser = request.method() == Method::GET || request.method() == Method::HEAD;
    if !by_browser || request.uri().path().starts_with("/api/") {
        let sentence = format!("Send this to {origin} instead: this port does not protect what it is sent.\n");
        return (StatusCode::FORBIDDEN, sentence).into_response();
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let path = if path.starts_with('/') { path } else { "/" };
    match HeaderValue::from_str(&format!("{origin}{path}")) {
        Ok(location) => (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, location)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn location(target: &str, host: &str) -> String {
        let request = Request::builder().uri(target).header("host", host).body(Body::empty()).expect("a request");
        let response = redirect("https://panel.example.com", &request);
        assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT, "{target}");
        response.headers()[header::LOCATION].to_str().expect("text").to_owned()
    }

    #[test]
    fn it_leads_nowhere_but_home() {
        for (target, end) in [
            ("/login?next=%0d%0aSet-Cookie:x", "/login?next=%0d%0aSet-Cookie:x"),
            ("//evil.example/", "//evil.example/"),
            ("http://evil.example/a", "/a"),
            ("/@evil.example", "/@evil.example"),
            ("*", "/"),
        ] {
            assert_eq!(location(target, "evil.example"), format!("https://panel.example.com{end}"));
        }
    }

    #[test]
    fn what_is_sent_unprotected_is_refused() {
        for (method, path) in [("POST", "/login"), ("POST", "/api/v1/auth/login"), ("GET", "/api/v1/me")] {
            let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("a request");
            let response = guarded(redirect("https://panel.example.com", &request));
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{method} {path}");
            assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        }
    }
}
