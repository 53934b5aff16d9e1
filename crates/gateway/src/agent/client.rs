//! Sends heartbeats. One attempt is bounded in every direction: connect 5 s, in all 10 s, the
//! answer [`MAX_ANSWER_BYTES`]; no redirect is followed, no proxy from the environment is used.

use super::judge::{HttpOutcome, RawAnswer};
use super::schedule::parse_retry_after;
use crate::names::Names;
use proxima_types::LicenseKey;
use proxima_types::heartbeat::{HEARTBEAT_PATH, HeartbeatRequest, MAX_ANSWER_BYTES, NONCE_HEADER};
use proxima_types::identity::GatewayIdentity;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// From the first packet to an established connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// From the first packet to the last byte of the answer.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);

/// The client of every heartbeat; also what an install asks the dashboard with.
///
/// # Errors
/// One sentence: a host without root certificates, for instance.
pub fn build() -> Result<reqwest::Client, String> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .http1_only()
        .dns_resolver(Arc::new(Names::default()))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TOTAL_TIMEOUT)
        .user_agent(concat!("proxima-gateway/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| format!("the HTTPS client cannot be set up: {}", chain(&error)))
}

/// What one attempt came to.
#[derive(Debug)]
pub struct Attempt {
    pub nonce: String,
    pub outcome: HttpOutcome,
    /// When the answer asks for patience.
    pub retry_after: Option<Duration>,
}

/// An answer that is on its way; the error is one sentence. It borrows nothing of the agent.
pub type Sending = Pin<Box<dyn Future<Output = Result<RawAnswer, String>> + Send>>;

/// How a heartbeat reaches the dashboard: [`HeartbeatClient`], or the network of a simulation.
pub trait Transport: Send {
    /// Sends one request; ends within 10 s.
    fn send(&mut self, nonce: &str, key: &LicenseKey, request: &HeartbeatRequest) -> Sending;
}

/// One attempt over `transport`.
pub(super) fn attempt(
    transport: &mut dyn Transport,
    nonce: String,
    key: &LicenseKey,
    request: &HeartbeatRequest,
) -> impl Future<Output = Attempt> + Send + 'static {
    let sending = transport.send(&nonce, key, request);
    async move {
        match sending.await {
            Ok(answer) => {
                let retry_after = retry_after(&answer);
                Attempt { nonce, outcome: HttpOutcome::Answer(answer), retry_after }
            }
            Err(why) => Attempt { nonce, outcome: HttpOutcome::NoAnswer(why), retry_after: None },
        }
    }
}

#[derive(Clone)]
pub struct HeartbeatClient {
    /// `None` until it could be built: a host without root certificates is silence, not an end.
    client: Option<reqwest::Client>,
    url: String,
}

impl HeartbeatClient {
    #[must_use]
    pub fn new(identity: &GatewayIdentity) -> Self {
        let url = identity.dashboard_url.join(HEARTBEAT_PATH).to_string();
        Self { client: None, url }
    }

    /// Builds what sending needs.
    fn ready(&mut self) -> Result<reqwest::Client, String> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let client = build()?;
        self.client = Some(client.clone());
        Ok(client)
    }
}

impl Transport for HeartbeatClient {
    fn send(&mut self, nonce: &str, key: &LicenseKey, request: &HeartbeatRequest) -> Sending {
        match self.ready() {
            Ok(client) => {
                let sending =
                    client.post(&self.url).bearer_auth(key.expose()).header(NONCE_HEADER, nonce).json(request);
                Box::pin(receive(sending))
            }
            Err(why) => Box::pin(std::future::ready(Err(why))),
        }
    }
}

async fn receive(sending: reqwest::RequestBuilder) -> Result<RawAnswer, String> {
    let mut response = sending.send().await.map_err(|error| chain(&error))?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| chain(&error))? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(format!("the answer is larger than {MAX_ANSWER_BYTES} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(RawAnswer { status, headers, body })
}

/// Only a refusal for now may ask for patience: 429 and 503 (RFC 9110 section 15.6.4).
fn retry_after(answer: &RawAnswer) -> Option<Duration> {
    if !matches!(answer.status, 429 | 503) {
        return None;
    }
    parse_retry_after(answer.headers.get(http::header::RETRY_AFTER)?.to_str().ok()?)
}

/// The whole story of an error, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        source = inner.source();
    }
    text
}
