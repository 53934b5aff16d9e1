//! Reads along with the HTTP parser and refuses what two parsers could read differently
//! (invariant 6, RFC 9112 sections 2.2, 5.2, 6.1, 6.3, 7.1): bare LF or CR, NUL, obsolete line
//! folding, a name that is not a token, `Content-Length` twice or beside `Transfer-Encoding`, any
//! transfer coding but `chunked`, malformed chunks.
//!
//! Pure: bytes in, where one message ends out.

/// The longest head that is looked at, in bytes; the parser's own limit is lower.
const MAX_HEAD: usize = 128 * 1024;
/// The longest line of a chunk's size and extensions, in bytes.
const MAX_CHUNK_LINE: usize = 4096;
/// The longest trailer section, in bytes.
const MAX_TRAILERS: usize = 32 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    #[error("a line that does not end in CRLF")]
    LineEnd,
    #[error("a forbidden byte")]
    Byte,
    #[error("a folded header line")]
    Folding,
    #[error("a malformed header name")]
    Name,
    #[error("a malformed request line")]
    RequestLine,
    #[error("more than one Content-Length, or a malformed one")]
    ContentLength,
    #[error("Content-Length beside Transfer-Encoding")]
    Both,
    #[error("a Transfer-Encoding other than one chunked")]
    TransferEncoding,
    #[error("a malformed chunk")]
    Chunk,
    #[error("too long")]
    TooLong,
}

/// What [`Guard::feed`] stopped at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// All bytes are taken.
    More,
    /// A head has ended at this offset.
    Head { taken: usize, may_upgrade: bool },
    /// The bytes from here on must not be read.
    Refused { taken: usize, violation: Violation },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before or within the request line.
    RequestLine,
    Fields,
    /// So many bytes of a body with a `Content-Length`.
    Body(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers,
}

/// Of the head that is being read.
#[derive(Debug, Clone, Copy, Default)]
struct Head {
    bytes: usize,
    http_10: bool,
    content_length: Option<u64>,
    chunked: bool,
    upgrade: bool,
    connect: bool,
}

/// Follows one connection's inbound bytes.
#[derive(Debug)]
pub struct Guard {
    state: State,
    head: Head,
    /// The part of a line that came with earlier bytes.
    line: Vec<u8>,
}

impl Default for Guard {
    fn default() -> Self {
        Self { state: State::RequestLine, head: Head::default(), line: Vec::new() }
    }
}

impl Guard {
    /// Within a head: its first byte was read, its last was not.
    #[must_use]
    pub fn in_head(&self) -> bool {
        match self.state {
            State::RequestLine => !self.line.is_empty(),
            State::Fields => true,
            _ => false,
        }
    }

    /// Within a body.
    #[must_use]
    pub fn in_body(&self) -> bool {
        !matches!(self.state, State::RequestLine | State::Fields)
    }

