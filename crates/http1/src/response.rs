//! Heads of responses.

use crate::fields::{Room, violation};
use crate::framing::Said;
use crate::request::keeps_alive;
use crate::{Fields, Framing, Limits, MOST_FIELDS, Method, Version, Violation};
use std::mem::MaybeUninit;

/// The head of a response that can be read in one way only. Parsed into again and again, it keeps its room.
#[derive(Debug, Default)]
pub struct ResponseHead {
    pub status: u16,
    pub version: Version,
    fields: Fields,
    said: Said,
}

impl ResponseHead {
    /// Parses a whole head, which [`crate::Scan`] has found.
    ///
    /// # Errors
    /// [`Violation`]; then what this holds means nothing.
    pub fn parse(&mut self, head: &[u8], limits: &Limits) -> Result<(), Violation> {
        let mut room: Room = [const { MaybeUninit::uninit() }; MOST_FIELDS];
        let mut parsed = httparse::Response::new(&mut []);
        let whole = httparse::ParserConfig::default()
            .parse_response_with_uninit_headers(&mut parsed, head, &mut room)
            .map_err(|error| violation(error, Violation::StatusLine))?;
        let (Some(minor), Some(status @ 100..=599)) = (parsed.version, parsed.code) else {
            return Err(Violation::StatusLine);
        };
        if !matches!(whole, httparse::Status::Complete(taken) if taken == head.len()) {
            return Err(Violation::StatusLine);
        }
        self.status = status;
        self.version = if minor == 0 { Version::Http10 } else { Version::Http11 };
        self.fields.fill(head, parsed.headers, limits)?;
        self.said = Said::by(&self.fields)?;
        if self.said.chunked && self.version == Version::Http10 {
            return Err(Violation::TransferEncoding);
        }
        Ok(())
    }

    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Of the answer to a request of this method (RFC 9112 section 6.3, rules 1 and 8).
    #[must_use]
    pub fn framing(&self, method: Method) -> Framing {
        if method == Method::Head || matches!(self.status, 100..=199 | 204 | 304) {
            Framing::Empty
        } else {
            self.said.framing(Framing::UntilClose)
        }
    }

    /// The length that it says, which the answer to a `HEAD` says of a body that does not come.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.said.length
    }

    /// Whether the server keeps its connection.
    #[must_use]
    pub fn keeps_alive(&self) -> bool {
        keeps_alive(&self.fields, self.version)
    }

    /// Gives its room back.
    pub fn shrink(&mut self) {
        self.fields.shrink();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { bytes: 4096, request_line: 1024, fields: 16 };

    fn parse(head: &str) -> Result<ResponseHead, Violation> {
        let mut parsed = ResponseHead::default();
        parsed.parse(head.as_bytes(), &LIMITS).map(|()| parsed)
    }

    #[test]
    fn a_body_ends_as_the_question_says() {
        let framing = |status: &str, lines: &str, method| {
            parse(&format!("HTTP/1.1 {status}\r\n{lines}\r\n")).map(|head| head.framing(method))
        };
        assert_eq!(framing("200 OK", "Content-Length: 5\r\n", Method::Get), Ok(Framing::Length(5)));
        assert_eq!(framing("200 OK", "Content-Length: 5\r\n", Method::Head), Ok(Framing::Empty));
        assert_eq!(framing("304 Not Modified", "Content-Length: 5\r\n", Method::Get), Ok(Framing::Empty));
        assert_eq!(framing("204", "", Method::Get), Ok(Framing::Empty));
        assert_eq!(framing("103 Early Hints", "", Method::Get), Ok(Framing::Empty));
        assert_eq!(framing("200 OK", "", Method::Get), Ok(Framing::UntilClose));
        assert_eq!(framing("200 OK", "Transfer-Encoding: chunked\r\n", Method::Get), Ok(Framing::Chunked));
        let both = "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n";
        assert_eq!(framing("200 OK", both, Method::Get), Err(Violation::Both));
        assert_eq!(framing("200 OK", "Transfer-Encoding: gzip\r\n", Method::Get), Err(Violation::TransferEncoding));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for head in [
            "HTTP/1.1 099 X\r\n\r\n",
            "HTTP/1.1 600 X\r\n\r\n",
            "HTTP/1.1 20 X\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.1  200 OK\r\n\r\n",
            "ICY 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            assert!(parse(head).is_err(), "{head:?}");
        }
        assert!(parse("HTTP/1.1 200\r\n\r\n").is_ok(), "a reason is optional");
        assert!(parse("HTTP/1.0 200 OK\r\n\r\n").is_ok_and(|head| !head.keeps_alive()));
    }
}
