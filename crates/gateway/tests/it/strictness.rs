//! What is refused rather than guessed at (invariant 6).

use crate::support::backend::Backend;
use crate::support::gateway::serve;
use crate::support::http::{exchange, ok, read_head, status};
use crate::support::{connect, wait_for};
use std::io::{Read as _, Write as _};

#[test]
fn ambiguous_requests_get_400_and_never_reach_a_backend() {
    let backend = Backend::saying("hello");
    let served = serve(&backend);
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for (fields, body) in [
        ("Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
        ("Host: a\r\nTransfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
        ("Host: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n", "hello"),
        ("Host: a\r\nContent-Length: +5\r\n", "hello"),
        ("Host: a\r\nTransfer-Encoding : chunked\r\n", "0\r\n\r\n"),
        ("Host: a\r\nX: y\r\n folded\r\n", ""),
        ("Host: a\nX: y\r\n", ""),
        ("Host: a\r\nX: a\0b\r\n", ""),
        ("", ""),
        ("Host: a\r\nHost: b\r\n", ""),
        ("Host: a b\r\n", ""),
    ] {
        let response = exchange(served.port, &format!("POST / HTTP/1.1\r\n{fields}\r\n{body}{smuggled}"));
        assert_eq!(status(&response), 400, "{fields:?}: {response}");
        assert_eq!(response.matches("HTTP/1.1").count(), 1, "closed after the refusal: {response}");
    }
    assert_eq!(status(&exchange(served.port, "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n")), 405);
    assert_eq!(status(&exchange(served.port, "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n")), 405);
    assert_eq!(backend.requests(), 0);
}

#[test]
fn a_bad_chunk_breaks_off_the_request_at_the_backend() {
    let (seen, see) = std::sync::mpsc::channel();
    let seen = std::sync::Mutex::new(seen);
    let backend = Backend::raw(move |mut stream| {
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        seen.lock().unwrap().send(String::from_utf8_lossy(&all).into_owned()).unwrap();
    });
    let served = serve(&backend);
    let mut visitor = connect(served.port);
    visitor.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").unwrap();
    wait_for("the backend", || (backend.connections() == 1).then_some(()));
    visitor.write_all(b"3\nabc\r\n0\r\n\r\n").unwrap();
    let forwarded = see.recv_timeout(crate::support::PATIENCE).unwrap();
    assert!(forwarded.contains("abc") && !forwarded.contains("\r\n0\r\n"), "{forwarded:?}");
    let mut rest = String::new();
    let _ = visitor.read_to_string(&mut rest);
    assert!(rest.is_empty() || status(&rest) == 400, "{rest}");
}

#[test]
fn oversized_heads_get_431() {
    let backend = Backend::saying("hello");
    let served = serve(&backend);
    let many: String = (0..200).map(|index| format!("X-{index}: y\r\n")).collect();
    assert_eq!(status(&exchange(served.port, &format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"))), 431);
    let long = "x".repeat(70 * 1024);
    assert_eq!(status(&exchange(served.port, &format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"))), 431);
    assert_eq!(backend.requests(), 0);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let backend = Backend::new(|head, body| {
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        ok(&format!("[{path}{}]", String::from_utf8_lossy(body)))
    });
    let served = serve(&backend);
    let response = exchange(
        served.port,
        "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
         GET /3 HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    let places: Vec<_> = ["[/1]", "[/2abc]", "[/3]", "[/4]"].iter().map(|part| response.find(part)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{response}");
}

#[test]
fn an_early_answer_to_a_large_upload_arrives_and_the_connection_closes() {
    let backend = Backend::raw(|mut stream| {
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig").unwrap();
        let mut sink = [0; 65_536];
        while stream.read(&mut sink).is_ok_and(|read| read > 0) {}
    });
    let served = serve(&backend);
    let mut visitor = connect(served.port);
    visitor.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n").unwrap();
    visitor.write_all(&[b'x'; 65_536]).unwrap();
    let (head, body) = crate::support::http::read_response(&mut visitor);
    assert_eq!((status(&head), body.as_slice()), (413, b"big".as_slice()));
    let end = std::time::Instant::now() + crate::support::PATIENCE;
    while visitor.write_all(&[b'x'; 65_536]).is_ok() {
        assert!(std::time::Instant::now() < end, "the rest of the upload is read for ever");
    }
}
