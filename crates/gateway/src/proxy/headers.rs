//! Heads between two connections (RFC 9110 section 7.6): what belongs to one hop is left out, what a stranger claims about
//! himself is dropped, what the gateway says comes last. Every head is written anew (invariant 6).

use http::StatusCode;
use proxima_http1::{Fields, Framing, Known, Line, RequestHead, ResponseHead, Version};
use std::io::Write as _;

/// A request that carries our own mark has been here before.
pub(super) const LOOP_MARK: &str = "proxima-loop";
pub(super) const REQUEST_ID: &str = "x-request-id";
pub(super) const HSTS: &str = "Strict-Transport-Security";

/// Claims about the visitor that only a trusted proxy may make; `_` counts as `-`, since CGI and WSGI make one name of both.
/// Beside them all that begin with `X-Forwarded-`.
const CLAIMS: [&str; 9] = [
    "forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "fastly-client-ip",
    REQUEST_ID,
];
const FORWARDED: &str = "x-forwarded-";

/// What the gateway says to the backend.
pub(super) struct Hop<'a> {
    pub client: &'a str,
    /// It, and the trusted proxies between it and us.
    pub chain: &'a str,
    pub scheme: &'a str,
    pub host: &'a [u8],
    pub request_id: &'a str,
    pub loop_mark: &'a str,
    /// The protocols that the visitor offers to switch to.
    pub upgrade: Option<&'a [u8]>,
}

/// Writes the backend's request head, made out of the visitor's.
pub(super) fn push_request(out: &mut Vec<u8>, head: &RequestHead, path: &[&[u8]], hop: &Hop<'_>) {
    out.extend_from_slice(head.method_name());
    out.push(b' ');
    path.iter().for_each(|part| out.extend_from_slice(part));
    out.extend_from_slice(b" HTTP/1.1\r\n");
    push_line(out, b"Host", hop.host);
    let fields = head.fields();
    let options = Options::of(fields);
    for line in fields.iter() {
        let goes = match line.known {
            Known::Other => {
                !is_claim(line.name)
                    && !options.names(fields, line.name)
                    && !line.name.eq_ignore_ascii_case(b"http2-settings")
            }
            // The gateway itself says 100 once the backend is ready to take the body.
            Known::Expect => !line.value.eq_ignore_ascii_case(b"100-continue"),
            Known::ContentLength | Known::Trailer => true,
            _ => false,
        };
        if goes {
            push_line(out, line.name, line.value);
        }
    }
    if head.framing() == Framing::Chunked {
        push_line(out, b"Transfer-Encoding", b"chunked");
    }
    push_line(out, b"X-Forwarded-Host", hop.host);
    push_line(out, b"X-Real-IP", hop.client.as_bytes());
    push_line(out, b"X-Forwarded-For", hop.chain.as_bytes());
    push_line(out, b"X-Forwarded-Proto", hop.scheme.as_bytes());
    push_line(out, b"X-Request-Id", hop.request_id.as_bytes());
    push_line(out, b"Proxima-Loop", hop.loop_mark.as_bytes());
    let coding = |element: &[u8]| {
        element
            .split(|&byte| byte == b';')
            .next()
            .is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case(b"trailers"))
    };
    let trailers = fields.elements(Known::Te).any(coding);
    if trailers {
        push_line(out, b"TE", b"trailers");
    }
    match (hop.upgrade, trailers) {
        (Some(protocols), _) => {
            push_line(out, b"Upgrade", protocols);
            push_line(out, b"Connection", if trailers { b"Upgrade, TE" } else { b"Upgrade" });
        }
        (None, true) => push_line(out, b"Connection", b"TE"),
        (None, false) => {}
    }
    out.extend_from_slice(b"\r\n");
}

/// How the answer's body ends for the visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Towards<'a> {
    pub chunked: bool,
    /// What `Connection` says, if anything.
    pub connection: Option<&'static str>,
    /// What `Strict-Transport-Security` says, unless the backend says it.
    pub hsts: Option<&'a str>,
}

