//! HTTP/1 as a proxy has to read and write it: one reading of every message, or none (invariant 6).
//!
//! No I/O and no clock: bytes in, heads and pieces of bodies out. `httparse` finds the parts of a head; what two parsers
//! could read differently is refused here (RFC 9112 sections 2.2, 3, 5, 6 and 7): a line that does not end in CRLF, obsolete
//! folding, white space where none belongs, `Content-Length` twice or beside `Transfer-Encoding`, any transfer coding but
//! `chunked`, malformed chunks.

mod chunked;
mod fields;
mod framing;
mod request;
mod response;
mod scan;

pub use chunked::{Chunked, Piece};
pub use fields::{Fields, Known, Line, content_length, is_token};
pub use framing::Framing;
pub use request::{Method, RequestHead, Version};
pub use response::ResponseHead;
pub use scan::Scan;

/// What a head or a trailer section may be at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The whole, in bytes.
    pub bytes: usize,
    /// The request line, in bytes, without its CRLF.
    pub request_line: usize,
    /// Lines of fields; at most [`MOST_FIELDS`].
    pub fields: usize,
}

/// More lines of fields than any limit may allow.
pub const MOST_FIELDS: usize = 256;

/// Why a message is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    #[error("a line that does not end in CRLF")]
    LineEnd,
    #[error("a forbidden byte")]
    Byte,
    #[error("a malformed header name")]
    Name,
    #[error("a malformed request line")]
    RequestLine,
    #[error("a malformed status line")]
    StatusLine,
    #[error("a version that is not spoken")]
    Version,
    #[error("more than one Content-Length, or a malformed one")]
    ContentLength,
    #[error("Content-Length beside Transfer-Encoding")]
    Both,
    #[error("a Transfer-Encoding other than one chunked")]
    TransferEncoding,
    #[error("a malformed chunk")]
    Chunk,
    #[error("a request line that is too long")]
    RequestLineTooLong,
    #[error("a head that is too long")]
    HeadTooLong,
    #[error("too many header lines")]
    TooManyFields,
}
