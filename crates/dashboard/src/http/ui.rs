//! The web UI, embedded in the binary.

use crate::app::AppError;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

#[derive(rust_embed::RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Files;

/// A file of the UI, or its page: the router in the browser knows the addresses.
pub(super) async fn serve(request: Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/api/") {
        return AppError::NotFound.into_response();
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let name = path.trim_start_matches('/');
    match (Files::get(name), Files::get("index.html")) {
        (Some(file), _) if !name.is_empty() => {
            // Vite puts a hash of the content into the names below assets/.
            let cache = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
            respond(&content_type(name), cache, file.data.into_owned())
        }
        _ if name.starts_with("assets/") => StatusCode::NOT_FOUND.into_response(),
        (_, Some(page)) => respond("text/html; charset=utf-8", "no-cache", page.data.into_owned()),
        (_, None) => {
            let hint = "The web UI is not built into this program. Build it with: cd web && npm ci && npm run build\n";
            (StatusCode::NOT_FOUND, hint).into_response()
        }
    }
}

/// The type of a file by its name; of a text with its charset, which nobody shall guess.
fn content_type(name: &str) -> String {
    let kind = mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream");
    let text = kind.starts_with("text/") || kind.ends_with("+xml");
    if text { format!("{kind}; charset=utf-8") } else { kind.to_owned() }
}

fn respond(kind: &str, cache: &'static str, body: Vec<u8>) -> Response {
    let kind = HeaderValue::from_str(kind).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, HeaderValue::from_static(cache))];
    (headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_say_their_charset() {
        for (name, kind) in [
            ("assets/index-1.js", "text/javascript; charset=utf-8"),
            ("assets/index-1.css", "text/css; charset=utf-8"),
            ("favicon.svg", "image/svg+xml; charset=utf-8"),
            ("assets/text.woff2", "font/woff2"),
            ("assets/nothing-known", "application/octet-stream"),
        ] {
            assert_eq!(content_type(name), kind, "{name}");
        }
    }
}
