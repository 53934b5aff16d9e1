use super::*;
use proxima_http1::Limits;

const LIMITS: Limits = Limits { bytes: 4096, request_line: 1024, fields: 32 };

fn request(version: &str, lines: &str) -> RequestHead {
    let mut head = RequestHead::default();
    head.parse(format!("GET / HTTP/{version}\r\n{lines}\r\n").as_bytes(), &LIMITS).expect("a head");
    head
}

fn response(lines: &str) -> ResponseHead {
    let mut head = ResponseHead::default();
    head.parse(format!("HTTP/1.1 200 OK\r\n{lines}\r\n").as_bytes(), &LIMITS).expect("a head");
    head
}

/// What a backend gets of these lines.
fn forwarded(lines: &str) -> Fields {
    let head = request("1.1", lines);
    let offered = upgrade(&head);
    let hop = Hop {
        client: "192.0.2.7",
        chain: "192.0.2.7",
        scheme: "https",
        host: b"shop.test",
        request_id: "id",
        loop_mark: "mark",
        upgrade: offered.as_deref(),
    };
    let mut out = Vec::new();
    push_request(&mut out, &head, &[b"/a", b"?b"], &hop);
    let mut again = RequestHead::default();
    again.parse(&out, &LIMITS).expect("what is written is well formed");
    assert_eq!(again.target(), b"/a?b");
    let mut fields = Fields::default();
    again.fields().iter().for_each(|line| fields.push(line.name, line.value));
    fields
}

fn text(fields: &Fields, name: &str) -> Vec<String> {
    fields
        .iter()
        .filter(|line| line.name.eq_ignore_ascii_case(name.as_bytes()))
        .map(|line| String::from_utf8_lossy(line.value).into_owned())
        .collect()
}

#[test]
fn connection_names_headers_away_but_never_ours_nor_the_framing() {
    let fields = forwarded(
        "Connection: close, X-Mine, Host, Content-Length\r\nConnection: x-forwarded-for,X-Real-IP, X-Request-Id\r\n\
         X-Mine: 1\r\nHost: shop.test\r\nContent-Length: 5\r\n",
    );
    assert_eq!((text(&fields, "x-mine").len(), text(&fields, "connection").len()), (0, 0));
    assert_eq!(text(&fields, "content-length"), ["5"]);
    assert_eq!(text(&fields, "host"), ["shop.test"]);
    assert_eq!(text(&fields, "x-forwarded-for"), ["192.0.2.7"]);
    assert_eq!(text(&fields, "x-real-ip"), ["192.0.2.7"]);
    assert_eq!(text(&fields, "x-request-id"), ["id"]);
}

#[test]
fn claims_of_strangers_go_in_every_spelling() {
    for name in [
        "Forwarded",
        "x-forwarded-for",
        "X_Forwarded_For",
        "x-forwarded_for",
        "X-Forwarded-Port",
        "x-forwarded-",
        "x-real-ip",
        "x_real_ip",
        "True-Client-IP",
        "cf-connecting-ip",
        "X-Request-ID",
    ] {
        assert!(is_claim(name.as_bytes()), "{name}");
    }
    for name in ["x-forwarded", "x-real-ips", "x-forward-for", "cookie", "authorization", "x-fórwarded", ""] {
        assert!(!is_claim(name.as_bytes()), "{name}");
    }
    assert_eq!(
        text(&forwarded("Host: a\r\nX_Forwarded_For: 1.2.3.4\r\nX-Forwarded-For: 1.2.3.4\r\n"), "x-forwarded-for"),
        ["192.0.2.7"]
    );
}

#[test]
fn only_trailers_survives_of_te() {
    let fields = forwarded("Host: a\r\nTE: deflate, trailers;q=0.5\r\nTrailer: X-Sum\r\n");
    assert_eq!(
        (text(&fields, "te"), text(&fields, "connection")),
        (vec!["trailers".to_owned()], vec!["TE".to_owned()])
    );
    assert_eq!(text(&fields, "trailer"), ["X-Sum"]);
    let fields = forwarded("Host: a\r\nTE: deflate\r\n");
    assert!(fields.get("te").is_none() && fields.get("connection").is_none());
}

#[test]
fn upgrades_are_offers_of_http_1_1_other_than_h2c() {
    let offered = |version, connection, protocols| {
        upgrade(&request(version, &format!("Host: a\r\nConnection: {connection}\r\nUpgrade: {protocols}\r\n")))
    };
    assert_eq!(offered("1.1", "Upgrade", "websocket"), Some(b"websocket".to_vec()));
    assert_eq!(offered("1.1", "keep-alive, upgrade", "h2c, foo/2"), Some(b"foo/2".to_vec()));
    assert_eq!(offered("1.1", "Upgrade, HTTP2-Settings", "h2c"), None);
    assert_eq!(offered("1.1", "keep-alive", "websocket"), None);
    assert_eq!(offered("1.0", "Upgrade", "websocket"), None);
    let fields = forwarded("Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n");
    assert_eq!(
        (text(&fields, "upgrade"), text(&fields, "connection")),
        (vec!["websocket".to_owned()], vec!["Upgrade".to_owned()])
    );
}

#[test]
fn a_response_keeps_the_backends_own_request_id() {
    let head =
        response("X-Request-Id: theirs\r\nConnection: x-gone\r\nX-Gone: 1\r\nKeep-Alive: 5\r\nContent-Length: 3\r\n");
    let mut out = Vec::new();
    push_response(&mut out, &head, Towards { chunked: false, connection: None, hsts: Some("max-age=300") }, "ours");
    assert_eq!(
        String::from_utf8_lossy(&out),
        "HTTP/1.1 200 OK\r\nX-Request-Id: theirs\r\nContent-Length: 3\r\nStrict-Transport-Security: max-age=300\r\n\r\n"
    );
    out.clear();
    push_response(
        &mut out,
        &response("A: b\r\n"),
        Towards { chunked: true, connection: Some("close"), hsts: None },
        "ours",
    );
    assert_eq!(
        String::from_utf8_lossy(&out),
        "HTTP/1.1 200 OK\r\nA: b\r\nX-Request-Id: ours\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    );
}
