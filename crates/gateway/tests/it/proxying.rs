//! Requests and responses on their way through.

use crate::support::backend::Backend;
use crate::support::gateway::{serve, serve_with};
use crate::support::http::{exchange, field, fields, get, ok, read_exactly, read_head, read_response, status};
use crate::support::{connect, free_port, wait_for};
use std::io::{Read as _, Write as _};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

#[test]
fn heads_are_re_encoded() {
    let backend = Backend::new(|_, _| {
        "HTTP/1.1 203 Fine\r\nContent-Length: 2\r\nConnection: X-Secret\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\n\
         X-Kept: yes\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nok"
            .to_owned()
    });
    let served = serve(&backend);
    let response = exchange(
        served.port,
        "GET /a%2Fb?q=%20x&y HTTP/1.1\r\nHost: Shop.Test:81\r\nConnection: close, X-Drop, Host, X-Forwarded-For\r\n\
         X-Drop: 1\r\nX-Keep: 1\r\nX-Keep: 2\r\nX-Forwarded-For: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n\
         X-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\nCF-Connecting-IP: 6.6.6.6\r\nX-Request-Id: mine\r\n\
         TE: trailers, deflate\r\nKeep-Alive: 300\r\nProxy: http://evil\r\nProxy-Authorization: x\r\nUpgrade: h2c\r\n\r\n",
    );
    assert_eq!(status(&response), 203);
    assert_eq!(fields(&response, "set-cookie"), ["a=1", "b=2"]);
    assert_eq!(field(&response, "x-kept"), Some("yes"));
    for gone in ["x-secret", "keep-alive", "server", "via", "proxima-loop"] {
        assert_eq!(field(&response, gone), None, "{gone}");
    }
    assert!(field(&response, "x-request-id").is_some());

    let head = backend.last_head();
    assert!(head.starts_with("GET /a%2Fb?q=%20x&y HTTP/1.1\r\n"), "{head}");
    assert_eq!(fields(&head, "host"), ["Shop.Test:81"]);
    assert_eq!(fields(&head, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(fields(&head, "x-real-ip"), ["127.0.0.1"]);
    assert_eq!(fields(&head, "x-forwarded-proto"), ["http"]);
    assert_eq!(fields(&head, "x-forwarded-host"), ["Shop.Test:81"]);
    assert_eq!(fields(&head, "x-keep"), ["1", "2"]);
    assert_eq!(fields(&head, "te"), ["trailers"]);
    assert_eq!(field(&head, "x-request-id"), field(&response, "x-request-id"));
    for gone in [
        "x-drop",
        "forwarded",
        "cf-connecting-ip",
        "x_forwarded_for",
        "keep-alive",
        "proxy",
        "proxy-authorization",
        "upgrade",
        "via",
    ] {
        assert_eq!(field(&head, gone), None, "{gone} in {head}");
    }
}

#[test]
fn absolute_targets_and_http_1_0() {
    let backend = Backend::saying("hello");
    let served = serve(&backend);
    exchange(served.port, "GET http://b.test/x?y HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
    assert!(backend.last_head().starts_with("GET /x?y HTTP/1.1"));
    assert_eq!(fields(&backend.last_head(), "host"), ["b.test"]);
    let response = exchange(served.port, "GET / HTTP/1.0\r\n\r\n");
    assert!(response.ends_with("hello"), "{response}");
    assert_eq!(fields(&backend.last_head(), "host").len(), 1, "{}", backend.last_head());
}

#[test]
fn a_response_streams_chunk_by_chunk() {
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let backend = Backend::raw(move |mut stream| {
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        for part in ["one", "two", "end"] {
            stream.write_all(format!("3\r\n{part}\r\n").as_bytes()).unwrap();
            wait.lock().unwrap().recv().unwrap();
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
    });
    let served = serve(&backend);
    let mut visitor = connect(served.port);
    visitor.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!(status(&read_head(&mut visitor).unwrap()), 200);
    for part in ["one", "two", "end"] {
        // Each arrives while the backend waits to be let on.
        assert_eq!(read_exactly(&mut visitor, 8), format!("3\r\n{part}\r\n").as_bytes());
        go.send(()).unwrap();
    }
    assert_eq!(read_exactly(&mut visitor, 5), b"0\r\n\r\n");
}

#[test]
fn a_request_streams_chunk_by_chunk_with_trailers() {
    let (seen, see) = channel::<Vec<u8>>();
    let seen = Mutex::new(seen);
    let backend = Backend::raw(move |mut stream| {
        let head = read_head(&mut stream).unwrap();
        assert_eq!(field(&head, "transfer-encoding"), Some("chunked"));
        for length in [8, 8] {
            seen.lock().unwrap().send(read_exactly(&mut stream, length)).unwrap();
        }
        let end = read_head(&mut stream).unwrap();
        stream
            .write_all(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n",
            )
            .unwrap();
        seen.lock().unwrap().send(end.into_bytes()).unwrap();
    });
    let served = serve(&backend);
    let mut visitor = connect(served.port);
    visitor
        .write_all(
            b"POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTrailer: X-Check\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        .unwrap();
    for part in ["one", "two"] {
        visitor.write_all(format!("3\r\n{part}\r\n").as_bytes()).unwrap();
        assert_eq!(see.recv_timeout(crate::support::PATIENCE).unwrap(), format!("3\r\n{part}\r\n").as_bytes());
    }
    visitor.write_all(b"0\r\nX-Check: 5\r\n\r\n").unwrap();
    let end = String::from_utf8(see.recv_timeout(crate::support::PATIENCE).unwrap()).unwrap();
    assert!(end.to_lowercase().contains("x-check: 5"), "{end:?}");
    assert_eq!(status(&read_head(&mut visitor).unwrap()), 200);
    let mut rest = String::new();
    let _ = visitor.set_read_timeout(Some(std::time::Duration::from_secs(2)));
    let _ = visitor.read_to_string(&mut rest);
    assert!(rest.to_lowercase().contains("x-sum: 7"), "{rest:?}");
}

#[test]
fn large_bodies_pass_both_ways_with_their_lengths() {
    const SIZE: usize = 8 * 1024 * 1024;
    let backend = Backend::new(|head, body| {
        assert_eq!(crate::support::http::content_length(head), SIZE);
        assert!(body.iter().all(|byte| *byte == b'x'));
        ok(&"y".repeat(SIZE))
    });
    let served = serve(&backend);
    let mut visitor = connect(served.port);
    visitor.write_all(format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes()).unwrap();
    visitor.write_all(&vec![b'x'; SIZE]).unwrap();
    let (head, body) = read_response(&mut visitor);
    assert_eq!(status(&head), 200);
    assert!(body.len() == SIZE && body.iter().all(|byte| *byte == b'y'));
    let beat = served.dashboard.wait_beat("the counters", |beat| beat.request.counters.bytes_in == SIZE as u64);
    assert_eq!(beat.request.counters.bytes_out, SIZE as u64);
}

#[test]
fn a_slow_reader_slows_the_backend() {
    let sent = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let backend = Backend::raw(move |mut stream| {
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        stream.set_write_timeout(Some(std::time::Duration::from_millis(700))).unwrap();
        while let Ok(written) = stream.write(&[b'x'; 65_536]) {
            if count.fetch_add(written, std::sync::atomic::Ordering::SeqCst) > 512 * 1024 * 1024 {
                break;
            }
        }
        count.fetch_or(1 << 60, std::sync::atomic::Ordering::SeqCst);
    });
    let served = serve(&backend);
    let mut visitor = connect(served.port);
    visitor.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let total = wait_for("the backend to be held up", || {
        let total = sent.load(std::sync::atomic::Ordering::SeqCst);
        (total >> 60 == 1).then_some(total & !(1 << 60))
    });
    assert!(total < 64 * 1024 * 1024, "{total} bytes were taken from the backend for a visitor who reads nothing");
}

#[test]
fn head_204_304_and_keep_alive_reuse() {
    let backend = Backend::new(|head, _| match head.split(' ').next().unwrap_or_default() {
        "HEAD" => "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n".to_owned(),
        "DELETE" => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        "OPTIONS" => "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n".to_owned(),
        _ => ok("body"),
    });
    let served = serve(&backend);
    let mut visitor = connect(served.port);
    let mut send = |method: &str, path: &str| {
        visitor.write_all(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
        let head = read_head(&mut visitor).unwrap();
        let body = if method == "GET" { read_exactly(&mut visitor, 4) } else { Vec::new() };
        (head, body)
    };
    let (head, _) = send("HEAD", "/");
    assert_eq!(field(&head, "content-length"), Some("1234"));
    assert_eq!(status(&send("DELETE", "/").0), 204);
    assert_eq!(status(&send("OPTIONS", "*").0), 304);
    for _ in 0..5 {
        assert_eq!(send("GET", "/").1, b"body");
    }
    assert_eq!(backend.requests(), 8);
    assert_eq!(backend.connections(), 1, "one backend connection, kept");
}

#[test]
fn expect_continue_is_answered() {
    let backend = Backend::new(|head, body| {
        assert_eq!(field(head, "expect"), None);
        ok(std::str::from_utf8(body).unwrap())
    });
    let served = serve(&backend);
    let mut visitor = connect(served.port);
    visitor.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n").unwrap();
    assert_eq!(status(&read_head(&mut visitor).unwrap()), 100);
    visitor.write_all(b"ping").unwrap();
    assert_eq!(read_response(&mut visitor).1, b"ping");
}

#[test]
fn a_backend_that_is_not_there_is_a_neutral_502() {
    let served = serve_with(&format!("http://127.0.0.1:{}", free_port()), &[]);
    let response = get(served.port, "/");
    assert_eq!(status(&response), 502);
    assert!(response.contains("<h1>502 Bad Gateway</h1>"), "{response}");
    let id = field(&response, "x-request-id").unwrap();
    assert!(response.split_once("\r\n\r\n").unwrap().1.contains(id));
    assert!(!response.to_lowercase().contains("proxima") && field(&response, "server").is_none(), "{response}");
    let json =
        exchange(served.port, "GET / HTTP/1.1\r\nHost: a\r\nAccept: application/json\r\nConnection: close\r\n\r\n");
    assert_eq!(field(&json, "content-type"), Some("application/json"));
    let head = exchange(served.port, "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(status(&head) == 502 && head.ends_with("\r\n\r\n"), "{head}");
    served.dashboard.wait_beat("the counter", |beat| beat.request.counters.backend_errors == 3);
}

#[test]
fn nonsense_and_resets_are_502() {
    for nonsense in
        ["", "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"]
    {
        let backend = Backend::raw(move |mut stream| {
            read_head(&mut stream);
            stream.write_all(nonsense.as_bytes()).unwrap();
        });
        let served = serve(&backend);
        assert_eq!(status(&get(served.port, "/")), 502, "{nonsense:?}");
    }
}

#[test]
fn a_stale_connection_is_retried_for_what_may_be_repeated() {
    // Answers one request per connection, then waits for the second and closes without a word.
    let backend = Backend::raw(|mut stream| {
        read_head(&mut stream);
        stream.write_all(ok("once").as_bytes()).unwrap();
        read_head(&mut stream);
    });
    let served = serve(&backend);
    for _ in 0..3 {
        let response = get(served.port, "/");
        assert!(status(&response) == 200 && response.ends_with("once"), "{response}");
    }
    assert_eq!(backend.connections(), 3);
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
    assert_eq!(status(&exchange(served.port, post)), 502, "a POST may have been acted on");
}

#[test]
fn a_request_that_comes_back_is_ended() {
    let (first, second) = (free_port(), free_port());
    let dashboard = crate::support::dashboard::Dashboard::start();
    let url = |port: u16| format!("http://127.0.0.1:{port}");
    dashboard.grants(crate::support::dashboard::desired(1, &[(first, url(second)), (second, url(first))]));
    let home = crate::support::gateway::Home::of(&dashboard);
    let _gateway = home.start();
    crate::support::wait_open(first);
    crate::support::wait_open(second);
    assert_eq!(status(&get(first, "/")), 508);
}
