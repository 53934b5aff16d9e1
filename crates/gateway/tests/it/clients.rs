//! Who a visitor is behind proxies, and pictures that are elsewhere.

use crate::support::backend::Backend;
use crate::support::connect;
use crate::support::gateway::{Served, serve_config};
use crate::support::http::{exchange, field, fields, read_response, status};
use serde_json::{Value, json};
use std::io::Write as _;

fn serve(backend: &Backend, more: &Value) -> Served {
    serve_config(
        |port| {
            let mut config = json!({ "listeners": [{ "port": port, "backendUrl": backend.url() }] });
            for (name, value) in more.as_object().into_iter().flatten() {
                config[name] = value.clone();
            }
            json!({ "generation": { "incarnation": 1, "number": 1 }, "config": config })
        },
        &[],
    )
}

const CLAIMS: &str = "X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\nX-Real-IP: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n";

fn ask(served: &Served) {
    let request = format!("GET /a HTTP/1.1\r\nHost: shop.test\r\n{CLAIMS}Connection: close\r\n\r\n");
    assert_eq!(status(&exchange(served.port, &request)), 200);
}

#[test]
fn a_trusted_proxys_word_counts_and_nobody_elses() {
    let backend = Backend::saying("hello");
    let heard = |name: &str| fields(&backend.last_head(), name).join("|");
    let served = serve(&backend, &json!({}));
    ask(&served);
    assert_eq!((heard("x-forwarded-for"), heard("x-real-ip")), ("127.0.0.1".to_owned(), "127.0.0.1".to_owned()));
    assert_eq!((heard("x-forwarded-proto"), heard("x-forwarded-host")), ("http".to_owned(), "shop.test".to_owned()));

    let served = serve(&backend, &json!({ "trustedProxies": { "ranges": ["127.0.0.0/8"] } }));
    ask(&served);
    assert_eq!(
        (heard("x-forwarded-for"), heard("x-real-ip")),
        ("192.0.2.7, 127.0.0.1".to_owned(), "192.0.2.7".to_owned())
    );
    assert_eq!((heard("x-forwarded-proto"), heard("x-forwarded-host")), ("https".to_owned(), "shop.test".to_owned()));
    served.gateway.wait_log("client=192.0.2.7 peer=127.0.0.1");

    let first = json!({ "trustedProxies": { "ranges": ["127.0.0.1"], "forwardedFor": "FIRST" } });
    let served = serve(&backend, &first);
    ask(&served);
    assert_eq!(heard("x-real-ip"), "6.6.6.6");
}

#[test]
fn pictures_are_sent_elsewhere_before_every_other_rule() {
    let backend = Backend::saying("hello");
    let served = serve(&backend, &json!({ "imageUrl": "https://images.test/base/" }));
    let mut visitor = connect(served.port);
    for (path, location) in [
        ("/images/a/b.png?x=1", Some("https://images.test/base/images/a/b.png?x=1")),
        ("http://other.test/images/c", Some("https://images.test/base/images/c")),
        ("/images", None),
        ("/imagesx/a", None),
        ("/a/images/b", None),
    ] {
        visitor.write_all(format!("GET {path} HTTP/1.1\r\nHost: shop.test\r\n\r\n").as_bytes()).unwrap();
        let (head, _) = read_response(&mut visitor);
        assert_eq!(
            (status(&head), field(&head, "location")),
            (if location.is_some() { 302 } else { 200 }, location),
            "{path}"
        );
    }
    assert_eq!(backend.requests(), 3);
}
