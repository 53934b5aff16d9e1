//! For load balancers: `/healthz` says that the process runs, `/readyz` that it can serve. Whoever holds the key file
//! (`doctor`) is told by `/healthz` whom the dashboard takes them for.

use super::AppState;
use super::client_address::ClientAddress;
use crate::keyring::{DetachedSignature, Keyring};
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Json, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How long the database may take to answer before the dashboard is not ready.
const READY_WITHIN: Duration = Duration::from_secs(2);
/// The header of who asks [`Seen`], and what its signature is for.
pub(crate) const WHO_AM_I: &str = "x-proxima-who-am-i";
const PURPOSE: &str = "who-am-i-v1";
/// The longest such header, in bytes.
const PROOF_MAX: usize = 1024;

/// Whom a request is taken for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// Whose connection it came by.
    pub peer: Option<IpAddr>,
    /// What the audit log and the throttles would have.
    pub client: Option<IpAddr>,
    /// The request's `X-Forwarded-For`, as it arrived.
    pub forwarded: Vec<String>,
}

/// Shows who asks to be of this installation. It tells nobody more than whom they are taken for, so it may be seen.
#[derive(Serialize, Deserialize)]
struct Proof {
    nonce: String,
    signed: DetachedSignature,
}

/// The content of [`WHO_AM_I`].
///
/// # Errors
/// Without a signing key.
pub(crate) fn proof(keyring: &Keyring, nonce: String) -> anyhow::Result<String> {
    let signed = keyring.sign_detached(PURPOSE, nonce.as_bytes())?;
    Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(&Proof { nonce, signed })?))
}

fn is_of_us(keyring: &Keyring, headers: &HeaderMap) -> bool {
    let proof = headers.get(WHO_AM_I).filter(|header| header.len() <= PROOF_MAX);
    let proof = proof.and_then(|header| URL_SAFE_NO_PAD.decode(header).ok());
    let proof = proof.and_then(|json| serde_json::from_slice::<Proof>(&json).ok());
    proof.is_some_and(|proof| keyring.verify_detached(PURPOSE, proof.nonce.as_bytes(), &proof.signed))
}

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready))
}

async fn alive(State(app): State<AppState>, request: Request) -> Response {
    if !is_of_us(&app.keyring, request.headers()) {
        return "ok\n".into_response();
    }
    let extensions = request.extensions();
    let lines = request.headers().get_all("x-forwarded-for").iter();
    Json(Seen {
        peer: extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_canonical()),
        client: extensions.get::<ClientAddress>().map(|address| address.0),
        forwarded: lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect(),
    })
    .into_response()
}

async fn ready(State(app): State<AppState>) -> (StatusCode, &'static str) {
    if app.leaving.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match tokio::time::timeout(READY_WITHIN, proxima_db::now(&app.db)).await {
        Ok(Ok(_)) => (StatusCode::OK, "ready\n"),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}
