//! Requests that two parsers could read differently (RFC 9112; the published classes of request smuggling). Each is sent raw, with
//! another request behind it. What counts is what the BACKEND received: of a refused one nothing, and nothing of what stands
//! behind it; of an accepted one exactly one message, re-encoded, and then the one behind it.

use crate::support::backend::Backend;
use crate::support::connect;
use crate::support::gateway::serve;
use crate::support::http::status;
use proxima_http1::{Chunked, Fields, Framing, Limits, Piece, RequestHead, Scan};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};

const LIMITS: Limits = Limits { bytes: 128 * 1024, request_line: 64 * 1024, fields: 256 };
const BEHIND: &str = "GET /behind HTTP/1.1\r\nHost: a\r\n\r\n";

/// One message as the backend read it: first line, fields in lower case, body.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Message {
    line: String,
    fields: Vec<(String, String)>,
    body: String,
}

impl Message {
    fn field(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str()).collect()
    }
}

/// A backend that reads strictly, and keeps all that it reads; what it cannot read is kept as `MALFORMED`.
struct Witness {
    backend: Backend,
    seen: Arc<Mutex<Vec<Message>>>,
}

impl Witness {
    fn start() -> Self {
        let seen: Arc<Mutex<Vec<Message>>> = Arc::default();
        let keeps = Arc::clone(&seen);
        let backend = Backend::raw(move |mut stream| {
            let mut bytes = Vec::new();
            while let Some(message) = read_message(&mut stream, &mut bytes) {
                keeps.lock().unwrap().push(message);
                if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
                    return;
                }
            }
        });
        Self { backend, seen }
    }

    fn take(&self) -> Vec<Message> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> bool {
    let mut part = [0; 4096];
    match stream.read(&mut part) {
        Ok(read @ 1..) => {
            bytes.extend_from_slice(&part[..read]);
            true
        }
        _ => false,
    }
}

