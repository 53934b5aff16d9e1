//! Upgraded connections.

use crate::support::backend::Backend;
use crate::support::gateway::{serve, serve_with};
use crate::support::http::{exchange, field, ok, read_exactly, read_head, read_response, status};
use crate::support::{connect, wait_for};
use std::io::{Read as _, Write as _};
use std::net::Shutdown;

const OFFER: &[u8] =
    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n";
const SWITCH: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Extra: 1\r\n\r\n";

/// Switches, then echoes until the end, then says bye.
fn echo() -> Backend {
    Backend::raw(|mut stream| {
        let head = read_head(&mut stream).unwrap();
        assert_eq!(field(&head, "upgrade"), Some("websocket"));
        assert_eq!(field(&head, "connection"), Some("Upgrade"));
        stream.write_all(SWITCH).unwrap();
        let mut buffer = [0; 4096];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => stream.write_all(&buffer[..read]).unwrap(),
                Err(_) => return,
            }
        }
        let _ = stream.write_all(b"bye");
    })
}

#[test]
fn a_tunnel_carries_raw_bytes_and_half_closes() {
    let backend = echo();
    let served = serve(&backend);
    let mut visitor = connect(served.port);
    // The first bytes of the tunnel come along with the offer.
    visitor.write_all(&[OFFER, b"\x81\x05early\0\r\n"].concat()).unwrap();
    let head = read_head(&mut visitor).unwrap();
    assert_eq!(status(&head), 101);
    assert_eq!(field(&head, "upgrade"), Some("websocket"));
    assert_eq!(field(&head, "x-extra"), Some("1"));
    assert_eq!(read_exactly(&mut visitor, 10), b"\x81\x05early\0\r\n");
    for round in 0..50_u8 {
        visitor.write_all(&[round, 0, 255, b'\n']).unwrap();
        assert_eq!(read_exactly(&mut visitor, 4), [round, 0, 255, b'\n']);
    }
    visitor.shutdown(Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    visitor.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"bye", "the other direction stays open");
    served.gateway.wait_log("status=101");
}

#[test]
fn no_tunnel_before_the_backends_101() {
    let backend = Backend::new(|_, _| ok("no"));
    let served = serve(&backend);
    let mut visitor = connect(served.port);
    visitor.write_all(OFFER).unwrap();
    visitor.write_all(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!(read_response(&mut visitor).1, b"no");
    assert_eq!(read_response(&mut visitor).1, b"no", "what follows is HTTP again");
    assert_eq!(backend.requests(), 2);
    assert!(backend.last_head().starts_with("GET /next "));
    visitor.write_all(&[OFFER, b"\0\0\0\0\r\n\r\n"].concat()).unwrap();
    assert_eq!(read_response(&mut visitor).1, b"no");
    assert_eq!(status(&read_head(&mut visitor).unwrap()), 400, "tunnel bytes are no request");
}

#[test]
fn a_101_that_nobody_asked_for_is_a_502() {
    let backend = Backend::raw(|mut stream| {
        read_head(&mut stream);
        let _ = stream.write_all(SWITCH);
    });
    let served = serve(&backend);
    assert_eq!(status(&exchange(served.port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")), 502);
}

#[test]
fn a_failed_offer_leaves_the_connection_usable() {
    let served = serve_with(&format!("http://127.0.0.1:{}", crate::support::free_port()), &[]);
    let mut visitor = connect(served.port);
    for _ in 0..2 {
        visitor.write_all(OFFER).unwrap();
        assert_eq!(status(&read_response(&mut visitor).0), 502);
    }
}

#[test]
fn an_idle_tunnel_ends() {
    let served = serve_with(&echo().url(), &["--tunnel-idle-seconds", "0.4"]);
    let mut visitor = connect(served.port);
    visitor.write_all(OFFER).unwrap();
    assert_eq!(status(&read_head(&mut visitor).unwrap()), 101);
    let mut rest = Vec::new();
    let _ = visitor.read_to_end(&mut rest);
    assert!(rest.is_empty() || rest == b"bye");
}

#[test]
fn a_drain_waits_for_tunnels_within_its_limit() {
    let mut served = serve_with(&echo().url(), &["--drain-seconds", "1"]);
    let mut visitor = connect(served.port);
    visitor.write_all(OFFER).unwrap();
    assert_eq!(status(&read_head(&mut visitor).unwrap()), 101);
    served.gateway.terminate();
    crate::support::wait_closed(served.port);
    assert_eq!(served.gateway.wait_exit(), 0);
    wait_for("the tunnel's end", || {
        let mut sink = [0; 16];
        matches!(visitor.read(&mut sink), Ok(0) | Err(_)).then_some(())
    });
}
