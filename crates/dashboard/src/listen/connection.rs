//! One connection, from its first byte to its end.

use super::activity::{Activity, Verdict};
use super::admission::Admitted;
use super::watched::{WatchedBody, WatchedIo};
use super::{Port, is_trusted, proxy_header};
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, Response, Version, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower::Service as _;

/// A request's head, in bytes, and the answers that wait for a reader; a longer head is answered 431.
const BUFFER: usize = 64 * 1024;
/// Requests at once on a connection of HTTP/2.
const STREAMS: u32 = 100;
/// How often a connection of HTTP/2 is asked whether it is alive, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);
/// How long a connection that was told to end may take, without a request under way.
const LAST_WORDS: Duration = Duration::from_secs(5);

pub(super) async fn run(port: Arc<Port>, mut stream: TcpStream, peer: SocketAddr, admitted: Admitted) {
    let _ = stream.set_nodelay(true);
    let keepalive = socket2::TcpKeepalive::new().with_time(Duration::from_secs(60));
    let _ = socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive);
    let times = port.options.times;
    let mut peer = peer;
    if port.options.proxy_protocol && is_trusted(&port.options.trusted, peer.ip().to_canonical()) {
        match timeout(times.handshake, proxy_header::read(&mut stream)).await {
            Ok(Ok(named)) => peer = named.unwrap_or(peer),
            Ok(Err(error)) => {
                tracing::debug!(%peer, %error, "no header of the PROXY protocol");
                return ended(&port, "proxy_header");
            }
            Err(_) => return ended(&port, "proxy_header"),
        }
    }
    match &port.options.tls {
        None => http(&port, stream, peer).await,
        Some(tls) => match timeout(times.handshake, tls.accept(stream)).await {
            Ok(Ok(stream)) => http(&port, stream, peer).await,
            Ok(Err(error)) => {
                tracing::debug!(%peer, %error, "a TLS handshake failed");
                ended(&port, "tls");
            }
            Err(_) => ended(&port, "tls"),
        },
    }
    drop(admitted);
}

/// Counts a connection that was not ended by its peer.
fn ended(port: &Port, reason: &'static str) {
    metrics::counter!("proxima_connections_closed_total", "port" => port.options.name, "reason" => reason).increment(1);
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(BUFFER).unwrap_or(u32::MAX))
        .max_send_buf_size(BUFFER)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    builder
}

async fn http<S>(port: &Arc<Port>, stream: S, peer: SocketAddr)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Activity::new();
    let io = TokioIo::new(WatchedIo { stream, activity: Arc::clone(&activity) });
    let service = {
        let (port, activity) = (Arc::clone(port), Arc::clone(&activity));
        service_fn(move |request| answer(Arc::clone(&port), Arc::clone(&activity), peer, request))
    };
    let builder = builder();
    let mut connection = pin!(builder.serve_connection(io, service));
    let (ending, times) = (&port.ending, &port.options.times);
    let mut crowded = port.admission.crowded();
    loop {
        let is_crowded = *crowded.borrow_and_update();
        let wait = match activity.judge(times, is_crowded) {
            Verdict::Wait(wait) => wait,
            Verdict::Close => {
                connection.as_mut().graceful_shutdown();
                let _ = timeout(LAST_WORDS, connection).await;
                return ended(port, "idle");
            }
            Verdict::Cut(reason) => return ended(port, reason),
        };
        tokio::select! {
            biased;
            _ = connection.as_mut() => return,
            () = ending.closing.cancelled() => break,
            _ = crowded.changed() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    // Whoever has just connected is still answered: the balancer did not know that this port closes.
    if !activity.has_served() {
        tokio::select! {
            _ = connection.as_mut() => return,
            () = activity.first_request.notified() => {}
            () = tokio::time::sleep(times.last_request) => {}
        }
    }
    connection.as_mut().graceful_shutdown();
    loop {
        let wait = match activity.judge(times, true) {
            Verdict::Wait(wait) => wait,
            Verdict::Close | Verdict::Cut(_) => return ended(port, "closing"),
        };
        tokio::select! {
            biased;
            _ = connection.as_mut() => return,
            () = ending.cut.cancelled() => return ended(port, "cut"),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

async fn answer(
    port: Arc<Port>,
    activity: Arc<Activity>,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> Result<Response<WatchedBody>, Infallible> {
    let http2 = request.version() == Version::HTTP_2;
    let watch = activity.begin(http2);
    request.extensions_mut().insert(ConnectInfo(peer));
    let mut response: Response<Body> = port.router.clone().call(request).await?;
    if !http2 && port.ending.leaving.is_cancelled() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| WatchedBody { body, request: watch }))
}