fn read_message(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Message> {
    let malformed =
        |why: String| Some(Message { line: format!("MALFORMED {why}"), fields: Vec::new(), body: String::new() });
    let (mut scan, mut head) = (Scan::default(), RequestHead::default());
    let (start, end) = loop {
        match scan.look(bytes, &LIMITS) {
            Ok(Some(found)) => break found,
            Ok(None) if more(stream, bytes) => {}
            Ok(None) if bytes.is_empty() => return None,
            Ok(None) => return malformed(format!("half a head: {:?}", String::from_utf8_lossy(bytes))),
            Err(violation) => return malformed(violation.to_string()),
        }
    };
    if let Err(violation) = head.parse(&bytes[start..end], &LIMITS) {
        return malformed(format!("{violation}: {:?}", String::from_utf8_lossy(&bytes[start..end])));
    }
    bytes.drain(..end);
    let mut body = Vec::new();
    match head.framing() {
        Framing::Empty | Framing::UntilClose => {}
        Framing::Length(length) => {
            let length = usize::try_from(length).unwrap();
            while bytes.len() < length {
                if !more(stream, bytes) {
                    return malformed("half a body".to_owned());
                }
            }
            body.extend(bytes.drain(..length));
        }
        Framing::Chunked => {
            let (mut chunked, mut trailers) = (Chunked::default(), Fields::default());
            loop {
                match chunked.next(bytes, &LIMITS, &mut trailers) {
                    Ok(Piece::Framing(taken)) => drop(bytes.drain(..taken)),
                    Ok(Piece::Data(range)) => body.extend(bytes.drain(range)),
                    Ok(Piece::End(taken)) => {
                        bytes.drain(..taken);
                        break;
                    }
                    Ok(Piece::More) if more(stream, bytes) => {}
                    Ok(Piece::More) => return malformed("half a chunked body".to_owned()),
                    Err(violation) => return malformed(violation.to_string()),
                }
            }
        }
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let fields = head.fields().iter().map(|line| (text(line.name).to_lowercase(), text(line.value))).collect();
    Some(Message { line: format!("{} {}", text(head.method_name()), text(head.target())), fields, body: text(&body) })
}

/// Sends a case and what stands behind it, and returns all that comes back.
fn visit(port: u16, case: &[u8]) -> String {
    let mut visitor = connect(port);
    let _ = visitor.write_all(&[case, BEHIND.as_bytes()].concat());
    let _ = visitor.shutdown(Shutdown::Write);
    let mut answers = Vec::new();
    let _ = visitor.read_to_end(&mut answers);
    String::from_utf8_lossy(&answers).into_owned()
}

/// A POST with these lines beside its `Host`, and this body.
fn post(lines: &str, body: &str) -> Vec<u8> {
    format!("POST /case HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}").into_bytes()
}

/// A POST in chunks with this body.
fn chunks(body: &str) -> Vec<u8> {
    post("Transfer-Encoding: chunked\r\n", body)
}

/// CL.TE, TE.CL, TE.TE and mutations of the coding and of its field's name.
const CODINGS: &[&str] = &[
    "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: xchunked\r\n",
    "Transfer-Encoding: chunkedx\r\n",
    "Transfer-Encoding: chunk\r\n",
    "Transfer-Encoding: chunked, identity\r\n",
    "Transfer-Encoding: identity, chunked\r\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: chunked, chunked\r\n",
    "Transfer-Encoding: chunked,\r\n",
    "Transfer-Encoding: ,chunked\r\n",
    "Transfer-Encoding: chunked;q=1\r\n",
    "Transfer-Encoding: \"chunked\"\r\n",
    "Transfer-Encoding: 'chunked'\r\n",
    "Transfer-Encoding: gzip\r\n",
    "Transfer-Encoding: identity\r\n",
    "Transfer-Encoding: cow\r\n",
    "Transfer-Encoding:\r\n",
    "Transfer-Encoding: \u{b}chunked\r\n",
    "Transfer-Encoding: \u{c}chunked\r\n",
    "Transfer-Encoding: chunked\0\r\n",
    "Transfer-Encoding: chunked\u{b}\r\n",
    "Transfer-Encoding: chunked\u{7f}\r\n",
    "Transfer-Encoding: ch\u{fc}nked\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Transfer-Encoding\t: chunked\r\n",
    "Transfer-Encoding chunked\r\n",
    " Transfer-Encoding: chunked\r\n",
    "\tTransfer-Encoding: chunked\r\n",
    "X: y\r\n Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding:\r\n chunked\r\n",
    "Transfer-Encoding: chun\r\n ked\r\n",
    "X: y\nTransfer-Encoding: chunked\r\n",
    "X: y\rTransfer-Encoding: chunked\r\n",
    "X: y\0\r\nTransfer-Encoding: chunked\r\n",
    "Transfer_Encoding: chunked\r\n",
    "transfer_encoding: chunked\r\nContent-Length: 5\r\n",
    "Transfer-Encoding: chunked\nX: y\r\n",
    "\u{0}Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding\u{0}: chunked\r\n",
    "\u{feff}Transfer-Encoding: chunked\r\n",
    "(Transfer-Encoding): chunked\r\n",
    "Transfer Encoding: chunked\r\n",
];

/// `Content-Length` repeated, listed, signed, padded, in other bases, too long, misspelt.
const LENGTHS: &[&str] = &[
    "Content-Length: 5\r\nContent-Length: 5\r\n",
    "Content-Length: 5\r\nContent-Length: 6\r\n",
    "Content-Length: 5\r\nX: y\r\ncontent-length: 0\r\n",
    "Content-Length: 5, 5\r\n",
    "Content-Length: 5,\r\n",
    "Content-Length: +5\r\n",
    "Content-Length: -5\r\n",
    "Content-Length: 0x5\r\n",
    "Content-Length: 5.0\r\n",
    "Content-Length: 5e0\r\n",
    "Content-Length: 5 5\r\n",
    "Content-Length: 5_0\r\n",
    "Content-Length: five\r\n",
    "Content-Length:\r\n",
    "Content-Length: \"5\"\r\n",
    "Content-Length: 5;\r\n",
    "Content-Length: 5\0\r\n",
    "Content-Length: \u{b}5\r\n",
    "Content-Length: 18446744073709551621\r\n",
    "Content-Length: 9223372036854775808\r\n",
    "Content-Length: 1000000000000000000000000\r\n",
    "Content-Length : 5\r\n",
    "Content-Length\t: 5\r\n",
    " Content-Length: 5\r\n",
    "Content-Length:\r\n 5\r\n",
    "Content_Length: 5\r\n",
    "X: y\nContent-Length: 5\r\n",
    "Content-Length: 5\nX: y\r\n",
    "Content-Length: 5\r\r\n",
    "Content Length: 5\r\n",
];

/// Names and values of fields.
const FIELDS: &[&str] = &[
    ": y\r\n",
    "X\r\n",
    "X y\r\n",
    "X : y\r\n",
    "X(: y\r\n",
    "X\": y\r\n",
    "X/: y\r\n",
    "X\u{7f}: y\r\n",
    "X\u{e9}: y\r\n",
    "X: a\u{1}b\r\n",
    "X: a\u{7f}b\r\n",
    "X: a\0b\r\n",
    "X: a\rb\r\n",
    "X: a\nb\r\n",
    "X: y\r\n folded\r\n",
    "X: y\r\n\tfolded\r\n",
    "X: y\r\n \r\n",
];

const FIRST_LINES: &[(&str, u16)] = &[
    ("GET  /case HTTP/1.1", 400),
    ("GET /case  HTTP/1.1", 400),
    ("GET\t/case HTTP/1.1", 400),
    ("GET /case\tHTTP/1.1", 400),
    (" GET /case HTTP/1.1", 400),
    ("GET /case HTTP/1.1 ", 400),
    ("GET /case HTTP/1.1\t", 400),
    ("GET /case", 400),
    ("GET", 400),
    ("GET /ca se HTTP/1.1", 400),
    ("GET /case HTTP/1.2", 505),
    ("GET /case HTTP/2.0", 505),
    ("GET /case HTTP/0.9", 505),
    ("GET /case HTTP/11", 400),
    ("GET /case HTTP/1.1.1", 400),
    ("GET /case http/1.1", 400),
    ("GET /case HTTPS/1.1", 400),
    ("GET /ca\0se HTTP/1.1", 400),
    ("GET /ca\u{1}se HTTP/1.1", 400),
    ("GET /ca\u{7f}se HTTP/1.1", 400),
    ("G(T /case HTTP/1.1", 400),
    ("G\0T /case HTTP/1.1", 400),
    ("GET /case#fragment HTTP/1.1", 400),
    ("GET case HTTP/1.1", 400),
    ("GET * HTTP/1.1", 400),
    ("GET a:80 HTTP/1.1", 400),
    ("GET ftp://a/ HTTP/1.1", 400),
    ("GET http:/// HTTP/1.1", 400),
    ("GET http://u@a/ HTTP/1.1", 400),
    ("GET http://a\\@b/ HTTP/1.1", 400),
    ("CONNECT a:80 HTTP/1.1", 405),
    ("TRACE /case HTTP/1.1", 405),
];

/// Whose it is.
const HOSTS: &[&str] = &[
    "",
    "Host: a\r\nHost: a\r\n",
    "Host: a\r\nHost: b\r\n",
    "Host: a, b\r\n",
    "Host: a b\r\n",
    "Host:\r\n",
    "Host: a@b\r\n",
    "Host: a/b\r\n",
    "Host: a?b\r\n",
    "Host: a#b\r\n",
    "Host: a\\b\r\n",
    "Host: a:b\r\n",
    "Host: [::1\r\n",
    "Host : a\r\n",
    "Host: a\0\r\n",
];

/// Line ends that are none, and HTTP/1.0, which knows no chunks.
const WHOLE: &[&[u8]] = &[
    b"GET /case HTTP/1.1\nHost: a\n\n",
    b"GET /case HTTP/1.1\r\nHost: a\n\r\n",
    b"GET /case HTTP/1.1\rHost: a\r\r",
    b"GET /case HTTP/1.1\r\r\nHost: a\r\n\r\n",
    b"\nGET /case HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\n\r\n\r\nGET /case HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\0GET /case HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /case HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /case HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
];

/// All that is refused, with its status.
fn refused() -> Vec<(Vec<u8>, u16)> {
    let codings = CODINGS.iter().map(|lines| (post(lines, "5\r\nhello\r\n0\r\n\r\n"), 400));
    let lengths = LENGTHS.iter().map(|lines| (post(lines, "hello"), 400));
    let fields = FIELDS.iter().map(|lines| (post(lines, ""), 400));
    let first = FIRST_LINES.iter().map(|(line, code)| (format!("{line}\r\nHost: a\r\n\r\n").into_bytes(), *code));
    let hosts = HOSTS.iter().map(|hosts| (format!("GET /case HTTP/1.1\r\n{hosts}\r\n").into_bytes(), 400));
    let whole = WHOLE.iter().map(|whole| (whole.to_vec(), 400));
    codings.chain(lengths).chain(fields).chain(first).chain(hosts).chain(whole).collect()
}

/// Chunks that cannot be read: the request had begun, so its head may have reached the backend, but never its end.
const BAD_CHUNKS: [&str; 32] = [
    "\r\n",
    "g\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "-5\r\nhello\r\n0\r\n\r\n",
    " 5\r\nhello\r\n0\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    "5_0\r\nhello\r\n0\r\n\r\n",
    "\t5\r\nhello\r\n0\r\n\r\n",
    "5\t\r\nhello\r\n0\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "5\rhello\r\n0\r\n\r\n",
    "5\r\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhello\r0\r\n\r\n",
    "5\r\nhello0\r\n\r\n",
    "5\r\nhelloX\r\n0\r\n\r\n",
    "4\r\nhello\r\n0\r\n\r\n",
    "6\r\nhello\r\n0\r\n\r\n",
    "5;a\nb\r\nhello\r\n0\r\n\r\n",
    "5;a\0\r\nhello\r\n0\r\n\r\n",
    "5;a\rb\r\nhello\r\n0\r\n\r\n",
    "5,a\r\nhello\r\n0\r\n\r\n",
    "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
    "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n0\n\r\n",
    "5\r\nhello\r\n0\r\n\n",
    "5\r\nhello\r\n0\r\nX : y\r\n\r\n",
    "5\r\nhello\r\n0\r\n X: y\r\n\r\n",
    "5\r\nhello\r\n0\r\nX\r\n\r\n",
    "5\r\nhello\r\n0\r\nX: y\n\r\n",
    "5\r\nhello\r\n0\r\nX: a\0b\r\n\r\n",
];

#[test]
fn what_can_be_read_in_two_ways_never_reaches_a_backend() {
    let witness = Witness::start();
    let served = serve(&witness.backend);
    let cases = refused();
    assert!(cases.len() >= 120, "{}", cases.len());
    for (case, code) in cases {
        let shown = String::from_utf8_lossy(&case).into_owned();
        let answers = visit(served.port, &case);
        assert_eq!(
            answers.matches("HTTP/1.1 ").count(),
            1,
            "one answer, and the connection ends: {shown:?}: {answers}"
        );
        assert_eq!(status(&answers), code, "{shown:?}: {answers}");
        assert_eq!(witness.take(), [], "{shown:?}");
    }
}

#[test]
fn what_breaks_in_its_body_never_reaches_its_end() {
    let witness = Witness::start();
    let served = serve(&witness.backend);
    for body in BAD_CHUNKS {
        let answers = visit(served.port, &chunks(body));
        assert!(answers.matches("HTTP/1.1 ").count() <= 1, "{body:?}: {answers}");
        assert!(answers.is_empty() || status(&answers) == 400, "{body:?}: {answers}");
        let seen = witness.take();
        assert!(
            seen.iter().all(|message| message.line.starts_with("MALFORMED half a chunked body")),
            "{body:?}: {seen:?}"
        );
    }
}

#[test]
fn what_is_accepted_is_one_message_for_the_backend_too() {
    let witness = Witness::start();
    let served = serve(&witness.backend);
    for (case, line, body) in [
        (post("Content-Length: 5\r\n", "hello"), "POST /case", "hello"),
        (post("content-length: 05\r\n", "hello"), "POST /case", "hello"),
        (post("Content-Length: \t5 \r\n", "hello"), "POST /case", "hello"),
        (post("Content-Length: 0\r\n", ""), "POST /case", ""),
        (post("", ""), "POST /case", ""),
        (chunks("0\r\n\r\n"), "POST /case", ""),
        (chunks("5\r\nhello\r\n0\r\n\r\n"), "POST /case", "hello"),
        (chunks("05\r\nhello\r\n00\r\n\r\n"), "POST /case", "hello"),
        (chunks("5;ext=\"a\"\r\nhello\r\n0;x\r\n\r\n"), "POST /case", "hello"),
        (chunks("5 ;ext\r\nhello\r\n0\r\n\r\n"), "POST /case", "hello"),
        (chunks("a\r\n0\r\n\r\nGET /\r\n0\r\nX: y\r\n\r\n"), "POST /case", "0\r\n\r\nGET /"),
        (post("TRANSFER-ENCODING: Chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"), "POST /case", "hello"),
        (post("Connection: Content-Length\r\nContent-Length: 5\r\n", "hello"), "POST /case", "hello"),
        (post("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"), "POST /case", "hello"),
        (post("Connection: Host\r\n", ""), "POST /case", ""),
        (post("Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"), "POST /case", "hello"),
        (b"GET /case HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello".to_vec(), "GET /case", "hello"),
        (b"\r\nGET /case HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), "GET /case", ""),
        (b"GET http://a/case HTTP/1.1\r\nHost: b\r\n\r\n".to_vec(), "GET /case", ""),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), "OPTIONS *", ""),
        (b"GET /case HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: x\r\n\r\n".to_vec(), "GET /case", ""),
        (b"GET /%0d%0aX:%20y HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), "GET /%0d%0aX:%20y", ""),
    ] {
        let shown = String::from_utf8_lossy(&case).into_owned();
        let answers = visit(served.port, &case);
        assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 2, "{shown:?}: {answers}");
        let seen = witness.take();
        let lines: Vec<_> = seen.iter().map(|message| message.line.as_str()).collect();
        assert_eq!(lines, [line, "GET /behind"], "{shown:?}");
        assert_eq!((seen[0].body.as_str(), seen[1].body.as_str()), (body, ""), "{shown:?}");
        assert_eq!(seen[0].field("host"), ["a"], "{shown:?}");
        let framing = seen[0].field("content-length").len() + seen[0].field("transfer-encoding").len();
        assert!(framing <= 1, "{shown:?}: {:?}", seen[0]);
        for gone in ["connection", "upgrade", "http2-settings", "expect", "x"] {
            assert_eq!(seen[0].field(gone), Vec::<&str>::new(), "{gone} of {shown:?}");
        }
    }
}
