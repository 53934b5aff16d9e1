//! Small, neutral pages for the answers that the gateway makes itself. They name no product, no
//! version and no backend.

use http::StatusCode;

/// `text/html`, or JSON for those who prefer it.
pub(super) fn render(status: StatusCode, text: &str, request_id: &str, accept: &str) -> (&'static str, String) {
    let reason = status.canonical_reason().unwrap_or("Error");
    if prefers_json(accept) {
        let json = serde_json::json!({ "status": status.as_u16(), "error": reason, "requestId": request_id });
        return ("application/json", json.to_string());
    }
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{code} {reason}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">\
         <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem}}\
         code{{font-size:.85em}}</style></head>\n<body><h1>{code} {reason}</h1>\n<p>{text}</p>\n\
         <p>Request <code>{request_id}</code></p></body></html>\n",
        code = status.as_u16(),
    );
    ("text/html; charset=utf-8", html)
}

/// For whom the port itself is the wrong one.
pub(super) const PLAIN_HTTP: &str = "This address is served by HTTPS only: begin it with https://.";

pub(super) fn explain(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_GATEWAY => "The website behind this address cannot be reached at the moment. Try again later.",
        StatusCode::GATEWAY_TIMEOUT => "The website behind this address did not answer in time. Try again later.",
        StatusCode::FOUND => "This picture is elsewhere.",
        StatusCode::PERMANENT_REDIRECT => "This page is served by HTTPS.",
        StatusCode::METHOD_NOT_ALLOWED => "This method is not served here.",
        StatusCode::URI_TOO_LONG => "This address is too long.",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "This request's header is too long.",
        StatusCode::LOOP_DETECTED => "This request came back to where it was sent from.",
        _ => "This request could not be understood.",
    }
}

/// Whether `Accept` ranks JSON above HTML (RFC 9110 section 12.5.1); a tie is HTML.
fn prefers_json(accept: &str) -> bool {
    let mut json = 0.0_f32;
    let mut html = 0.0_f32;
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts
            .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
            .map_or(1.0, |q| q.parse().unwrap_or(0.0));
        if media == "application/json" || media.ends_with("+json") {
            json = json.max(quality);
        } else if media == "text/html" || media == "application/xhtml+xml" {
            html = html.max(quality);
        }
    }
    json > html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_only_for_those_who_prefer_it() {
        for accept in ["application/json", "text/html;q=0.5, application/json", "application/problem+json, */*"] {
            assert!(prefers_json(accept), "{accept}");
        }
        for accept in ["", "*/*", "text/html, application/json", "application/json;q=0", "text/html"] {
            assert!(!prefers_json(accept), "{accept}");
        }
    }

    #[test]
    fn a_page_carries_the_request_id_and_no_product() {
        for accept in ["", "application/json"] {
            let (_, page) = render(StatusCode::BAD_GATEWAY, explain(StatusCode::BAD_GATEWAY), "abc123", accept);
            assert!(page.contains("abc123") && page.contains("502"), "{page}");
            assert!(!page.to_lowercase().contains("proxima"), "{page}");
        }
    }
}
