//! Bodies in chunks: however they come they are read the same, and never beyond their end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proxima_http1::{Chunked, Fields, Limits, Piece, Violation};

const LIMITS: Limits = Limits { bytes: 1024, request_line: 1024, fields: 16 };

/// Content, trailers, and the bytes that were taken, when the body has ended.
type Read = Option<(Vec<u8>, Vec<(Vec<u8>, Vec<u8>)>, usize)>;

fn read(body: &[u8], step: usize) -> Result<Read, Violation> {
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
                let lines = trailers.iter().map(|line| (line.name.to_vec(), line.value.to_vec())).collect();
                return Ok(Some((content, lines, taken + bytes)));
            }
            Piece::More if given == body.len() => return Ok(None),
            Piece::More => given = (given + step).min(body.len()),
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&step, body)) = bytes.split_first() else { return };
    let whole = read(body, body.len().max(1));
    assert_eq!(read(body, usize::from(step).max(1)), whole, "in pieces of {step}");
    let Ok(Some((content, _, taken))) = whole else { return };
    assert!(content.len() < taken && taken <= body.len());
    // Written anew as one chunk it has the same content.
    let mut anew = if content.is_empty() { Vec::new() } else { format!("{:x}\r\n", content.len()).into_bytes() };
    if !content.is_empty() {
        anew.extend_from_slice(&[content.as_slice(), b"\r\n"].concat());
    }
    anew.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(read(&anew, anew.len()), Ok(Some((content, Vec::new(), anew.len()))));
});
