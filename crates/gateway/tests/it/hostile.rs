//! Backends that answer what nobody should: the visitor gets a 502, or an end that cannot be taken for a whole answer, and the
//! connection is never used again.

use crate::support::backend::Backend;
use crate::support::gateway::serve;
use crate::support::http::{exchange, read_head, read_response, status};
use crate::support::{connect, wait_for};
use std::io::{Read as _, Write as _};
use std::time::Duration;

/// Answers each connection's first request with these bytes, and then waits for another request.
fn answering(bytes: impl Into<Vec<u8>>) -> Backend {
    let bytes = bytes.into();
    Backend::raw(move |mut stream| {
        if read_head(&mut stream).is_some() {
            let _ = stream.write_all(&bytes);
            let _ = stream.read(&mut [0; 1]);
        }
    })
}

/// Twice, as two visitors.
fn ask_twice(port: u16) -> [String; 2] {
    std::array::from_fn(|_| exchange(port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
}

#[test]
fn heads_that_are_none_are_502() {
    let many: String = (0..300).map(|index| format!("X-{index}: y\r\n")).collect();
    let long = "x".repeat(140 * 1024);
    for head in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nok".to_owned(),
        "HTTP/1.1 200 OK\r\nX: y\r\n folded\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nX : y\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nSet-Cookie: a\rX: b\r\n\r\n".to_owned(),
        "HTTP/1.1 20 OK\r\n\r\n".to_owned(),
        "HTTP/1.1 1000 OK\r\n\r\n".to_owned(),
        "HTTP/1.1 099 OK\r\n\r\n".to_owned(),
        "HTTP/2.0 200 OK\r\n\r\n".to_owned(),
        "\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        "ICY 200 OK\r\n\r\n".to_owned(),
        "\0\0\0\0\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
        format!("HTTP/1.1 200 OK\r\nX: {long}\r\n\r\n"),
        "HTTP/1.1 100 Continue\r\n\r\n".repeat(40),
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(40),
    ] {
        let backend = answering(head.as_bytes());
        let served = serve(&backend);
        for answer in ask_twice(served.port) {
            let last = answer.rfind("HTTP/1.1 ").map(|at| &answer[at..]).unwrap_or_default();
            assert_eq!(status(last), 502, "{:?}: {answer}", &head[..head.len().min(90)]);
        }
        assert_eq!(backend.connections(), 2, "{:?}: never used again", &head[..head.len().min(90)]);
    }
}

#[test]
fn what_comes_behind_an_answer_is_nobodys() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        "HTTP/1.1 204 No Content\r\n\r\nevil",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nevil",
    ] {
        let backend = answering(answer);
        let served = serve(&backend);
        for answer in ask_twice(served.port) {
            assert!(!answer.contains("evil") && [200, 204, 304].contains(&status(&answer)), "{answer}");
        }
        assert_eq!(backend.connections(), 2, "{answer:?}");
    }
}

#[test]
fn bytes_that_nobody_asked_for_end_a_connection_at_rest() {
    let backend = Backend::raw(|mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        std::thread::sleep(Duration::from_millis(100));
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
        let _ = stream.read(&mut [0; 1]);
    });
    let served = serve(&backend);
    let mut visitor = connect(served.port);
    for _ in 0..2 {
        visitor.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert_eq!(read_response(&mut visitor).1, b"ok");
        std::thread::sleep(Duration::from_millis(300));
    }
    assert_eq!(backend.connections(), 2);
}

#[test]
fn half_an_answer_cannot_be_taken_for_a_whole_one() {
    for (answer, of_chunks) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", false),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nnonsense\r\n", true),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\n0\r\n\r\n", true),
    ] {
        let backend = Backend::raw(move |mut stream| {
            read_head(&mut stream);
            let _ = stream.write_all(answer.as_bytes());
        });
        let served = serve(&backend);
        let mut visitor = connect(served.port);
        visitor.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let mut got = Vec::new();
        let _ = visitor.read_to_end(&mut got);
        let got = String::from_utf8_lossy(&got);
        // What breaks before anything was passed on is no answer at all.
        assert!(status(&got) == 502 || (got.contains("half") && !got.contains("nonsense")), "{got}");
        assert!(!of_chunks || !got.contains("\r\n0\r\n"), "{got}");
        served.gateway.wait_log(if status(&got) == 502 { "status=502" } else { "backend broke off" });
    }
}

#[test]
fn a_reset_is_an_end_of_its_own() {
    let backend = Backend::raw(|mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nhalf");
        let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    });
    let served = serve(&backend);
    let mut visitor = connect(served.port);
    visitor.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut got = Vec::new();
    let _ = visitor.read_to_end(&mut got);
    assert!(got.len() < 1_000_000);
    wait_for("another connection", || {
        (status(&exchange(served.port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")) == 200).then_some(())
    });
}
