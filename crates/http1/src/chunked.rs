//! Bodies in chunks (RFC 9112 section 7.1), read strictly.

use crate::fields::violation;
use crate::{Fields, Limits, MOST_FIELDS, Scan, Violation};
use std::ops::Range;

/// The longest line of a chunk's size and extensions, in bytes (CVE-2023-39326: extensions cost without end).
const MOST_LINE: usize = 256;

/// What stands next in a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// So many bytes are read and mean nothing to the reader; there may be more.
    Framing(usize),
    /// Content.
    Data(Range<usize>),
    /// The body has ended, after so many bytes; its trailers are read.
    End(usize),
    /// More bytes are needed, beside those that were given.
    More,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size,
    Data(u64),
    DataEnd,
    Trailers,
}

/// Follows one body.
#[derive(Debug)]
pub struct Chunked {
    state: State,
    scan: Scan,
}

impl Default for Chunked {
    fn default() -> Self {
        Self { state: State::Size, scan: Scan::default() }
    }
}

impl Chunked {
    /// Looks at the next of `bytes`, of which those that an earlier piece took are gone. Trailers go to `trailers`.
    ///
    /// # Errors
    /// [`Violation`]; the body cannot be read on.
    pub fn next(&mut self, bytes: &[u8], limits: &Limits, trailers: &mut Fields) -> Result<Piece, Violation> {
        if bytes.is_empty() {
            return Ok(Piece::More);
        }
        match self.state {
            State::Size => self.size(bytes),
            State::Data(left) => {
                let taken = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                let left = left - taken as u64;
                self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                Ok(Piece::Data(0..taken))
            }
            State::DataEnd => match bytes {
                [b'\r', b'\n', ..] => {
                    self.state = State::Size;
                    Ok(Piece::Framing(2))
                }
                [b'\r'] => Ok(Piece::More),
                _ => Err(Violation::Chunk),
            },
            State::Trailers => self.trailers(bytes, limits, trailers),
        }
    }

    fn size(&mut self, bytes: &[u8]) -> Result<Piece, Violation> {
        let window = &bytes[..bytes.len().min(MOST_LINE)];
        let Some(end) = memchr::memchr(b'\n', window) else {
            return if window.len() == MOST_LINE { Err(Violation::Chunk) } else { Ok(Piece::More) };
        };
        let line = window[..end].strip_suffix(b"\r").ok_or(Violation::LineEnd)?;
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let extension = line[digits..].trim_ascii_start();
        let plain = extension.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f));
        if !(1..=15).contains(&digits) || !plain || !(line.len() == digits || extension.starts_with(b";")) {
            return Err(Violation::Chunk);
        }
        let size = line[..digits].iter().fold(0, |sum: u64, &digit| sum << 4 | u64::from(hex(digit)));
        self.state = if size == 0 { State::Trailers } else { State::Data(size) };
        Ok(Piece::Framing(end + 1))
    }

    fn trailers(&mut self, bytes: &[u8], limits: &Limits, trailers: &mut Fields) -> Result<Piece, Violation> {
        // No trailers, as nearly always.
        if bytes.starts_with(b"\r\n") {
            trailers.clear();
            return Ok(Piece::End(2));
        }
        if bytes == b"\r" {
            return Ok(Piece::More);
        }
        let section = Limits { request_line: usize::MAX, ..*limits };
        let Some((start, end)) = self.scan.look(bytes, &section)? else { return Ok(Piece::More) };
        let mut lines = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let found = httparse::parse_headers(&bytes[start..end], &mut lines)
            .map_err(|error| violation(error, Violation::Name))?;
        let httparse::Status::Complete((_, found)) = found else { return Err(Violation::Name) };
        trailers.fill(&bytes[start..end], found, limits)?;
        Ok(Piece::End(end))
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { bytes: 256, request_line: 256, fields: 4 };

    /// Content and trailers of a whole body, and how many bytes are left.
    type Read<T> = Result<Option<(T, Vec<String>, usize)>, Violation>;

    /// A body that comes in pieces of `step` bytes.
    fn read_in(body: &[u8], step: usize) -> Read<Vec<u8>> {
        let (mut chunked, mut trailers, mut content) = (Chunked::default(), Fields::default(), Vec::new());
        let (mut taken, mut given) = (0, 0);
        loop {
            match chunked.next(&body[taken..given], &LIMITS, &mut trailers)? {
                Piece::Framing(bytes) => taken += bytes,
                Piece::Data(range) => {
                    content.extend_from_slice(&body[taken..given][range.clone()]);
                    taken += range.end;
                }
                Piece::End(bytes) => {
                    let lines = trailers.iter().map(|line| {
                        format!("{}={}", String::from_utf8_lossy(line.name), String::from_utf8_lossy(line.value))
                    });
                    return Ok(Some((content, lines.collect(), body.len() - taken - bytes)));
                }
                Piece::More if given == body.len() => return Ok(None),
                Piece::More => given = (given + step).min(body.len()),
            }
        }
    }

    /// The same however it comes, but for what was read beyond the end.
    fn read(body: &str) -> Read<String> {
        let whole = read_in(body.as_bytes(), usize::MAX / 2);
        for step in [1, 2, 3, 7] {
            assert_eq!(read_in(body.as_bytes(), step), whole, "{body:?} in pieces of {step}");
        }
        whole.map(|read| read.map(|(content, lines, left)| (String::from_utf8_lossy(&content).into(), lines, left)))
    }

    #[test]
    fn bodies_are_read_with_their_trailers() {
        let content = |text: &str, lines: &[&str], left| {
            Ok(Some((text.to_owned(), lines.iter().map(|&line| line.to_owned()).collect(), left)))
        };
        assert_eq!(read("0\r\n\r\n"), content("", &[], 0));
        assert_eq!(read("5\r\nhello\r\nA;x=\"y\"\r\n0123456789\r\n000\r\n\r\nGET"), content("hello0123456789", &[], 3));
        assert_eq!(read("1 ;a\r\nx\r\n0\r\nA: b\r\nC:d\r\n\r\n"), content("x", &["A=b", "C=d"], 0));
        assert_eq!(read("5\r\nhel"), Ok(None));
        assert_eq!(read("0\r\nA: b\r\n"), Ok(None));
    }

    #[test]
    fn what_can_be_read_otherwise_is_refused() {
        for body in [
            "\r\n",
            "g\r\n",
            "+1\r\nx",
            "-1\r\nx",
            "0x1\r\nx",
            "1_0\r\n",
            " 1\r\nx",
            "1 \r\nx",
            "1\nx",
            "1\rx\r\n",
            "1\r\nxy\r\n",
            "1\r\nx\n0\r\n\r\n",
            "1\r\nx\r0\r\n\r\n",
            "1;a\nb\r\nx",
            "1;a\0\r\nx",
            "1,a\r\nx",
            "1000000000000000\r\n",
            "0\r\nA : b\r\n\r\n",
            "0\r\n A: b\r\n\r\n",
            "0\r\nA\r\n\r\n",
            "0\r\nA: b\n\r\n",
            "0\r\n\n",
            "0\r\n\rX\r\n\r\n",
        ] {
            assert!(read(body).is_err(), "{body:?} is {:?}", read(body));
        }
        assert_eq!(read(&format!("1;{}\r\n", "x".repeat(300))), Err(Violation::Chunk), "extensions are bounded");
        assert_eq!(read(&format!("0\r\nA: {}", "x".repeat(300))), Err(Violation::HeadTooLong), "trailers are bounded");
        assert_eq!(read(&format!("0\r\n{}\r\n", "A: b\r\n".repeat(5))), Err(Violation::TooManyFields));
    }
}
