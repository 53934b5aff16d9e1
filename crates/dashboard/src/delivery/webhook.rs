//! One POST to a receiver that may be slow or hostile: bounded in time and in what is read.

use super::url::{PLAIN, may_be_plain};
use super::{KEPT, Outcome, OutcomeCode, Signed, Tls, WHOLE, WebhookUrl};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use proxima_installer::Outbound;
use proxima_installer::text::clean;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::time::timeout;

/// For what is kept of the body, once the status is known.
const BODY: Duration = Duration::from_secs(2);
/// Of the answer's head, in bytes, and its fields; and all that is read of a connection.
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
const MAX_BYTES: u64 = 64 * 1024;
/// Of the body, in bytes: the log keeps no more.
const MAX_BODY_BYTES: usize = 1024;
const AGENT: &str = concat!("Proxima-Dashboard/", env!("CARGO_PKG_VERSION"));

/// Sends one event. 2xx is delivered, 410 is for ever; no redirect is followed.
pub async fn post(outbound: &Outbound, tls: Result<Tls, String>, url: &WebhookUrl, signed: &Signed<'_>) -> Outcome {
    match timeout(WHOLE, attempt(outbound, tls, url, signed)).await {
        Ok(Ok(outcome) | Err(outcome)) => outcome,
        Err(_) => Outcome::timed_out(),
    }
}

async fn attempt(
    outbound: &Outbound,
    tls: Result<Tls, String>,
    url: &WebhookUrl,
    signed: &Signed<'_>,
) -> Result<Outcome, Outcome> {
    let request =
        request(url, signed).map_err(|_| Outcome::failed(OutcomeCode::Broken, "The request could not be made."))?;
    let stream = outbound.connect(url.host(), url.port()).await.map_err(|error| Outcome::of_connection(&error))?;
    if url.is_https() {
        let tls = tls.map_err(|why| Outcome::failed(OutcomeCode::Tls, why))?;
        return converse(tls.greet(url.host(), stream).await?, request).await;
    }
    // Nothing has been sent yet: a name may lead anywhere.
    match stream.peer_addr() {
        Ok(peer) if may_be_plain(outbound.policy(), peer.ip()) => converse(stream, request).await,
        _ => Err(Outcome::failed(OutcomeCode::NotAllowed, PLAIN)),
    }
}

fn request(url: &WebhookUrl, signed: &Signed<'_>) -> http::Result<Request<Full<Bytes>>> {
    Request::post(url.path_and_query())
        .header(HOST, url.authority())
        .header(USER_AGENT, AGENT)
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, signed.body.len())
        .header("webhook-id", signed.id)
        .header("webhook-timestamp", &signed.timestamp)
        .header("webhook-signature", &signed.signature)
        .body(Full::new(Bytes::copy_from_slice(signed.body.as_bytes())))
}

async fn converse<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Outcome, Outcome>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (read, write) = tokio::io::split(stream);
    let stream = tokio::io::join(read.take(MAX_BYTES), write);
    let broken = |error: hyper::Error| {
        Outcome::failed(OutcomeCode::Broken, format!("The receiver's answer broke off: {error}."))
    };
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let mut exchange = pin!(async move {
        let answer = sender.send_request(request).await.map_err(broken)?;
        let (head, body) = answer.into_parts();
        Ok(outcome(head.status, &head.headers, &excerpt(body).await))
    });
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        // It has ended; what was read of it is in the exchange's hands.
        _ = connection => exchange.await,
    }
}

/// The first of the body. The status counts, whatever becomes of it.
async fn excerpt(mut body: Incoming) -> Vec<u8> {
    let mut kept = Vec::new();
    let _ = timeout(BODY, async {
        while kept.len() < MAX_BODY_BYTES
            && let Some(Ok(frame)) = body.frame().await
        {
            if let Some(data) = frame.data_ref() {
                kept.extend_from_slice(&data[..data.len().min(MAX_BODY_BYTES - kept.len())]);
            }
        }
    })
    .await;
    kept
}

fn outcome(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Outcome {
    let code = match status {
        _ if status.is_success() => OutcomeCode::Delivered,
        StatusCode::GONE => OutcomeCode::Gone,
        _ => OutcomeCode::HttpStatus,
    };
    let message = match code {
        OutcomeCode::Delivered => format!("The receiver took it: {status}."),
        OutcomeCode::Gone => format!("The receiver wants nothing more: {status}."),
        _ if status.is_redirection() => format!("The receiver answered {status}: redirects are not followed."),
        _ => format!("The receiver answered {status}."),
    };
    let response = clean(body, KEPT);
    let asked = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    Outcome {
        status: Some(status.as_u16()),
        response: (!response.is_empty()).then_some(response),
        retry_after: if asked { retry_after(headers) } else { None },
        ..Outcome::failed(code, message)
    }
}

/// In seconds; a date is not compared with any clock of ours (RFC 9110 section 10.2.3 allows both).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}
