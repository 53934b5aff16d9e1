//! TLS towards visitors.

use crate::support::backend::Backend;
use crate::support::gateway::{Served, serve_config};
use crate::support::http::{exchange, field, fields, read_exactly, read_head, read_response, status};
use crate::support::tls::{Made, certificate, client, secured, shown, visit, visit_with};
use crate::support::{connect, wait_for};
use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::time::Instant;

const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: shop.test\r\n\r\n";

fn serve(backend: &Backend, certificates: &[Value], more: &Value, flags: &[&str]) -> Served {
    serve_config(|port| secured(1, port, &backend.url(), certificates, more), flags)
}

fn rejection(served: &Served, number: u64) -> String {
    let is = |rejected: &proxima_types::heartbeat::RejectedConfig| rejected.generation.number == number;
    let beat = served.dashboard.wait_beat("a rejection", |beat| beat.request.rejected_config.as_ref().is_some_and(is));
    beat.request.rejected_config.unwrap().reason
}

#[test]
fn a_request_over_tls_and_what_the_backend_hears_of_it() {
    let backend = Backend::saying("hello");
    let served = serve(&backend, &[certificate(&["shop.test"]).pem("shop")], &json!({ "hstsSeconds": 300 }), &[]);
    for version in [&TLS12, &TLS13] {
        let mut visitor = visit_with(&client(&[version], &[b"http/1.1"]), served.port, "shop.test").unwrap();
        assert_eq!(visitor.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        for _ in 0..2 {
            visitor.write_all(GET).unwrap();
            let (head, body) = read_response(&mut visitor);
            assert_eq!((status(&head), body.as_slice()), (200, &b"hello"[..]));
            assert_eq!(fields(&head, "strict-transport-security"), ["max-age=300"]);
            let heard = backend.last_head();
            assert_eq!(fields(&heard, "x-forwarded-proto"), ["https"]);
            assert_eq!(field(&heard, "host"), Some("shop.test"));
        }
    }
    let mut visitor = visit(served.port, "shop.test");
    visitor.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").unwrap();
    let (head, _) = read_response(&mut visitor);
    assert_eq!((status(&head), field(&head, "strict-transport-security")), (400, Some("max-age=300")));
    let mut rest = Vec::new();
    visitor.read_to_end(&mut rest).expect("the end is said, not cut");
}

#[test]
fn a_backends_own_hsts_stays() {
    let backend = Backend::new(|_, _| {
        "HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=1\r\nContent-Length: 0\r\n\r\n".to_owned()
    });
    let served = serve(&backend, &[certificate(&["shop.test"]).pem("shop")], &json!({ "hstsSeconds": 300 }), &[]);
    let mut visitor = visit(served.port, "shop.test");
    visitor.write_all(GET).unwrap();
    assert_eq!(fields(&read_response(&mut visitor).0, "strict-transport-security"), ["max-age=1"]);
}

#[test]
fn the_server_name_chooses_the_certificate() {
    let backend = Backend::saying("hello");
    let made = [certificate(&["shop.test"]), certificate(&["*.blog.test"])];
    let served = serve(&backend, &[made[0].pem("shop"), made[1].pem("blog")], &Value::Null, &[]);
    for (name, expected) in
        [("shop.test", 0), ("www.blog.test", 1), ("WWW.BLOG.test", 1), ("blog.test", 0), ("127.0.0.1", 0)]
    {
        assert_eq!(shown(&visit(served.port, name)), made[expected].der, "{name}");
    }
}

#[test]
fn only_the_versions_that_are_allowed() {
    let backend = Backend::saying("hello");
    let served = serve(&backend, &[certificate(&["shop.test"]).pem("shop")], &json!({ "minimumVersion": "1.3" }), &[]);
    assert!(visit_with(&client(&[&TLS12], &[]), served.port, "shop.test").is_err());
    assert!(visit_with(&client(&[&TLS13], &[]), served.port, "shop.test").is_ok());
    assert!(visit_with(&client(&[&TLS13], &[b"smtp"]), served.port, "shop.test").is_err(), "no protocol in common");
}

#[test]
fn sessions_are_resumed_also_after_a_change() {
    let backend = Backend::saying("hello");
    let made = certificate(&["shop.test"]);
    let served = serve(&backend, &[made.pem("shop")], &Value::Null, &[]);
    let (old, new) = (client(&[&TLS12], &[]), client(&[&TLS13], &[]));
    let come = |config| {
        let mut visitor = visit_with(config, served.port, "shop.test").unwrap();
        visitor.write_all(GET).unwrap();
        assert_eq!(read_response(&mut visitor).1, b"hello");
        visitor.conn.handshake_kind()
    };
    for config in [&old, &new] {
        assert_eq!(come(config), Some(HandshakeKind::Full));
        assert_eq!(come(config), Some(HandshakeKind::Resumed));
    }
    let more = json!({ "hstsSeconds": 1 });
    served.dashboard.grants(secured(2, served.port, &backend.url(), &[made.pem("shop")], &more));
    served.dashboard.wait_beat("2", |beat| beat.request.applied_config.is_some_and(|applied| applied.number == 2));
    for config in [&old, &new] {
        assert_eq!(come(config), Some(HandshakeKind::Resumed));
    }
}

#[test]
fn plain_http_is_told_where_it_is() {
    let backend = Backend::saying("hello");
    let served = serve(&backend, &[certificate(&["shop.test"]).pem("shop")], &Value::Null, &[]);
    let answer = exchange(served.port, "GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n");
    assert_eq!(status(&answer), 400);
    assert!(answer.contains("https://"), "{answer}");
    assert_eq!(backend.connections(), 0);
    let mut nonsense = connect(served.port);
    nonsense.write_all(&[0x16, 3, 1, 0xff, 0xff, 7, 7, 7]).unwrap();
    let mut answer = Vec::new();
    let _ = nonsense.read_to_end(&mut answer);
    assert!(answer.len() < 16 && !answer.starts_with(b"HTTP"), "an alert at most: {answer:?}");
}

#[test]
fn a_new_certificate_is_for_new_connections_and_nobody_is_cut() {
    let backend = Backend::saying("hello");
    let (old, new) = (certificate(&["shop.test"]), certificate(&["shop.test"]));
    let served = serve(&backend, &[old.pem("shop")], &Value::Null, &[]);
    let mut kept = visit(served.port, "shop.test");
    kept.write_all(GET).unwrap();
    assert_eq!((shown(&kept), read_response(&mut kept).1), (old.der.clone(), b"hello".to_vec()));
    served.dashboard.grants(secured(2, served.port, &backend.url(), &[new.pem("shop")], &Value::Null));
    wait_for("the new certificate", || (shown(&visit(served.port, "shop.test")) == new.der).then_some(()));
    kept.write_all(GET).unwrap();
    assert_eq!(read_response(&mut kept).1, b"hello", "the old connection goes on");

    // Back to plain, on the same port, beside the connection that is secured.
    let plain = crate::support::dashboard::desired(3, &[(served.port, backend.url())]);
    served.dashboard.grants(plain);
    wait_for("plain HTTP", || (status(&crate::support::http::get(served.port, "/")) == 200).then_some(()));
    kept.write_all(GET).unwrap();
    assert_eq!(read_response(&mut kept).1, b"hello");
}

#[test]
fn what_cannot_be_served_is_rejected_whole_with_the_reason_and_without_the_key() {
    let backend = Backend::saying("hello");
    let made = certificate(&["shop.test"]);
    let served = serve(&backend, &[made.pem("shop")], &Value::Null, &[]);
    let of = |source: Value| json!({ "name": "shop", "source": source });
    let other = certificate(&["shop.test"]);
    let cases = [
        (
            of(json!({ "pem": { "chain": made.chain, "privateKey": other.key } })),
            "is not the key of the first certificate",
        ),
        (
            of(json!({ "pem": { "chain": made.chain, "privateKey": made.key[..100] } })),
            "cannot be read as a private key",
        ),
        (of(json!({ "pem": { "chain": made.key, "privateKey": made.key } })), "holds no certificate"),
        (
            of(json!({ "files": { "chain": "/nonexistent/c.pem", "privateKey": "/nonexistent/k.pem" } })),
            "/nonexistent/c.pem cannot be read",
        ),
        (of(json!({ "files": { "chain": "c.pem", "privateKey": "/k.pem" } })), "absolute path"),
    ];
    for (number, (certificate, reason)) in (2..).zip(cases) {
        served.dashboard.grants(secured(number, served.port, &backend.url(), &[certificate], &Value::Null));
        let rejected = rejection(&served, number);
        assert!(rejected.contains(reason), "{rejected}");
        for key in [&made.key, &other.key] {
            let middle = key.lines().nth(1).unwrap();
            assert!(!rejected.contains(&middle[..16]) && !served.gateway.log().contains(&middle[..16]));
        }
        assert_eq!(shown(&visit(served.port, "shop.test")), made.der, "the last good one stays");
    }
}

#[test]
fn files_are_followed_and_a_bad_new_pair_changes_nothing() {
    let backend = Backend::saying("hello");
    let dashboard = crate::support::dashboard::Dashboard::start();
    let home = crate::support::gateway::Home::of(&dashboard);
    let (cert, key) = (home.path.join("cert.pem"), home.path.join("key.pem"));
    let write = |made: &Made| {
        std::fs::write(&key, &made.key).unwrap();
        std::fs::write(&cert, &made.chain).unwrap();
    };
    let (first, second) = (certificate(&["shop.test"]), certificate(&["shop.test"]));
    write(&first);
    let port = crate::support::free_port();
    let files = json!({ "name": "shop", "source": { "files": { "chain": cert, "privateKey": key } } });
    dashboard.grants(secured(1, port, &backend.url(), &[files], &Value::Null));
    let gateway = home.start();
    // It reads them once more when it begins to serve.
    gateway.wait_log("serving because");
    assert_eq!(shown(&visit(port, "shop.test")), first.der);
    std::fs::write(&key, &second.key).unwrap();
    gateway.wait_log("the certificate before it goes on");
    assert_eq!(shown(&visit(port, "shop.test")), first.der);
    write(&second);
    wait_for("the renewed certificate", || (shown(&visit(port, "shop.test")) == second.der).then_some(()));
}

#[test]
fn who_does_not_finish_a_handshake_is_closed() {
    let backend = Backend::saying("hello");
    let flags = ["--header-read-seconds", "1"];
    let served = serve(&backend, &[certificate(&["shop.test"]).pem("shop")], &Value::Null, &flags);
    for beginning in [&[][..], &[0x16], &[0x16, 3, 1, 2, 0, 1, 0]] {
        let mut slow = connect(served.port);
        slow.write_all(beginning).unwrap();
        let begun = Instant::now();
        assert_eq!(slow.read(&mut [0; 64]).unwrap(), 0);
        assert!(begun.elapsed().as_millis() > 500, "not before its time");
    }
}

#[test]
fn bodies_and_tunnels_over_tls_are_whole() {
    const SIZE: usize = 3_000_000;
    let backend = Backend::raw(|mut stream| {
        let head = read_head(&mut stream).unwrap();
        if field(&head, "upgrade").is_some() {
            stream.write_all(b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n").unwrap();
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                stream.write_all(&buffer[..read]).unwrap();
            }
            return;
        }
        let body = read_exactly(&mut stream, SIZE);
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
    });
    let served = serve(&backend, &[certificate(&["shop.test"]).pem("shop")], &Value::Null, &[]);
    let body: Vec<u8> = (0..SIZE).map(|index| u8::try_from(index % 251).unwrap()).collect();
    let mut visitor = visit(served.port, "shop.test");
    visitor.write_all(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes()).unwrap();
    visitor.write_all(&body).unwrap();
    let (head, echoed) = read_response(&mut visitor);
    assert_eq!(status(&head), 200);
    assert!(echoed == body);

    let mut visitor = visit(served.port, "shop.test");
    visitor.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n").unwrap();
    assert_eq!(status(&read_head(&mut visitor).unwrap()), 101);
    for part in body.chunks(10_000).take(30) {
        visitor.write_all(part).unwrap();
        assert!(read_exactly(&mut visitor, part.len()) == part);
    }
    visitor.conn.send_close_notify();
    visitor.flush().unwrap();
    let mut rest = Vec::new();
    visitor.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
}
