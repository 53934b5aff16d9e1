//! Looks for the end of a head, at each byte once, however it trickles in.

use crate::{Limits, Violation};

/// Empty lines that may come before a request (RFC 9112 section 2.2: at least one).
const EMPTY_LINES: u8 = 2;

/// How far a head that is arriving was looked at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scan {
    scanned: usize,
    /// Where the present line begins.
    line: usize,
    /// Empty lines before the first.
    empty: u8,
    /// The first line has ended.
    first: bool,
}

impl Scan {
    /// Looks at what came; `bytes` begin where they began before. Returns where the head begins and ends, once it does.
    ///
    /// # Errors
    /// [`Violation`] as soon as it is sure, without waiting for the end.
    pub fn look(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<(usize, usize)>, Violation> {
        while let Some(found) = memchr::memchr(b'\n', &bytes[self.scanned..]) {
            let end = self.scanned + found;
            let line = bytes[self.line..end].strip_suffix(b"\r");
            // In the order in which it shows when it trickles in: too long before badly ended.
            if !self.first {
                Self::first_within(line.map_or(end - self.line, <[u8]>::len), limits)?;
            }
            Self::within(end - 2 * usize::from(self.empty), limits)?;
            let length = line.ok_or(Violation::LineEnd)?.len();
            self.scanned = end + 1;
            self.line = self.scanned;
            match (length, self.first) {
                (0, false) => {
                    self.empty += 1;
                    if self.empty > EMPTY_LINES {
                        return Err(Violation::RequestLine);
                    }
                }
                (0, true) => {
                    let start = 2 * usize::from(self.empty);
                    Self::within(self.scanned - start, limits)?;
                    return Ok(Some((start, self.scanned)));
                }
                (_, false) => self.first = true,
                (_, true) => {}
            }
        }
        self.scanned = bytes.len();
        if !self.first {
            let half_an_end = usize::from(bytes[self.line..].ends_with(b"\r"));
            Self::first_within(self.scanned - self.line - half_an_end, limits)?;
        }
        Self::within(self.scanned - 2 * usize::from(self.empty), limits)?;
        Ok(None)
    }

    fn first_within(length: usize, limits: &Limits) -> Result<(), Violation> {
        if length > limits.request_line { Err(Violation::RequestLineTooLong) } else { Ok(()) }
    }

    fn within(length: usize, limits: &Limits) -> Result<(), Violation> {
        if length > limits.bytes { Err(Violation::HeadTooLong) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { bytes: 64, request_line: 16, fields: 8 };

    /// The same whether all comes at once or byte by byte.
    fn look(bytes: &[u8]) -> Result<Option<(usize, usize)>, Violation> {
        let at_once = Scan::default().look(bytes, &LIMITS);
        let mut scan = Scan::default();
        let mut trickled = Ok(None);
        for end in 1..=bytes.len() {
            trickled = scan.look(&bytes[..end], &LIMITS);
            if !matches!(trickled, Ok(None)) {
                break;
            }
        }
        assert_eq!(trickled, at_once, "{:?}", String::from_utf8_lossy(bytes));
        at_once
    }

    #[test]
    fn a_head_ends_at_its_empty_line() {
        assert_eq!(look(b"GET / HTTP/1.1\r\na: b\r\n\r\n"), Ok(Some((0, 24))));
        assert_eq!(look(b"\r\n\r\nGET / HTTP/1.1\r\n\r\nmore"), Ok(Some((4, 22))));
        assert_eq!(look(b"GET / HTTP/1.1\r\na: b\r\n"), Ok(None));
        assert_eq!(look(b"GET /of-16 HTTP1\r\n\r\n"), Ok(Some((0, 20))));
        assert_eq!(look(b""), Ok(None));
    }

    #[test]
    fn what_is_wrong_is_said_before_the_end() {
        assert_eq!(look(b"GET / HTTP/1.1\n"), Err(Violation::LineEnd));
        assert_eq!(look(b"\n"), Err(Violation::LineEnd));
        assert_eq!(look(b"GET / HTTP/1.1\r\na: b\nc"), Err(Violation::LineEnd));
        assert_eq!(look(b"\r\n\r\n\r\n"), Err(Violation::RequestLine));
        assert_eq!(look(b"GET /longer-than-that"), Err(Violation::RequestLineTooLong));
        assert_eq!(look(b"GET /longer-than-that\nX"), Err(Violation::RequestLineTooLong), "what shows first is said");
        assert_eq!(look(&[b"GET / HTTP/1.1\r\na: ".as_slice(), &[b'x'; 50]].concat()), Err(Violation::HeadTooLong));
    }
}
