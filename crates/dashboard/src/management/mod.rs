//! The client of gateways' management APIs (`:6060`): a connection by the outbound policy, TLS that knows a gateway by its
//! pinned certificate and by nothing else, one bounded request, one bounded answer. Whoever answers may be hostile.

mod problem;
mod tls;

pub use problem::Trouble;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use proxima_installer::Outbound;
use proxima_installer::target::Host;
use proxima_types::ApiSecret;
use proxima_types::manage::{CertificateFingerprint, NUDGE_PATH, NudgeAnswer, STATUS_PATH, StatusDocument};
use serde::de::DeserializeOwned;
use std::pin::pin;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use zeroize::Zeroizing;

/// For the name, the connection and the TLS handshake together.
const GREETING: Duration = Duration::from_secs(5);
/// For a status, from the name to the last byte.
const STATUS: Duration = Duration::from_secs(8);
/// For a nudge: the gateway answers when its heartbeat has ended, or after 15 s.
const NUDGE: Duration = Duration::from_secs(20);
/// An answer's head, in bytes: hyper's least; and its fields.
const MAX_HEAD_BYTES: usize = 8192;
const MAX_HEADERS: usize = 32;
/// An answer's body, in bytes. A status with 64 ports has about 4 KiB.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// All that is read of a connection, in bytes, whatever it is: interim answers and chunks are framed without end.
const MAX_BYTES: u64 = 128 * 1024;

/// One gateway's management API, and how it is known.
#[derive(Debug)]
pub struct Gateway {
    pub host: Host,
    pub port: u16,
    /// The only certificate that is given the secret.
    pub certificate: CertificateFingerprint,
    pub secret: ApiSecret,
}

impl Gateway {
    /// How the gateway is, as it says itself.
    ///
    /// # Errors
    /// Why there is no answer; within 8 seconds.
    pub async fn status(&self, outbound: &Outbound) -> Result<StatusDocument, Trouble> {
        self.ask(outbound, &Method::GET, STATUS_PATH, STATUS).await
    }

    /// Asks for a heartbeat now, and hears what it came to.
    ///
    /// # Errors
    /// Why there is no answer; within 20 seconds.
    pub async fn nudge(&self, outbound: &Outbound) -> Result<NudgeAnswer, Trouble> {
        self.ask(outbound, &Method::POST, NUDGE_PATH, NUDGE).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        outbound: &Outbound,
        method: &Method,
        path: &'static str,
        patience: Duration,
    ) -> Result<T, Trouble> {
        let conversation = async {
            let stream = timeout(GREETING, self.greet(outbound)).await.map_err(|_| Trouble::NoAnswer(GREETING))??;
            converse(stream, self.request(method, path)?).await
        };
        let (status, body) = timeout(patience, conversation).await.map_err(|_| Trouble::TooSlow(patience))??;
        match status {
            StatusCode::OK | StatusCode::ACCEPTED => serde_json::from_slice(&body).map_err(|_| Trouble::NotAGateway),
            StatusCode::UNAUTHORIZED => Err(Trouble::SecretRefused),
            StatusCode::TOO_MANY_REQUESTS => Err(Trouble::TooManyFailures),
            _ => Err(Trouble::NotAGateway),
        }
    }

    async fn greet(&self, outbound: &Outbound) -> Result<TlsStream<TcpStream>, Trouble> {
        let stream = outbound.connect(&self.host, self.port).await?;
        tls::greet(stream, self.certificate).await
    }

    fn request(&self, method: &Method, path: &'static str) -> Result<Request<Empty<Bytes>>, Trouble> {
        // Wiped with the request; hyper's own copy is as short-lived as the connection.
        let bearer = Zeroizing::new(format!("Bearer {}", self.secret.expose()).into_bytes());
        let mut bearer = HeaderValue::from_maybe_shared(Bytes::from_owner(bearer)).map_err(|_| Trouble::NotAGateway)?;
        bearer.set_sensitive(true);
        Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "proxima-gateway")
            .header(AUTHORIZATION, bearer)
            .body(Empty::new())
            .map_err(|_| Trouble::NotAGateway)
    }
}

/// One request and its answer. The connection lives no longer than this.
async fn converse(
    stream: TlsStream<TcpStream>,
    request: Request<Empty<Bytes>>,
) -> Result<(StatusCode, Bytes), Trouble> {
    let (read, write) = tokio::io::split(stream);
    let stream = tokio::io::join(read.take(MAX_BYTES), write);
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| Trouble::BrokenOff)?;
    let mut exchange = pin!(async move {
        let answer = sender.send_request(request).await.map_err(|error| Trouble::of_http(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_BODY_BYTES).collect().await;
        body.map(|body| (status, body.to_bytes())).map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => Trouble::of_http(&error),
            Err(_) => Trouble::NotAGateway,
        })
    });
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        // It has ended; what was read of it is in the exchange's hands.
        _ = connection => exchange.await,
    }
}

#[cfg(test)]
mod tests;
