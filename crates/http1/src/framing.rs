//! Where a message's body ends (RFC 9112 section 6.3).

use crate::{Fields, Known, Violation, content_length};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    Empty,
    /// So many bytes, at least one.
    Length(u64),
    Chunked,
    /// With its connection: responses only.
    UntilClose,
}

/// What the fields say: at most one length, or one `chunked`, never both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Said {
    pub length: Option<u64>,
    pub chunked: bool,
}

impl Said {
    pub fn by(fields: &Fields) -> Result<Self, Violation> {
        let mut said = Self::default();
        for line in fields.iter() {
            match line.known {
                Known::ContentLength => {
                    let length = content_length(line.value).filter(|_| said.length.is_none());
                    said.length = Some(length.ok_or(Violation::ContentLength)?);
                }
                Known::TransferEncoding => {
                    if said.chunked || !line.value.eq_ignore_ascii_case(b"chunked") {
                        return Err(Violation::TransferEncoding);
                    }
                    said.chunked = true;
                }
                _ => {}
            }
        }
        if said.chunked && said.length.is_some() { Err(Violation::Both) } else { Ok(said) }
    }

    /// `otherwise` when they say nothing.
    pub fn framing(self, otherwise: Framing) -> Framing {
        match (self.length, self.chunked) {
            (_, true) => Framing::Chunked,
            (Some(0), false) => Framing::Empty,
            (Some(length), false) => Framing::Length(length),
            (None, false) => otherwise,
        }
    }
}
