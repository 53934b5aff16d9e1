//! How people and gateways reach the dashboard.

use super::Finding;
use crate::cli::ports::tls_files;
use crate::config::ServeArgs;
use crate::entropy::{EntropyExt as _, OsEntropy};
use crate::keyring::Keyring;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proxima_signing::{Expected, VerifyError, verify};
use proxima_types::heartbeat::{HEARTBEAT_PATH, NONCE_HEADER};
use proxima_types::{KeyDigest, ServerId};
use rustls::pki_types::UnixTime;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(10);
/// A certificate that ends sooner was not renewed in time, in days.
const RENEWED_BEFORE: i64 = 14;
const DAY: i64 = 24 * 3600;

pub(super) fn certificate(args: &ServeArgs) -> Vec<Finding> {
    let (name, now) = ("certificate", UnixTime::now());
    let Some(files) = tls_files(args) else { return Vec::new() };
    match files.load(now) {
        Err(error) => vec![Finding::problem(name, format!("{error:#}"))],
        Ok(loaded) if loaded.defects.is_empty() => {
            let days = (loaded.not_after - i64::try_from(now.as_secs()).unwrap_or(i64::MAX)) / DAY;
            let text = format!("{} is good for {days} days", files.cert.display());
            vec![if days < RENEWED_BEFORE {
                Finding::problem(name, format!("{text}: renew it; the dashboard follows the file by itself"))
            } else {
                Finding::ok(name, text)
            }]
        }
        Ok(loaded) => loaded.defects.into_iter().map(|defect| Finding::problem(name, defect)).collect(),
    }
}

/// An https:// address without a certificate here is somebody else's to serve.
pub(super) fn stands_behind_a_proxy(args: &ServeArgs) -> bool {
    let https = args.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
    https && args.tls_cert.is_none() && args.acme.is_none()
}

/// Who ends TLS for an https:// address, if not the dashboard?
pub(super) fn proxy(args: &ServeArgs) -> Option<Finding> {
    let name = "proxies";
    let behind = stands_behind_a_proxy(args);
    if behind && args.trusted_proxies.is_empty() {
        let text = "public_url is https:// and no certificate is set, so a proxy stands in front, but trusted_proxies is empty: the \
                    audit log and the limits of sign-ins take everybody for the proxy. Name its address";
        return Some(Finding::problem(name, text));
    }
    if !behind && !args.proxy_protocol && !args.trusted_proxies.is_empty() && args.public_url.is_none() {
        return Some(Finding::note(
            name,
            "trusted_proxies are set and public_url is not: cookies are not marked Secure",
        ));
    }
    None
}

/// Whether the public URL leads to a dashboard with this installation's key file.
pub(super) async fn address(args: &ServeArgs) -> Option<Finding> {
    let name = "public URL";
    let Some(url) = &args.public_url else {
        return Some(Finding::note(
            name,
            "public_url is not set: people sign in without TLS, and gateways need gateway_url",
        ));
    };
    let keyring = Keyring::load(&args.data.key_file()).ok()?;
    let origin = url.origin().ascii_serialization();
    Some(match ask(&origin, &keyring).await {
        Ok(()) => Finding::ok(name, format!("{origin} leads to a dashboard with this key file")),
        Err(problem) => Finding::problem(name, format!("{origin} {problem}")),
    })
}

/// Who goes straight to the public URL.
pub(super) fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).no_proxy().build()
}

/// Sends what is no heartbeat: its refusal is signed for our nonce and needs no database.
async fn ask(origin: &str, keyring: &Keyring) -> Result<(), String> {
    let client = client().map_err(|error| format!("cannot be asked: {error}"))?;
    let (nonce, key) = (URL_SAFE_NO_PAD.encode(OsEntropy.bytes::<24>()), "doctor");
    let asked = client
        .post(format!("{origin}{HEARTBEAT_PATH}"))
        .header(NONCE_HEADER, &nonce)
        .header("authorization", format!("Bearer {key}"))
        .header("content-type", "application/json")
        .body("{}");
    let answer = asked.send().await.map_err(|error| unreached(&error))?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body = answer.bytes().await.map_err(|error| unreached(&error))?;
    let expected =
        Expected { nonce: &nonce, key_digest: KeyDigest::of_presented(key), server_id: ServerId(uuid::Uuid::nil()) };
    match verify(&keyring.public_keys(), expected, status, &headers, &body) {
        // It names no server, because none was asked for: all else holds.
        Ok(()) | Err(VerifyError::NoServer) => Ok(()),
        Err(VerifyError::UnknownKey) => Err(
            "leads to a dashboard with another key file: give every dashboard of an installation the same keys.json"
                .to_owned(),
        ),
        Err(_) => Err(format!(
            "is answered by something else (status {status}), or by a proxy that changes answers: let it pass everything to the \
             dashboard as it is"
        )),
    }
}

fn unreached(error: &reqwest::Error) -> String {
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        reason = inner.to_string();
        source = inner.source();
    }
    format!("cannot be reached from here: {reason}. Look at its DNS name, the firewall, the certificate and the proxy")
}
