//! Whole requests by a client of the field's, and what the backend hears of them.

use super::{serve, serve_with};
use crate::support::backend::Backend;
use crate::support::gateway::Served;
use crate::support::http::{content_length, field, fields, ok, read_exactly, read_head};
use crate::support::tls::{certificate, client, secured};
use crate::support::{local, wait_for};
use bytes::Bytes;
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use rustls::pki_types::ServerName;
use serde_json::json;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

type Client = SendRequest<Bytes>;

async fn connect(served: &Served) -> Client {
    let tcp = TcpStream::connect(local(served.port)).await.unwrap();
    let config = client(rustls::ALL_VERSIONS, &[b"h2"]);
    let name = ServerName::try_from("shop.test").unwrap();
    let tls = TlsConnector::from(Arc::clone(&config)).connect(name, tcp).await.unwrap();
    let (client, connection) = h2::client::handshake(tls).await.unwrap();
    tokio::spawn(async move {
        let _ = connection.await;
    });
    client
}

fn run<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(crate::support::PATIENCE * 2, what).await.expect("in time") })
}

fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(format!("https://shop.test{path}"))
}

async fn send(client: &Client, request: Request<()>, end: bool) -> (h2::client::ResponseFuture, SendStream<Bytes>) {
    client.clone().ready().await.unwrap().send_request(request, end).unwrap()
}

async fn get(client: &Client, path: &str) -> (Response<()>, Vec<u8>) {
    let (response, _) = send(client, request("GET", path).body(()).unwrap(), true).await;
    whole(response.await.unwrap()).await
}

async fn whole(response: Response<RecvStream>) -> (Response<()>, Vec<u8>) {
    let (head, mut body) = response.into_parts();
    let bytes = read(&mut body).await.unwrap();
    (Response::from_parts(head, ()), bytes)
}

async fn read(body: &mut RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len()).unwrap();
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

async fn upload(mut stream: SendStream<Bytes>, mut bytes: Bytes, trailers: Option<HeaderMap>) {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let room = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await.unwrap().unwrap();
        let part = bytes.split_to(room.min(bytes.len()));
        stream.send_data(part, bytes.is_empty() && trailers.is_none()).unwrap();
    }
    if let Some(trailers) = trailers {
        stream.send_trailers(trailers).unwrap();
    }
}

