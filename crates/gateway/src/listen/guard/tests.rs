use super::*;

/// What the guard makes of a stream, cut at every `step` bytes: the heads, or the violation.
fn run(stream: &[u8], step: usize) -> Result<usize, Violation> {
    let mut guard = Guard::default();
    let mut heads = 0;
    for part in stream.chunks(step) {
        let mut part = part;
        loop {
            match guard.feed(part) {
                Event::More => break,
                Event::Head { taken, .. } => {
                    heads += 1;
                    part = &part[taken..];
                }
                Event::Refused { violation, .. } => return Err(violation),
            }
        }
    }
    Ok(heads)
}

fn check(stream: &str, want: Result<usize, Violation>) {
    for step in [1, 2, 3, 7, 4096] {
        assert_eq!(run(stream.as_bytes(), step), want, "{stream:?} in parts of {step}");
    }
}

#[test]
fn well_formed_requests_pass_and_are_told_apart() {
    check("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.0\r\n\r\n", Ok(2));
    check("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET /GET / HTTP/1.1\r\n\r\n", Ok(2));
    check("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n", Ok(2));
    let chunked =
        "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n5;a=b\r\nGET /\r\n0A\r\n0123456789\r\n0\r\nX: y\r\n\r\n";
    check(&format!("{chunked}GET / HTTP/1.1\r\n\r\n"), Ok(2));
}

#[test]
fn ambiguous_framing_is_refused() {
    let with = |fields: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
    for (fields, violation) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", Violation::Both),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", Violation::Both),
        ("Content-Length: 5\r\nContent-Length: 5", Violation::ContentLength),
        ("Content-Length: 5\r\nContent-Length: 6", Violation::ContentLength),
        ("Content-Length: 5, 5", Violation::ContentLength),
        ("Content-Length: +5", Violation::ContentLength),
        ("Content-Length: -5", Violation::ContentLength),
        ("Content-Length: 0x5", Violation::ContentLength),
        ("Content-Length:", Violation::ContentLength),
        ("Content-Length: 9999999999999999999", Violation::ContentLength),
        ("Transfer-Encoding: gzip, chunked", Violation::TransferEncoding),
        ("Transfer-Encoding: identity", Violation::TransferEncoding),
        ("Transfer-Encoding: xchunked", Violation::TransferEncoding),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", Violation::TransferEncoding),
        ("Transfer-Encoding : chunked", Violation::Name),
        ("X: a\r\n b", Violation::Folding),
        ("X: a\r\n\tb", Violation::Folding),
        ("X Y: a", Violation::Name),
        (": a", Violation::Name),
        ("no colon", Violation::Name),
        ("X: a\nY: b", Violation::LineEnd),
        ("X: a\rY: b", Violation::Byte),
        ("X: a\0b", Violation::Byte),
        ("X: a\u{1}b", Violation::Byte),
    ] {
        check(&with(fields), Err(violation));
    }
    check("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Err(Violation::TransferEncoding));
}

#[test]
fn request_lines_are_three_words_and_a_known_version() {
    for line in ["GET /", "GET  / HTTP/1.1", "GET / HTTP/1.1 ", "GET / HTTP/2.0", "GET / http/1.1", "GET /\ta HTTP/1.1"]
    {
        check(&format!("{line}\r\n\r\n"), Err(Violation::RequestLine));
    }
    check("GET / HTTP/1.1\nHost: a\n\n", Err(Violation::LineEnd));
}

#[test]
fn malformed_chunks_are_refused() {
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (body, violation) in [
        ("5\nhello\r\n0\r\n\r\n", Violation::LineEnd),
        ("5;a\nb\r\nhello\r\n0\r\n\r\n", Violation::LineEnd),
        ("+5\r\nhello\r\n0\r\n\r\n", Violation::Chunk),
        ("0x5\r\nhello\r\n0\r\n\r\n", Violation::Chunk),
        ("\r\n", Violation::Chunk),
        ("5 x\r\nhello\r\n", Violation::Chunk),
        ("5\r\nhelloX\r\n", Violation::Chunk),
        ("5\r\nhello\n", Violation::LineEnd),
        ("10000000000000000\r\n", Violation::Chunk),
        ("0\r\nbad name: x\r\n\r\n", Violation::Name),
        ("0\r\n folded\r\n\r\n", Violation::Folding),
    ] {
        check(&format!("{head}{body}"), Err(violation));
    }
}

#[test]
fn endless_heads_and_chunk_lines_are_refused() {
    let long = "a".repeat(MAX_HEAD);
    assert_eq!(run(format!("GET / HTTP/1.1\r\nX: {long}\r\n").as_bytes(), 1000), Err(Violation::TooLong));
    let extension = "a".repeat(MAX_CHUNK_LINE);
    let stream = format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;{extension}\r\n");
    assert_eq!(run(stream.as_bytes(), 1000), Err(Violation::TooLong));
}

#[test]
fn an_offer_to_upgrade_ends_the_reading() {
    let mut guard = Guard::default();
    let stream = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n\x81\x00";
    assert_eq!(guard.feed(stream), Event::Head { taken: stream.len() - 2, may_upgrade: true });
    assert!(!guard.in_head() && !guard.in_body());
}