/// Writes the visitor's response head, made out of the backend's.
pub(super) fn push_response(out: &mut Vec<u8>, head: &ResponseHead, towards: Towards<'_>, request_id: &str) {
    push_status(out, head.status);
    let mut has_id = false;
    let mut hsts = towards.hsts;
    for line in end_to_end(head.fields()) {
        let goes = match line.known {
            Known::ContentLength => !towards.chunked,
            Known::Upgrade => head.status == 101,
            _ => true,
        };
        if goes {
            has_id |= line.name.eq_ignore_ascii_case(REQUEST_ID.as_bytes());
            hsts = hsts.filter(|_| !line.name.eq_ignore_ascii_case(HSTS.as_bytes()));
            push_line(out, line.name, line.value);
        }
    }
    if !has_id {
        push_line(out, b"X-Request-Id", request_id.as_bytes());
    }
    if let Some(hsts) = hsts {
        push_line(out, HSTS.as_bytes(), hsts.as_bytes());
    }
    if towards.chunked {
        push_line(out, b"Transfer-Encoding", b"chunked");
    }
    if let Some(connection) = towards.connection {
        push_line(out, b"Connection", connection.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// A response's lines that are not of one connection only; `Upgrade` among them.
pub(super) fn end_to_end(fields: &Fields) -> impl Iterator<Item = Line<'_>> {
    let options = Options::of(fields);
    fields.iter().filter(move |line| match line.known {
        Known::Other | Known::Expect | Known::Host => !options.names(fields, line.name),
        Known::ContentLength | Known::Trailer | Known::Upgrade => true,
        _ => false,
    })
}

/// `HTTP/1.1 200 OK`: the version is ours, and the reason the usual one (RFC 9112 section 4: it means nothing).
pub(super) fn push_status(out: &mut Vec<u8>, status: u16) {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    let _ = write!(out, "HTTP/1.1 {status} {reason}\r\n");
}

pub(super) fn push_line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Whether a field may come after a body (RFC 9110 section 6.5.1): not what says where messages end or whom they are for.
pub(super) fn may_trail(known: Known) -> bool {
    known == Known::Other
}

/// The protocols that a request offers to switch to (RFC 9110 section 7.8), if any. `h2c` is not passed on: behind a proxy it
/// is a way around it (RFC 9113 has dropped it).
pub(super) fn upgrade(head: &RequestHead) -> Option<Vec<u8>> {
    let fields = head.fields();
    if head.version != Version::Http11
        || !fields.elements(Known::Connection).any(|option| option.eq_ignore_ascii_case(b"upgrade"))
    {
        return None;
    }
    let offered: Vec<&[u8]> =
        fields.elements(Known::Upgrade).filter(|protocol| !protocol.eq_ignore_ascii_case(b"h2c")).collect();
    if offered.is_empty() { None } else { Some(offered.join(&b", "[..])) }
}

/// Whether the visitor waits for a `100 Continue` before it sends a body.
pub(super) fn expects_continue(head: &RequestHead) -> bool {
    head.version == Version::Http11
        && head.framing() != Framing::Empty
        && head
            .fields()
            .iter()
            .any(|line| line.known == Known::Expect && line.value.eq_ignore_ascii_case(b"100-continue"))
}

/// What `Connection` names beside what it nearly always says.
struct Options {
    others: bool,
}

impl Options {
    fn of(fields: &Fields) -> Self {
        let usual = |option: &[u8]| {
            [&b"close"[..], b"keep-alive", b"upgrade", b"te"].iter().any(|known| option.eq_ignore_ascii_case(known))
        };
        Self { others: fields.elements(Known::Connection).any(|option| !usual(option)) }
    }

    /// It cannot name away what says where a message ends and whom it is for: that is not asked here.
    fn names(&self, fields: &Fields, name: &[u8]) -> bool {
        self.others && fields.elements(Known::Connection).any(|option| option.eq_ignore_ascii_case(name))
    }
}

fn is_claim(name: &[u8]) -> bool {
    let same = |claim: &str, name: &[u8]| {
        let plain = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
        claim.len() == name.len() && claim.bytes().zip(name).all(|(claim, &byte)| claim == plain(byte))
    };
    matches!(name.first(), Some(b'c' | b'C' | b'f' | b'F' | b't' | b'T' | b'x' | b'X'))
        && (CLAIMS.iter().any(|claim| same(claim, name))
            || name.get(..FORWARDED.len()).is_some_and(|start| same(FORWARDED, start)))
}

#[cfg(test)]
mod tests;
