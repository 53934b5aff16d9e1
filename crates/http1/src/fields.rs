//! The field lines of one message, in the order in which they came.

use crate::{Limits, MOST_FIELDS, Violation};
use std::mem::MaybeUninit;
use std::ops::Range;

/// Names that a proxy has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    Connection,
    ContentLength,
    Expect,
    Host,
    /// Of one connection only (RFC 9110 section 7.6.1) and nothing to a proxy: `Keep-Alive`, `Proxy-Connection`,
    /// `Proxy-Authenticate`, `Proxy-Authorization`. And `Proxy`, which becomes `HTTP_PROXY` in CGI (CVE-2016-5385).
    HopByHop,
    Te,
    Trailer,
    TransferEncoding,
    Upgrade,
    Other,
}

impl Known {
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        let (candidate, known): (&[u8], _) = match name.len() {
            2 => (b"te", Self::Te),
            4 => (b"host", Self::Host),
            5 => (b"proxy", Self::HopByHop),
            6 => (b"expect", Self::Expect),
            7 if name[0] | 0x20 == b'u' => (b"upgrade", Self::Upgrade),
            7 => (b"trailer", Self::Trailer),
            10 if name[0] | 0x20 == b'c' => (b"connection", Self::Connection),
            10 => (b"keep-alive", Self::HopByHop),
            14 => (b"content-length", Self::ContentLength),
            16 => (b"proxy-connection", Self::HopByHop),
            17 => (b"transfer-encoding", Self::TransferEncoding),
            18 => (b"proxy-authenticate", Self::HopByHop),
            19 => (b"proxy-authorization", Self::HopByHop),
            _ => return Self::Other,
        };
        if name.eq_ignore_ascii_case(candidate) { known } else { Self::Other }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn of(range: Range<usize>) -> Self {
        // Heads are far shorter than 4 GiB: `Limits::bytes`.
        Self {
            start: u32::try_from(range.start).unwrap_or(u32::MAX),
            end: u32::try_from(range.end).unwrap_or(u32::MAX),
        }
    }

    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    name: Span,
    value: Span,
    known: Known,
}

/// One field line. Its value has no white space around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    pub name: &'a [u8],
    pub value: &'a [u8],
    pub known: Known,
}

/// Field lines. Filled again and again, it keeps its room.
#[derive(Debug, Default)]
pub struct Fields {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl Fields {
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
    }

    /// Gives the room back.
    pub fn shrink(&mut self) {
        *self = Self::default();
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Line<'_>> {
        self.entries.iter().map(|entry| Line {
            name: &self.bytes[entry.name.range()],
            value: &self.bytes[entry.value.range()],
            known: entry.known,
        })
    }

    /// The values of all lines of a name, which is written in small letters.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |line| line.name.eq_ignore_ascii_case(name.as_bytes())).map(|line| line.value)
    }

    /// The value of the first line of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|line| line.name.eq_ignore_ascii_case(name.as_bytes())).map(|line| line.value)
    }

    /// The elements of all lines of a known name whose value is a list (RFC 9110 section 5.6.1).
    pub fn elements(&self, known: Known) -> impl Iterator<Item = &[u8]> {
        self.iter().filter(move |line| line.known == known).flat_map(|line| elements(line.value))
    }

    /// Keeps the two words of a request line, and says where.
    pub(crate) fn begin(&mut self, method: &[u8], target: &[u8]) -> (Range<usize>, Range<usize>) {
        self.bytes.extend_from_slice(method);
        self.bytes.extend_from_slice(target);
        (0..method.len(), method.len()..self.bytes.len())
    }

    /// Adds a line. The caller vouches for both: a token, and a value without forbidden bytes.
    pub fn push(&mut self, name: &[u8], value: &[u8]) {
        let begin = self.bytes.len();
        self.bytes.extend_from_slice(name);
        let middle = self.bytes.len();
        self.bytes.extend_from_slice(value);
        let (name, value) = (Span::of(begin..middle), Span::of(middle..self.bytes.len()));
        self.entries.push(Entry { name, value, known: Known::of(&self.bytes[begin..middle]) });
    }

    /// Takes a copy of a head's bytes, and the lines that `httparse` found in it.
    pub(crate) fn fill(
        &mut self,
        head: &[u8],
        found: &[httparse::Header<'_>],
        limits: &Limits,
    ) -> Result<(), Violation> {
        self.clear();
        if found.len() > limits.fields {
            return Err(Violation::TooManyFields);
        }
        self.bytes.extend_from_slice(head);
        self.entries.reserve(found.len());
        for header in found {
            let value = header.value.trim_ascii();
            self.entries.push(Entry {
                name: Span::of(within(head, header.name.as_bytes())),
                value: Span::of(within(head, value)),
                known: Known::of(header.name.as_bytes()),
            });
        }
        Ok(())
    }

    /// The head's own bytes, of which the caller knows the places.
    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.bytes[range]
    }
}

/// Where a part of `whole` lies in it.
pub(crate) fn within(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize).min(whole.len());
    start..(start + part.len()).min(whole.len())
}

pub(crate) type Room<'a> = [MaybeUninit<httparse::Header<'a>>; MOST_FIELDS];

pub(crate) fn violation(error: httparse::Error, first_line: Violation) -> Violation {
    match error {
        httparse::Error::HeaderName => Violation::Name,
        httparse::Error::HeaderValue => Violation::Byte,
        httparse::Error::NewLine => Violation::LineEnd,
        httparse::Error::TooManyHeaders => Violation::TooManyFields,
        httparse::Error::Version => Violation::Version,
        httparse::Error::Status | httparse::Error::Token => first_line,
    }
}

/// The elements of a list, without white space around them and without empty ones.
pub(crate) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// RFC 9110 section 5.6.2.
#[must_use]
pub fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// A `Content-Length` of up to 18 digits and nothing else: no sign, no list (RFC 9112 section 6.3, rule 5).
#[must_use]
pub fn content_length(value: &[u8]) -> Option<u64> {
    let digits = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    digits.then(|| value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_any_case_and_whole() {
        assert_eq!(Known::of(b"CONTENT-length"), Known::ContentLength);
        assert_eq!(Known::of(b"Trailer"), Known::Trailer);
        assert_eq!(Known::of(b"UPGRADE"), Known::Upgrade);
        assert_eq!(Known::of(b"upgrad_"), Known::Other);
        assert_eq!(Known::of(b"content_length"), Known::Other);
        assert_eq!(Known::of(b""), Known::Other);
    }

    #[test]
    fn lengths_are_digits_and_nothing_else() {
        assert_eq!(content_length(b"0"), Some(0));
        assert_eq!(content_length(b"999999999999999999"), Some(999_999_999_999_999_999));
        for bad in ["", "+1", "-1", " 1", "1,1", "0x1", "1.0", "1_0", "1000000000000000000"] {
            assert_eq!(content_length(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn lines_are_found_and_split() {
        let mut fields = Fields::default();
        fields.push(b"Connection", b"close, ,X-A");
        fields.push(b"connection", b"Upgrade");
        fields.push(b"x-a", b"1");
        assert_eq!(fields.elements(Known::Connection).collect::<Vec<_>>(), [&b"close"[..], b"X-A", b"Upgrade"]);
        assert_eq!((fields.get("x-a"), fields.get("x-b"), fields.len()), (Some(&b"1"[..]), None, 3));
        assert_eq!(fields.all("connection").count(), 2);
    }
}
