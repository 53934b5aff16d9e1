//! Header fields between two connections (RFC 9110 section 7.6): what belongs to one hop is
//! removed, what a stranger claims about himself is dropped, what the gateway says is set last.

use super::refusal::Refusal;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Version};
use std::net::IpAddr;

/// A request that carries our own mark has been here before.
pub(super) const LOOP_MARK: HeaderName = HeaderName::from_static("proxima-loop");
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Of one connection only, or dangerous to pass on: `Proxy` becomes `HTTP_PROXY` in CGI.
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Claims about the visitor that only a trusted proxy may make; `_` counts as `-`, since CGI and
/// WSGI make one name of both.
const CLAIMS: [&str; 9] = [
    "forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "fastly-client-ip",
    "x-request-id",
];

/// What the gateway says to the backend.
pub(super) struct Hop {
    pub client: IpAddr,
    pub host: HeaderValue,
    pub request_id: HeaderValue,
    pub loop_mark: HeaderValue,
    /// The protocols that the visitor offers to switch to.
    pub upgrade: Option<HeaderValue>,
}

/// Makes the backend's request head out of the visitor's.
pub(super) fn forward_request(headers: &mut HeaderMap, hop: &Hop) -> Result<(), Refusal> {
    let trailers = lists(headers, &header::TE, "trailers");
    strip_hop_by_hop(headers);
    strip_claims(headers);
    if headers.get(header::EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        // The gateway itself sends the 100 once the backend is ready to take the body.
        headers.remove(header::EXPECT);
    }
    headers.remove("http2-settings");
    headers.insert(header::HOST, hop.host.clone());
    headers.insert(FORWARDED_HOST, hop.host.clone());
    let client = HeaderValue::try_from(hop.client.to_string()).map_err(|_| Refusal::Target)?;
    headers.insert(REAL_IP, client.clone());
    headers.insert(FORWARDED_FOR, client);
    headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    headers.insert(REQUEST_ID, hop.request_id.clone());
    headers.insert(LOOP_MARK, hop.loop_mark.clone());
    if let Some(upgrade) = &hop.upgrade {
        headers.insert(header::UPGRADE, upgrade.clone());
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    }
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.append(header::CONNECTION, HeaderValue::from_static("TE"));
    }
    Ok(())
}

/// Makes the visitor's response head out of the backend's.
pub(super) fn clean_response(headers: &mut HeaderMap, request_id: HeaderValue) {
    strip_hop_by_hop(headers);
    headers.entry(REQUEST_ID).or_insert(request_id);
}

/// The same for a 101, which is about nothing but its hop's `Upgrade`.
pub(super) fn clean_switching(headers: &mut HeaderMap, request_id: HeaderValue) {
    let upgrade = headers.get(header::UPGRADE).cloned();
    clean_response(headers, request_id);
    if let Some(upgrade) = upgrade {
        headers.insert(header::UPGRADE, upgrade);
    }
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
}

/// The protocols that a request offers to switch to (RFC 9110 section 7.8), if any. `h2c` is not
/// passed on: behind a proxy it is a way around it (RFC 9113 has dropped it).
pub(super) fn upgrade<B>(request: &Request<B>) -> Option<HeaderValue> {
    let headers = request.headers();
    if request.version() != Version::HTTP_11 || !lists(headers, &header::CONNECTION, "upgrade") {
        return None;
    }
    let offered: Vec<&str> =
        tokens(headers, &header::UPGRADE).filter(|token| !token.eq_ignore_ascii_case("h2c")).collect();
    if offered.is_empty() { None } else { HeaderValue::from_str(&offered.join(", ")).ok() }
}

fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> =
            tokens(headers, &header::CONNECTION).filter_map(|token| token.parse().ok()).collect();
        for name in named.iter().filter(|name| !is_framing(name)) {
            headers.remove(name);
        }
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// `Connection` cannot name these away: they say where a message ends and whom it is for.
fn is_framing(name: &HeaderName) -> bool {
    *name == header::HOST || *name == header::CONTENT_LENGTH || *name == header::TRAILER
}

fn strip_claims(headers: &mut HeaderMap) {
    let claims: Vec<HeaderName> = headers.keys().filter(|name| is_claim(name.as_str())).cloned().collect();
    for name in &claims {
        headers.remove(name);
    }
}

fn is_claim(name: &str) -> bool {
    let same = |claim: &str| {
        claim.len() == name.len()
            && claim.bytes().zip(name.bytes()).all(|(claim, byte)| claim == if byte == b'_' { b'-' } else { byte })
    };
    CLAIMS.iter().any(|claim| same(claim)) || name.get(..12).is_some_and(is_forwarded_prefix)
}

fn is_forwarded_prefix(prefix: &str) -> bool {
    prefix.bytes().zip(b"x-forwarded-").all(|(byte, want)| byte == *want || (*want == b'-' && byte == b'_'))
}

/// The comma-separated elements of all lines of one field, without parameters.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

fn lists(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.split(';').next().is_some_and(|t| t.trim().eq_ignore_ascii_case(token)))
}

#[cfg(test)]
mod tests;
