//! Heads of requests.

use crate::fields::{Room, is_token, violation, within};
use crate::framing::Said;
use crate::{Fields, Framing, Known, Limits, MOST_FIELDS, Violation};
use std::mem::MaybeUninit;
use std::ops::Range;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Version {
    Http10,
    #[default]
    Http11,
}

/// Methods that a proxy treats in their own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    #[default]
    Get,
    Head,
    Options,
    /// `PUT`, `DELETE`.
    Idempotent,
    Connect,
    Trace,
    Other,
}

impl Method {
    fn of(name: &[u8]) -> Self {
        match name {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"OPTIONS" => Self::Options,
            b"PUT" | b"DELETE" => Self::Idempotent,
            b"CONNECT" => Self::Connect,
            b"TRACE" => Self::Trace,
            _ => Self::Other,
        }
    }

    /// RFC 9110 section 9.2.2.
    #[must_use]
    pub fn is_idempotent(self) -> bool {
        !matches!(self, Self::Connect | Self::Other)
    }
}

/// The head of a request that can be read in one way only. Parsed into again and again, it keeps its room.
#[derive(Debug, Default)]
pub struct RequestHead {
    pub method: Method,
    pub version: Version,
    fields: Fields,
    method_range: Range<usize>,
    target_range: Range<usize>,
    said: Said,
}

impl RequestHead {
    /// Parses a whole head, which [`crate::Scan`] has found.
    ///
    /// # Errors
    /// [`Violation`]; then what this holds means nothing.
    pub fn parse(&mut self, head: &[u8], limits: &Limits) -> Result<(), Violation> {
        let mut room: Room = [const { MaybeUninit::uninit() }; MOST_FIELDS];
        let mut parsed = httparse::Request::new(&mut []);
        let whole = parsed.parse_with_uninit_headers(head, &mut room).map_err(|error| {
            match violation(error, Violation::RequestLine) {
                Violation::Version if !names_a_version(head) => Violation::RequestLine,
                violation => violation,
            }
        })?;
        let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
            return Err(Violation::RequestLine);
        };
        if !matches!(whole, httparse::Status::Complete(taken) if taken == head.len()) {
            return Err(Violation::RequestLine);
        }
        self.method = Method::of(method.as_bytes());
        self.version = if minor == 0 { Version::Http10 } else { Version::Http11 };
        self.method_range = within(head, method.as_bytes());
        self.target_range = within(head, target.as_bytes());
        self.fields.fill(head, parsed.headers, limits)?;
        self.said = Said::by(&self.fields)?;
        if self.fields.iter().any(|line| poses_as_framing(line.name)) {
            return Err(Violation::Name);
        }
        // Nobody who speaks HTTP/1.0 knows of it: one of two parsers would see no body (RFC 9112 section 6.1).
        if self.said.chunked && self.version == Version::Http10 {
            return Err(Violation::TransferEncoding);
        }
        Ok(())
    }

    /// Makes one of what came otherwise, as HTTP/2 does (RFC 9113 section 8.3): `streams` says that a body of unknown length
    /// follows. Two `Host` or `Content-Length` are refused as ever.
    ///
    /// # Errors
    /// [`Violation`]; then what this holds means nothing.
    pub fn make<'a>(
        &mut self,
        (method, target): (&[u8], &[u8]),
        lines: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        streams: bool,
        limits: &Limits,
    ) -> Result<(), Violation> {
        if target.len() > limits.request_line {
            return Err(Violation::RequestLineTooLong);
        }
        self.fields.clear();
        (self.method_range, self.target_range) = self.fields.begin(method, target);
        for (name, value) in lines {
            if !name.iter().all(|&byte| is_token(byte)) || poses_as_framing(name) {
                return Err(Violation::Name);
            }
            if value.trim_ascii().len() != value.len() || value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
                return Err(Violation::Byte);
            }
            self.fields.push(name, value);
        }
        if self.fields.len() > limits.fields {
            return Err(Violation::TooManyFields);
        }
        self.method = Method::of(method);
        self.version = Version::Http11;
        self.said = Said::by(&self.fields)?;
        if self.said.chunked {
            return Err(Violation::TransferEncoding);
        }
        self.said.chunked = streams && self.said.length.is_none();
        Ok(())
    }

    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// As it was written: methods are case-sensitive.
    #[must_use]
    pub fn method_name(&self) -> &[u8] {
        self.fields.bytes(self.method_range.clone())
    }

    #[must_use]
    pub fn target(&self) -> &[u8] {
        self.fields.bytes(self.target_range.clone())
    }

    #[must_use]
    pub fn framing(&self) -> Framing {
        self.said.framing(Framing::Empty)
    }

    /// Whether the client keeps its connection (RFC 9112 section 9.3).
    #[must_use]
    pub fn keeps_alive(&self) -> bool {
        keeps_alive(&self.fields, self.version)
    }

    /// Gives its room back.
    pub fn shrink(&mut self) {
        self.fields.shrink();
    }
}

