//! Heads of HTTP/1 messages: however they trickle in they are judged the same, and what is accepted, written anew, is read as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proxima_http1::{Fields, Framing, Limits, Method, RequestHead, ResponseHead, Scan, Violation};

const LIMITS: Limits = Limits { bytes: 8192, request_line: 2048, fields: 64 };

/// Where a head lies: all at once and byte by byte.
fn scan(bytes: &[u8]) -> Result<Option<(usize, usize)>, Violation> {
    let at_once = Scan::default().look(bytes, &LIMITS);
    let mut scan = Scan::default();
    let trickled = (1..=bytes.len()).map(|end| scan.look(&bytes[..end], &LIMITS)).find(|one| !matches!(one, Ok(None)));
    assert_eq!(trickled.unwrap_or(Ok(None)), at_once);
    at_once
}

fn lines(fields: &Fields) -> Vec<(Vec<u8>, Vec<u8>)> {
    fields.iter().map(|line| (line.name.to_vec(), line.value.to_vec())).collect()
}

fn written(first: &[u8], fields: &Fields) -> Vec<u8> {
    let mut head = [first, b"\r\n"].concat();
    for line in fields.iter() {
        head.extend_from_slice(&[line.name, b": ", line.value, b"\r\n"].concat());
    }
    [head.as_slice(), b"\r\n"].concat()
}

/// A head that a lenient parser could not read in another way.
fn is_plain(head: &[u8]) {
    assert!(head.windows(2).all(|pair| (pair[1] == b'\n') == (pair[0] == b'\r')), "lines end in CRLF, and nothing else is one");
    assert!(!head.contains(&0));
}

fn request(head: &[u8]) {
    let mut parsed = RequestHead::default();
    if parsed.parse(head, &LIMITS).is_err() {
        return;
    }
    is_plain(head);
    assert!(!parsed.target().iter().any(|&byte| byte <= b' ' || byte == 0x7f));
    let version: &[u8] = if parsed.version == proxima_http1::Version::Http10 { b"HTTP/1.0" } else { b"HTTP/1.1" };
    let first = [parsed.method_name(), b" ", parsed.target(), b" ", version].concat();
    let mut again = RequestHead::default();
    again.parse(&written(&first, parsed.fields()), &Limits { bytes: usize::MAX, ..LIMITS }).expect("what was written is read");
    assert_eq!((again.framing(), again.keeps_alive(), lines(again.fields())), (parsed.framing(), parsed.keeps_alive(), lines(parsed.fields())));
    assert_ne!(parsed.framing(), Framing::UntilClose, "a request's end is always known");
}

fn response(head: &[u8]) {
    let mut parsed = ResponseHead::default();
    if parsed.parse(head, &LIMITS).is_err() {
        return;
    }
    is_plain(head);
    let version = if parsed.version == proxima_http1::Version::Http10 { "1.0" } else { "1.1" };
    let first = format!("HTTP/{version} {} ", parsed.status);
    let mut again = ResponseHead::default();
    again.parse(&written(first.as_bytes(), parsed.fields()), &LIMITS).expect("what was written is read");
    for method in [Method::Get, Method::Head] {
        assert_eq!(again.framing(method), parsed.framing(method));
    }
    assert_eq!(lines(again.fields()), lines(parsed.fields()));
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some((start, end))) = scan(bytes) {
        request(&bytes[start..end]);
        response(&bytes[start..end]);
    }
});
