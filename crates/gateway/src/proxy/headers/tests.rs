use super::*;

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"));
    }
    map
}

fn hop() -> Hop {
    Hop {
        client: "192.0.2.7".parse().expect("an address"),
        host: HeaderValue::from_static("shop.test"),
        request_id: HeaderValue::from_static("id"),
        loop_mark: HeaderValue::from_static("mark"),
        upgrade: None,
    }
}

#[test]
fn connection_names_headers_away_but_never_ours_nor_the_framing() {
    let mut map = headers(&[
        ("connection", "close, X-Mine, Host, Content-Length"),
        ("connection", "x-forwarded-for,X-Real-IP, X-Request-Id"),
        ("x-mine", "1"),
        ("host", "shop.test"),
        ("content-length", "5"),
    ]);
    forward_request(&mut map, &hop()).expect("forwarded");
    assert!(!map.contains_key("x-mine") && !map.contains_key("connection"));
    assert_eq!(map["content-length"], "5");
    assert_eq!(map["host"], "shop.test");
    assert_eq!(map["x-forwarded-for"], "192.0.2.7");
    assert_eq!(map["x-real-ip"], "192.0.2.7");
    assert_eq!(map["x-request-id"], "id");
}

#[test]
fn claims_of_strangers_go_in_every_spelling() {
    for name in [
        "forwarded",
        "x-forwarded-for",
        "x_forwarded_for",
        "x-forwarded_for",
        "x-forwarded-port",
        "x-forwarded-",
        "x-real-ip",
        "x_real_ip",
        "true-client-ip",
        "cf-connecting-ip",
        "x-request-id",
    ] {
        assert!(is_claim(name), "{name}");
    }
    for name in ["x-forwarded", "x-real-ips", "x-forward-for", "cookie", "authorization", "x-fórwarded"] {
        assert!(!is_claim(name), "{name}");
    }
}

#[test]
fn only_trailers_survives_of_te() {
    let mut map = headers(&[("te", "deflate, trailers;q=0.5"), ("trailer", "x-sum")]);
    forward_request(&mut map, &hop()).expect("forwarded");
    assert_eq!(
        (&map["te"], &map["connection"]),
        (&HeaderValue::from_static("trailers"), &HeaderValue::from_static("TE"))
    );
    assert!(map.contains_key("trailer"));
    let mut map = headers(&[("te", "deflate")]);
    forward_request(&mut map, &hop()).expect("forwarded");
    assert!(!map.contains_key("te") && !map.contains_key("connection"));
}

#[test]
fn upgrades_are_offers_of_http_1_1_other_than_h2c() {
    let offered = |connection: &str, protocols: &str, version: Version| {
        let request =
            Request::builder().version(version).header("connection", connection).header("upgrade", protocols).body(());
        upgrade(&request.expect("a request"))
    };
    assert_eq!(offered("Upgrade", "websocket", Version::HTTP_11), Some(HeaderValue::from_static("websocket")));
    assert_eq!(offered("keep-alive, upgrade", "h2c, foo/2", Version::HTTP_11), Some(HeaderValue::from_static("foo/2")));
    assert_eq!(offered("Upgrade, HTTP2-Settings", "h2c", Version::HTTP_11), None);
    assert_eq!(offered("keep-alive", "websocket", Version::HTTP_11), None);
    assert_eq!(offered("Upgrade", "websocket", Version::HTTP_10), None);
}

#[test]
fn a_response_keeps_the_backends_own_request_id() {
    let mut map =
        headers(&[("x-request-id", "theirs"), ("connection", "x-gone"), ("x-gone", "1"), ("keep-alive", "5")]);
    clean_response(&mut map, HeaderValue::from_static("ours"));
    assert_eq!(map.len(), 1);
    assert_eq!(map["x-request-id"], "theirs");
}
