//! The dashboard's ports over real sockets: limits, ends, the PROXY protocol, TLS.

mod ending;
mod peers;
mod rolling;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::routing::get;
use futures_util::StreamExt as _;
use proxima_dashboard::listen::{Ending, Listener, Options, Times, serve};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Long enough that a test does not wait for it.
const NEVER: Duration = Duration::from_secs(600);
/// Short enough to wait for.
const SOON: Duration = Duration::from_millis(30);
const PATIENCE: Duration = Duration::from_secs(60);

fn patient() -> Times {
    Times {
        handshake: NEVER,
        head: NEVER,
        idle: NEVER,
        idle_when_crowded: NEVER,
        stall: NEVER,
        silence: NEVER,
        last_request: NEVER,
    }
}

fn options(times: Times) -> Options {
    Options {
        name: "test",
        max_connections: 1000,
        max_per_address: 1000,
        trusted: Vec::new(),
        proxy_protocol: false,
        tls: None,
        times,
    }
}

struct Port {
    address: SocketAddr,
    ending: Ending,
    /// Lets `/slow` answer.
    go: Arc<Notify>,
    /// `/slow` was asked.
    asked: Arc<Notify>,
    /// The body of `/endless` was dropped.
    gone: CancellationToken,
    task: JoinHandle<()>,
}

async fn open(options: Options) -> Port {
    let (go, asked, gone) = (Arc::new(Notify::new()), Arc::new(Notify::new()), CancellationToken::new());
    let slow = {
        let (go, asked) = (Arc::clone(&go), Arc::clone(&asked));
        move || async move {
            asked.notify_one();
            go.notified().await;
            "slow"
        }
    };
    let endless = {
        let gone = gone.clone();
        move || async move {
            let guard = gone.drop_guard();
            let piece = Bytes::from_static(&[b'x'; 64 * 1024]);
            Body::from_stream(futures_util::stream::repeat(piece).map(move |piece| {
                let _ = &guard;
                Ok::<_, std::io::Error>(piece)
            }))
        }
    };
    let router = Router::new()
        .route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { format!("peer={peer};") }))
        .route("/slow", get(slow))
        .route("/endless", get(endless));
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let (address, ending) = (listener.local_addr().unwrap(), Ending::default());
    let task = tokio::spawn(serve(listener, router, options, ending.clone()));
    Port { address, ending, go, asked, gone, task }
}

impl Port {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn ended(self) {
        tokio::time::timeout(PATIENCE, self.task).await.expect("it ends").unwrap();
        assert!(TcpStream::connect(self.address).await.is_err(), "nothing listens any more");
    }
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: panel.example.com\r\n\r\n")
}

async fn send(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// Reads until the text has come.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let mut buffer = [0; 4096];
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.expect("an answer").unwrap();
        assert_ne!(read, 0, "closed after {text:?}");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    text
}

/// Everything up to the end of the connection, whether it was closed or reset.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("it is closed");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_client_that_brings_no_request_is_closed() {
    let port = open(options(Times { head: SOON, ..patient() })).await;
    let (mut silent, mut slow) = (port.connect().await, port.connect().await);
    send(&mut slow, "GET / HTTP/1.1\r\nhost: ").await;
    assert_eq!((rest(&mut silent).await.as_str(), rest(&mut slow).await.as_str()), ("", ""));
    // A second request's head has its time too.
    let mut second = port.connect().await;
    send(&mut second, &request("/")).await;
    until(&mut second, ";").await;
    send(&mut second, "GET / HT").await;
    assert_eq!(rest(&mut second).await, "");
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_cut() {
    let port = open(options(Times { stall: SOON, ..patient() })).await;
    let mut reader = port.connect().await;
    send(&mut reader, &request("/endless")).await;
    tokio::time::timeout(PATIENCE, port.gone.cancelled()).await.expect("its answer is dropped");
}

#[tokio::test]
async fn resting_connections_make_room_when_the_port_is_full() {
    let mut full = options(Times { idle_when_crowded: SOON, ..patient() });
    full.max_connections = 10;
    let port = open(full).await;
    let mut kept = Vec::new();
    for _ in 0..30 {
        let mut stream = port.connect().await;
        send(&mut stream, &request("/")).await;
        until(&mut stream, "peer=").await;
        kept.push(stream);
    }
}

#[tokio::test]
async fn heads_are_bounded() {
    let port = open(options(patient())).await;
    for head in [format!("a: {}\r\n", "x".repeat(80_000)), "a: b\r\n".repeat(101)] {
        let mut stream = port.connect().await;
        // It may be closed while the rest is being sent.
        let _ = stream.write_all(format!("GET / HTTP/1.1\r\nhost: a\r\n{head}\r\n").as_bytes()).await;
        assert!(until(&mut stream, "\r\n").await.starts_with("HTTP/1.1 431 "));
    }
    // Nor does a name or value smuggle a line in.
    for head in ["x: a\nb: c\r\n", "x: a\0b\r\n", "x y: z\r\n"] {
        let mut stream = port.connect().await;
        send(&mut stream, &format!("GET / HTTP/1.1\r\nhost: a\r\n{head}\r\n")).await;
        let answer = until(&mut stream, "\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.1 200 "), "{head:?}: {answer}");
    }
}
