//! Limits of time, with short flags; and the limit of connections.

use crate::support::backend::Backend;
use crate::support::gateway::serve_with;
use crate::support::http::{get, ok, read_head, read_response, status};
use crate::support::{PATIENCE, connect, wait_for};
use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

/// Whether the other side closes, in any way.
fn closes(stream: &mut std::net::TcpStream) -> bool {
    let end = Instant::now() + PATIENCE;
    let mut sink = [0; 1024];
    while Instant::now() < end {
        match stream.read(&mut sink) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
    false
}

#[test]
fn a_backend_that_does_not_answer_is_a_504() {
    let backend = Backend::raw(|mut stream| {
        read_head(&mut stream);
        std::thread::sleep(PATIENCE);
    });
    let served = serve_with(&backend.url(), &["--backend-header-seconds", "0.4"]);
    assert_eq!(status(&get(served.port, "/")), 504);
    served.dashboard.wait_beat("the counter", |beat| beat.request.counters.backend_errors == 1);
}

#[test]
fn a_slow_visitor_is_not_the_backends_fault() {
    let backend = Backend::new(|_, body| ok(std::str::from_utf8(body).unwrap()));
    let served = serve_with(&backend.url(), &["--backend-header-seconds", "0.3"]);
    let mut visitor = connect(served.port);
    visitor.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n").unwrap();
    for byte in b"slow!" {
        std::thread::sleep(Duration::from_millis(400));
        visitor.write_all(&[*byte]).unwrap();
    }
    let (head, body) = read_response(&mut visitor);
    assert_eq!((status(&head), body.as_slice()), (200, b"slow!".as_slice()));
}

#[test]
fn slow_heads_idle_connections_and_stalled_bodies_are_closed() {
    let backend = Backend::new(|_, _| ok("hello"));
    let served = serve_with(
        &backend.url(),
        &["--header-read-seconds", "0.5", "--keep-alive-seconds", "0.5", "--visitor-stall-seconds", "0.5"],
    );
    let mut silent = connect(served.port);
    assert!(closes(&mut silent), "not a byte of a head");
    let mut slow = connect(served.port);
    slow.write_all(b"GET / HTTP/1.1\r\nHo").unwrap();
    assert!(closes(&mut slow), "half a head");
    let mut idle = connect(served.port);
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!(read_response(&mut idle).1, b"hello");
    assert!(closes(&mut idle), "idle after a response");
    let mut stalled = connect(served.port);
    stalled.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe").unwrap();
    assert!(closes(&mut stalled), "half a body");
}

#[test]
fn a_head_in_drops_has_one_limit_for_the_whole() {
    let backend = Backend::saying("hello");
    let served = serve_with(&backend.url(), &["--header-read-seconds", "1"]);
    let mut visitor = connect(served.port);
    let end = Instant::now() + PATIENCE;
    while visitor.write_all(b"GET / HTTP/1.1\r\nX: y\r\n".get(..1).unwrap()).is_ok() {
        assert!(Instant::now() < end, "a head in drops is waited for without end");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn waiting_for_a_slow_backend_is_not_idleness() {
    let backend = Backend::new(|_, _| {
        std::thread::sleep(Duration::from_millis(1500));
        ok("late")
    });
    let served = serve_with(&backend.url(), &["--keep-alive-seconds", "0.3", "--header-read-seconds", "0.3"]);
    assert!(get(served.port, "/").ends_with("late"));
}

#[test]
fn a_visitor_who_reads_nothing_is_closed() {
    let backend = Backend::raw(|mut stream| {
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        while stream.write_all(&[b'x'; 65_536]).is_ok() {}
    });
    let served = serve_with(&backend.url(), &["--visitor-stall-seconds", "0.5"]);
    let mut visitor = connect(served.port);
    visitor.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    served.gateway.wait_log("aborted");
}

#[test]
fn connections_over_the_limit_are_closed() {
    let backend = Backend::saying("hello");
    let served = serve_with(&backend.url(), &["--max-connections", "2"]);
    wait_for("the waiting test's own connections to go", || {
        let mut first = connect(served.port);
        first.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").ok()?;
        read_head(&mut first).map(|_| ())
    });
    let admitted = |stream: &mut std::net::TcpStream| {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").is_ok() && read_head(stream).is_some()
    };
    let mut kept = wait_for("two connections", || {
        let (mut first, mut second) = (connect(served.port), connect(served.port));
        (admitted(&mut first) && admitted(&mut second)).then_some((first, second))
    });
    let mut third = connect(served.port);
    assert!(closes(&mut third));
    drop(kept.1);
    wait_for("a slot", || admitted(&mut connect(served.port)).then_some(()));
    let _ = read_exactly_four(&mut kept.0);
}

fn read_exactly_four(stream: &mut std::net::TcpStream) -> Vec<u8> {
    crate::support::http::read_exactly(stream, 4)
}