#[test]
fn a_request_and_what_the_backend_hears_of_it() {
    let backend = Backend::new(|head, _| {
        assert!(head.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{head}");
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Own: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\
         Connection: x-gone\r\nX-Gone: 1\r\nKeep-Alive: timeout=5\r\n\r\nhello"
            .to_owned()
    });
    let served = serve_with(&backend, &json!({ "hstsSeconds": 300 }), &[]);
    run(async {
        let client = connect(&served).await;
        let asked = request("GET", "/a?b=c")
            .header("cookie", "a=1")
            .header("cookie", "b=2")
            .header("cookie", "c=3")
            .header("x-forwarded-for", "6.6.6.6")
            .header("te", "trailers")
            .body(())
            .unwrap();
        let (response, _) = send(&client, asked, true).await;
        let (head, body) = whole(response.await.unwrap()).await;
        assert_eq!((head.status().as_u16(), body.as_slice()), (200, &b"hello"[..]));
        let all =
            |name: &str| head.headers().get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
        assert_eq!(all("set-cookie"), ["a=1", "b=2"]);
        assert_eq!((all("x-own"), all("content-length")), (vec!["1"], vec!["5"]));
        assert_eq!(all("strict-transport-security"), ["max-age=300"]);
        assert_eq!(all("x-request-id").len(), 1);
        for gone in ["connection", "x-gone", "keep-alive", "transfer-encoding"] {
            assert!(all(gone).is_empty(), "{gone}");
        }
    });
    let heard = backend.last_head();
    assert_eq!(fields(&heard, "host"), ["shop.test"]);
    assert_eq!(fields(&heard, "cookie"), ["a=1; b=2; c=3"]);
    assert_eq!(fields(&heard, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(fields(&heard, "x-forwarded-proto"), ["https"]);
    assert_eq!((fields(&heard, "te"), fields(&heard, "connection")), (vec!["trailers"], vec!["TE"]));
    assert!(fields(&heard, "transfer-encoding").is_empty() && fields(&heard, "content-length").is_empty());
}

#[test]
fn many_requests_at_once_share_a_connection() {
    let backend = Backend::new(|head, _| {
        std::thread::sleep(Duration::from_millis(20));
        ok(head.split(' ').nth(1).unwrap())
    });
    let served = serve(&backend);
    run(async {
        let client = connect(&served).await;
        let mut all = tokio::task::JoinSet::new();
        for number in 0..100 {
            let client = client.clone();
            all.spawn(async move {
                let path = format!("/{number}");
                assert_eq!(get(&client, &path).await.1, path.as_bytes());
            });
        }
        while let Some(done) = all.join_next().await {
            done.unwrap();
        }
    });
    assert_eq!(backend.requests(), 100);
}

#[test]
fn bodies_both_ways_with_trailers_are_whole() {
    const SIZE: usize = 2_000_000;
    // Reads a chunked body with trailers, and sends the same back.
    let backend = Backend::raw(|mut stream| {
        let head = read_head(&mut stream).unwrap();
        assert_eq!(field(&head, "transfer-encoding"), Some("chunked"));
        let mut body = Vec::new();
        loop {
            let size = crate::support::http::read_line(&mut stream);
            let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
            if size == 0 {
                break;
            }
            body.extend(read_exactly(&mut stream, size));
            assert_eq!(read_exactly(&mut stream, 2), b"\r\n");
        }
        assert_eq!(crate::support::http::read_line(&mut stream), "x-sum: 7\r\n");
        assert_eq!(crate::support::http::read_line(&mut stream), "\r\n");
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: grpc-status\r\n\r\n").unwrap();
        for part in body.chunks(30_000) {
            stream.write_all(format!("{:x}\r\n", part.len()).as_bytes()).unwrap();
            stream.write_all(part).unwrap();
            stream.write_all(b"\r\n").unwrap();
        }
        stream.write_all(b"0\r\ngrpc-status: 0\r\n\r\n").unwrap();
    });
    let served = serve(&backend);
    run(async {
        let client = connect(&served).await;
        let asked = request("POST", "/grpc").header("te", "trailers").body(()).unwrap();
        let (response, stream) = send(&client, asked, false).await;
        let sent = Bytes::from((0..SIZE).map(|index| u8::try_from(index % 253).unwrap()).collect::<Vec<_>>());
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", "7".parse().unwrap());
        upload(stream, sent.clone(), Some(trailers)).await;
        let mut response = response.await.unwrap();
        assert!(read(response.body_mut()).await.unwrap() == sent);
        let trailers = response.body_mut().trailers().await.unwrap().unwrap();
        assert_eq!(trailers["grpc-status"], "0");
    });
}

#[test]
fn a_known_length_is_told_and_an_unknown_one_is_chunked() {
    let backend = Backend::new(|head, body| {
        assert_eq!((field(head, "content-length"), field(head, "transfer-encoding")), (Some("11"), None));
        ok(std::str::from_utf8(body).unwrap())
    });
    let served = serve(&backend);
    run(async {
        let client = connect(&served).await;
        let asked = request("POST", "/").header("content-length", 11).body(()).unwrap();
        let (response, stream) = send(&client, asked, false).await;
        upload(stream, Bytes::from_static(b"hello there"), None).await;
        assert_eq!(whole(response.await.unwrap()).await.1, b"hello there");
    });
}

#[test]
fn answers_without_bodies_end_with_their_head() {
    let backend = Backend::new(|head, _| {
        if head.starts_with("HEAD ") {
            "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n".to_owned()
        } else {
            "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n".to_owned()
        }
    });
    let served = serve(&backend);
    run(async {
        let client = connect(&served).await;
        for (method, status) in [("HEAD", 200), ("GET", 304)] {
            let (response, _) = send(&client, request(method, "/").body(()).unwrap(), true).await;
            let response = response.await.unwrap();
            assert_eq!(response.status(), status);
            assert!(response.body().is_end_stream());
        }
    });
    assert_eq!(backend.connections(), 1, "the connection to the backend is used again");
}

#[test]
fn early_hints_and_an_expected_continue_arrive() {
    let backend =
        Backend::new(|_, _| format!("HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n{}", ok("late")));
    let served = serve(&backend);
    run(async {
        let client = connect(&served).await;
        let (mut response, _) = send(&client, request("GET", "/").body(()).unwrap(), true).await;
        let early = std::future::poll_fn(|cx| response.poll_informational(cx)).await.unwrap().unwrap();
        assert_eq!(
            (early.status().as_u16(), early.headers()["link"].to_str().unwrap()),
            (103, "</a.css>; rel=preload")
        );
        assert_eq!(whole(response.await.unwrap()).await.1, b"late");
        let asked = request("POST", "/").header("expect", "100-continue").header("content-length", 2).body(()).unwrap();
        let (mut response, stream) = send(&client, asked, false).await;
        let go = std::future::poll_fn(|cx| response.poll_informational(cx)).await.unwrap().unwrap();
        assert_eq!(go.status(), 100);
        upload(stream, Bytes::from_static(b"ok"), None).await;
        assert_eq!(response.await.unwrap().status(), 200);
    });
    assert!(fields(&backend.last_head(), "expect").is_empty());
}

#[test]
fn a_backend_that_fails_fails_one_stream() {
    let backend = Backend::raw(|mut stream| {
        while let Some(head) = read_head(&mut stream) {
            if head.contains("/broken") {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
                return;
            }
            if head.contains("/nonsense") {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n");
                return;
            }
            let _ = stream.write_all(ok("well").as_bytes());
        }
    });
    let served = serve(&backend);
    run(async {
        let client = connect(&served).await;
        let (head, page) = get(&client, "/nonsense").await;
        assert_eq!(head.status(), 502);
        assert!(String::from_utf8_lossy(&page).contains("502"));
        let (response, _) = send(&client, request("GET", "/broken").body(()).unwrap(), true).await;
        let mut response = response.await.unwrap();
        assert!(read(response.body_mut()).await.is_err(), "what is not whole does not look whole");
        let asked = request("HEAD", "/nonsense").body(()).unwrap();
        let (response, _) = send(&client, asked, true).await;
        let response = response.await.unwrap();
        assert_eq!(response.status(), 502);
        assert!(response.body().is_end_stream());
        assert_eq!(get(&client, "/").await.1, b"well", "the connection goes on");
    });
    served.gateway.wait_log("backend broke off");
}

#[test]
fn who_resets_a_stream_gives_up_its_backend_and_nobody_elses() {
    let (gone, told) = std::sync::mpsc::channel();
    let gone = std::sync::Mutex::new(gone);
    let backend = Backend::raw(move |mut stream| {
        while let Some(head) = read_head(&mut stream) {
            if head.contains("/quick") {
                stream.write_all(ok("quick").as_bytes()).unwrap();
                continue;
            }
            if head.contains("/stream") {
                stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n").unwrap();
            }
            let mut byte = [0];
            assert_eq!(std::io::Read::read(&mut stream, &mut byte).unwrap_or(0), 0, "nothing but the end");
            gone.lock().unwrap().send(head).unwrap();
            return;
        }
    });
    let served = serve(&backend);
    run(async {
        let client = connect(&served).await;
        for path in ["/silent", "/stream"] {
            let (response, mut stream) = send(&client, request("GET", path).body(()).unwrap(), true).await;
            if path == "/stream" {
                let mut response = response.await.unwrap();
                assert_eq!(response.body_mut().data().await.unwrap().unwrap(), "a");
            } else {
                wait_for("the request", || (backend.connections() == 1).then_some(()));
            }
            stream.send_reset(h2::Reason::CANCEL);
            assert_eq!(get(&client, "/quick").await.1, b"quick");
            let head = told.recv_timeout(crate::support::PATIENCE).expect("the backend's connection ends");
            assert!(head.contains(path));
        }
    });
}

#[test]
fn a_port_that_closes_says_so_and_finishes_what_it_does() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let backend = Backend::new(move |_, _| {
        wait.lock().unwrap().recv().unwrap();
        ok("late")
    });
    let served = serve(&backend);
    run(async {
        let client = connect(&served).await;
        let (response, _) = send(&client, request("GET", "/").body(()).unwrap(), true).await;
        wait_for("the request", || (backend.connections() == 1).then_some(()));
        served.gateway.terminate();
        served.gateway.wait_log("draining");
        // A new stream is refused, or the connection takes no more.
        tokio::time::sleep(Duration::from_millis(200)).await;
        go.send(()).unwrap();
        assert_eq!(whole(response.await.unwrap()).await.1, b"late");
        let refused =
            async { client.clone().ready().await?.send_request(request("GET", "/").body(()).unwrap(), true)?.0.await };
        assert!(refused.await.is_err());
    });
}

#[test]
fn a_reader_who_takes_nothing_holds_little_and_is_given_up() {
    let backend = Backend::raw(|mut stream| {
        read_head(&mut stream).unwrap();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let chunk = [format!("{:x}\r\n", 65_536).as_bytes(), &[7; 65_536], b"\r\n"].concat();
        while stream.write_all(&chunk).is_ok() {}
    });
    let served = serve_with(&backend, &json!({}), &["--visitor-stall-seconds", "2"]);
    run(async {
        let client = connect(&served).await;
        let mut responses = Vec::new();
        for _ in 0..30 {
            let (response, _) = send(&client, request("GET", "/").body(()).unwrap(), true).await;
            responses.push(response.await.unwrap());
        }
        tokio::time::sleep(Duration::from_secs(4)).await;
        let status = std::fs::read_to_string(format!("/proc/{}/status", served.gateway.pid())).unwrap();
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib: u64 = rss.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kib < 60_000, "30 streams that nobody reads hold {kib} KiB");
        for mut response in responses {
            assert!(read(response.body_mut()).await.is_err(), "each is reset in the end");
        }
    });
}

#[test]
fn a_certificates_change_leaves_streams_alone() {
    let backend = Backend::new(|_, body| ok(std::str::from_utf8(body).unwrap()));
    let served = serve(&backend);
    run(async {
        let client = connect(&served).await;
        let asked = request("POST", "/").header("content-length", 4).body(()).unwrap();
        let (response, mut stream) = send(&client, asked, false).await;
        stream.send_data(Bytes::from_static(b"ab"), false).unwrap();
        let new = certificate(&["shop.test"]).pem("new");
        served.dashboard.grants(secured(2, served.port, &backend.url(), &[new], &json!({})));
        served.dashboard.wait_beat("2", |beat| beat.request.applied_config.is_some_and(|applied| applied.number == 2));
        stream.send_data(Bytes::from_static(b"cd"), true).unwrap();
        assert_eq!(whole(response.await.unwrap()).await.1, b"abcd");
        assert_eq!(content_length(&backend.last_head()), 4);
    });
}