/// Whether the first line is three words, the last of them some version of HTTP (RFC 9112 section 2.3).
fn names_a_version(head: &[u8]) -> bool {
    let line = head.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    matches!(words[..], [_, _, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]]
        if major.is_ascii_digit() && minor.is_ascii_digit())
}

/// `Content_Length` and the like: CGI and WSGI make one name of both spellings, and would see another end of the body.
fn poses_as_framing(name: &[u8]) -> bool {
    let same = |framing: &[u8]| {
        framing.len() == name.len()
            && name.contains(&b'_')
            && framing
                .iter()
                .zip(name)
                .all(|(one, byte)| *one == if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() })
    };
    same(b"content-length") || same(b"transfer-encoding")
}

pub(crate) fn keeps_alive(fields: &Fields, version: Version) -> bool {
    let mut keeps = version == Version::Http11;
    for option in fields.elements(Known::Connection) {
        if option.eq_ignore_ascii_case(b"close") {
            return false;
        }
        keeps |= option.eq_ignore_ascii_case(b"keep-alive");
    }
    keeps
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { bytes: 4096, request_line: 1024, fields: 16 };

    fn parse(head: &str) -> Result<RequestHead, Violation> {
        let mut parsed = RequestHead::default();
        parsed.parse(head.as_bytes(), &LIMITS).map(|()| parsed)
    }

    fn with(lines: &str) -> Result<RequestHead, Violation> {
        parse(&format!("POST /path?q HTTP/1.1\r\nHost: a\r\n{lines}\r\n"))
    }

    #[test]
    fn a_head_is_taken_apart() {
        let head = with("X-A:  \tone two\t \r\nCONTENT-LENGTH: 7\r\n").expect("well formed");
        assert_eq!((head.method, head.method_name(), head.target()), (Method::Other, &b"POST"[..], &b"/path?q"[..]));
        assert_eq!((head.version, head.framing()), (Version::Http11, Framing::Length(7)));
        assert_eq!(head.fields().get("x-a"), Some(&b"one two"[..]));
        assert_eq!(head.fields().len(), 3);
    }

    #[test]
    fn it_is_filled_again() {
        let mut head = with("Transfer-Encoding: chunked\r\n").expect("well formed");
        assert_eq!(head.framing(), Framing::Chunked);
        head.parse(b"GET / HTTP/1.0\r\n\r\n", &LIMITS).expect("well formed");
        assert_eq!((head.framing(), head.fields().len(), head.target()), (Framing::Empty, 0, &b"/"[..]));
        assert_eq!((head.method, head.version), (Method::Get, Version::Http10));
    }

    #[test]
    fn a_body_has_one_end_or_is_refused() {
        for (lines, framing) in [
            ("", Framing::Empty),
            ("Content-Length: 0\r\n", Framing::Empty),
            ("Content-Length: 12\r\n", Framing::Length(12)),
            ("Transfer-Encoding: Chunked\r\n", Framing::Chunked),
        ] {
            assert_eq!(with(lines).map(|head| head.framing()), Ok(framing), "{lines:?}");
        }
        for (lines, violation) in [
            ("Content-Length: 1\r\nContent-Length: 1\r\n", Violation::ContentLength),
            ("Content-Length: 1, 1\r\n", Violation::ContentLength),
            ("Content-Length: +1\r\n", Violation::ContentLength),
            ("Content-Length:\r\n", Violation::ContentLength),
            ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", Violation::Both),
            ("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", Violation::Both),
            ("Transfer-Encoding: gzip, chunked\r\n", Violation::TransferEncoding),
            ("Transfer-Encoding: chunked, identity\r\n", Violation::TransferEncoding),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Violation::TransferEncoding),
            ("Transfer-Encoding: \u{b}chunked\r\n", Violation::Byte),
            ("Transfer-Encoding: chunked;q=1\r\n", Violation::TransferEncoding),
            ("Transfer-Encoding:\r\n", Violation::TransferEncoding),
            ("Transfer_Encoding: chunked\r\n", Violation::Name),
            ("CONTENT_LENGTH: 1\r\n", Violation::Name),
        ] {
            assert_eq!(with(lines).map(|head| head.framing()), Err(violation), "{lines:?}");
        }
        let of_http_10 = parse("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert_eq!(of_http_10.map(|head| head.framing()), Err(Violation::TransferEncoding));
    }

    #[test]
    fn what_is_no_head_is_refused() {
        for (head, violation) in [
            ("GET  / HTTP/1.1\r\n\r\n", Violation::RequestLine),
            ("GET /\r\n\r\n", Violation::RequestLine),
            (" GET / HTTP/1.1\r\n\r\n", Violation::RequestLine),
            ("GET / a HTTP/1.1\r\n\r\n", Violation::RequestLine),
            ("GET / HTTP/1.1 \r\n\r\n", Violation::LineEnd),
            ("GET /\t HTTP/1.1\r\n\r\n", Violation::RequestLine),
            ("GET / HTTP/2.0\r\n\r\n", Violation::Version),
            ("GET / HTTP/1.2\r\n\r\n", Violation::Version),
            ("GET / http/1.1\r\n\r\n", Violation::RequestLine),
            ("G@T / HTTP/1.1\r\n\r\n", Violation::RequestLine),
            ("GET / HTTP/1.1\r\nA : b\r\n\r\n", Violation::Name),
            ("GET / HTTP/1.1\r\nA\r\n\r\n", Violation::Name),
            ("GET / HTTP/1.1\r\n: b\r\n\r\n", Violation::Name),
            ("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", Violation::Name),
            ("GET / HTTP/1.1\r\n A: b\r\n\r\n", Violation::Name),
            ("GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", Violation::Byte),
            ("GET / HTTP/1.1\r\nA: b\0\r\n\r\n", Violation::Byte),
            ("GET / HTTP/1.1\r\nA\0: b\r\n\r\n", Violation::Name),
        ] {
            let refused = parse(head).map(|_| ());
            assert!(refused.is_err(), "{head:?}");
            assert_eq!(refused, Err(violation), "{head:?}");
        }
        let many = "A: b\r\n".repeat(17);
        assert_eq!(with(&many).map(|_| ()), Err(Violation::TooManyFields));
    }

    #[test]
    fn connections_are_kept_as_both_versions_say() {
        let keeps = |version: &str, lines: &str| {
            parse(&format!("GET / HTTP/{version}\r\n{lines}\r\n")).expect("well formed").keeps_alive()
        };
        assert!(keeps("1.1", "") && !keeps("1.0", ""));
        assert!(keeps("1.0", "Connection: X, Keep-Alive\r\n"));
        assert!(!keeps("1.1", "Connection: keep-alive\r\nConnection: Close\r\n"));
    }
}