    /// Takes bytes until a head ends, something is refused, or there are no more.
    pub fn feed(&mut self, bytes: &[u8]) -> Event {
        let mut taken = 0;
        while taken < bytes.len() {
            let rest = &bytes[taken..];
            match self.state {
                State::Body(left) => taken += self.skip(left, rest.len(), State::Body, State::RequestLine),
                State::ChunkData(left) => taken += self.skip(left, rest.len(), State::ChunkData, State::ChunkEnd),
                _ => {
                    let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
                        return match self.carry(rest) {
                            Ok(()) => Event::More,
                            Err(violation) => Event::Refused { taken, violation },
                        };
                    };
                    match self.line(&rest[..=end]) {
                        Ok(false) => taken += end + 1,
                        Ok(true) => {
                            taken += end + 1;
                            let may_upgrade = self.head.upgrade || self.head.connect;
                            self.head = Head::default();
                            return Event::Head { taken, may_upgrade };
                        }
                        Err(violation) => return Event::Refused { taken, violation },
                    }
                }
            }
        }
        Event::More
    }

    fn skip(&mut self, left: u64, available: usize, more: fn(u64) -> State, done: State) -> usize {
        let skipped = usize::try_from(left).map_or(available, |left| left.min(available));
        let left = left - skipped as u64;
        self.state = if left == 0 { done } else { more(left) };
        skipped
    }

    fn carry(&mut self, part: &[u8]) -> Result<(), Violation> {
        self.line.extend_from_slice(part);
        self.check_length(self.line.len())
    }

    fn check_length(&self, line: usize) -> Result<(), Violation> {
        let (so_far, limit) = match self.state {
            State::RequestLine | State::Fields => (self.head.bytes, MAX_HEAD),
            State::Trailers => (self.head.bytes, MAX_TRAILERS),
            _ => (0, MAX_CHUNK_LINE),
        };
        if so_far + line > limit { Err(Violation::TooLong) } else { Ok(()) }
    }

    /// One line with its LF; true when it ended a head.
    fn line(&mut self, part: &[u8]) -> Result<bool, Violation> {
        let carried = std::mem::take(&mut self.line);
        let whole: Vec<u8>;
        let line = if carried.is_empty() {
            part
        } else {
            whole = [carried.as_slice(), part].concat();
            &whole
        };
        self.check_length(line.len())?;
        let content = line.strip_suffix(b"\r\n").ok_or(Violation::LineEnd)?;
        if content.iter().any(|&byte| matches!(byte, 0 | b'\r')) {
            return Err(Violation::Byte);
        }
        if matches!(self.state, State::RequestLine | State::Fields | State::Trailers) {
            self.head.bytes += line.len();
        }
        match self.state {
            // An empty line or two before a request are tolerated (RFC 9112 section 2.2).
            State::RequestLine if content.is_empty() => Ok(false),
            State::RequestLine => self.request_line(content).map(|()| false),
            State::Fields if content.is_empty() => self.head_ends().map(|()| true),
            State::Fields => self.field(content).map(|()| false),
            State::ChunkSize => self.chunk_size(content).map(|()| false),
            State::ChunkEnd if content.is_empty() => {
                self.state = State::ChunkSize;
                Ok(false)
            }
            State::Trailers if content.is_empty() => {
                self.state = State::RequestLine;
                self.head = Head::default();
                Ok(false)
            }
            State::Trailers => name_and_value(content).map(|_| false),
            State::ChunkEnd | State::Body(_) | State::ChunkData(_) => Err(Violation::Chunk),
        }
    }

    fn request_line(&mut self, line: &[u8]) -> Result<(), Violation> {
        let mut words = line.split(|&byte| byte == b' ');
        let (method, target, version) = (words.next(), words.next(), words.next());
        let plain = line.iter().all(|&byte| byte >= b' ') && !line.contains(&0x7f);
        if words.next().is_some() || !plain || target.is_none_or(<[u8]>::is_empty) {
            return Err(Violation::RequestLine);
        }
        self.head.http_10 = match version {
            Some(b"HTTP/1.1") => false,
            Some(b"HTTP/1.0") => true,
            _ => return Err(Violation::RequestLine),
        };
        self.head.connect = method == Some(b"CONNECT");
        self.state = State::Fields;
        Ok(())
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Violation> {
        let (name, value) = name_and_value(line)?;
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = content_length(value).filter(|_| self.head.content_length.is_none());
            self.head.content_length = Some(length.ok_or(Violation::ContentLength)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.head.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Violation::TransferEncoding);
            }
            self.head.chunked = true;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.head.upgrade = true;
        }
        Ok(())
    }

    fn head_ends(&mut self) -> Result<(), Violation> {
        self.head.bytes = 0;
        self.state = match (self.head.content_length, self.head.chunked) {
            (Some(_), true) => return Err(Violation::Both),
            (None, true) if self.head.http_10 => return Err(Violation::TransferEncoding),
            (None, true) => State::ChunkSize,
            (None | Some(0), false) => State::RequestLine,
            (Some(length), false) => State::Body(length),
        };
        Ok(())
    }

    fn chunk_size(&mut self, line: &[u8]) -> Result<(), Violation> {
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let extension = line.get(digits..).unwrap_or_default().trim_ascii_start();
        if !(1..=15).contains(&digits) || !(extension.is_empty() || extension[0] == b';') {
            return Err(Violation::Chunk);
        }
        let text = std::str::from_utf8(&line[..digits]).map_err(|_| Violation::Chunk)?;
        let size = u64::from_str_radix(text, 16).map_err(|_| Violation::Chunk)?;
        self.state = if size == 0 { State::Trailers } else { State::ChunkData(size) };
        Ok(())
    }
}

fn name_and_value(line: &[u8]) -> Result<(&[u8], &[u8]), Violation> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Violation::Folding);
    }
    let colon = line.iter().position(|&byte| byte == b':').ok_or(Violation::Name)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if name.is_empty() || !name.iter().all(|&byte| is_token(byte)) {
        return Err(Violation::Name);
    }
    if value.iter().any(|&byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
        return Err(Violation::Byte);
    }
    Ok((name, value.trim_ascii()))
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn content_length(value: &[u8]) -> Option<u64> {
    let digits = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    if digits { std::str::from_utf8(value).ok()?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
