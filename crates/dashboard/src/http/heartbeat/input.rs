//! What a heartbeat brings, made fit for the database.

use axum::http::{HeaderMap, header};
use proxima_types::heartbeat::{HeartbeatRequest, MAX_TRUSTED_KEYS, NONCE_HEADER};

/// The request's nonce: 16 to 64 base64url characters.
pub fn nonce(headers: &HeaderMap) -> Option<&str> {
    let nonce = headers.get(NONCE_HEADER)?.to_str().ok()?;
    let well_formed = (16..=64).contains(&nonce.len())
        && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    well_formed.then_some(nonce)
}

/// The bearer token (RFC 6750): whatever was presented as a license key.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Cuts the texts to their limits and drops what PostgreSQL or a page could trip over: an odd host
/// name must not cost a license.
pub fn tidy(mut report: HeartbeatRequest) -> HeartbeatRequest {
    report.version = clean(&report.version, 64);
    report.host.os = clean(&report.host.os, 128);
    report.host.architecture = clean(&report.host.architecture, 32);
    report.host.hostname = clean(&report.host.hostname, 255);
    if let Some(rejected) = &mut report.rejected_config {
        rejected.reason = clean(&rejected.reason, 1000);
    }
    report.trusted_keys =
        report.trusted_keys.map(|ids| ids.into_iter().filter(|id| is_key_id(id)).take(MAX_TRUSTED_KEYS).collect());
    report
}

/// Base64, as signatures name their keys.
fn is_key_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte))
}

fn clean(text: &str, max_chars: usize) -> String {
    proxima_installer::text::clean(text.as_bytes(), max_chars)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn nonces_are_base64url_and_bounded() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(NONCE_HEADER, HeaderValue::from_static(text));
            nonce(&headers).is_some()
        };
        assert!(read("abcdefghij-KLMN_0"));
        assert!(!read("short"));
        assert!(!read("abcdefghij KLMNOP"));
        assert!(!read("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklm"));
    }

    #[test]
    fn texts_are_cut_and_cleaned() {
        assert_eq!(clean("a\0b\u{1b}[31mc\u{202e}defg", 5), "abcd…");
    }
}
