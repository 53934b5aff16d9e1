use super::input::{bearer, nonce, tidy};
use crate::app::AppError;
use crate::app::heartbeats::{self, Asked, NoVerdict, SignedAnswer};
use crate::http::AppState;
use crate::http::problem::{Problem, request_id};
use crate::keyring::KeyTrouble;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use proxima_types::heartbeat::{HeartbeatAnswer, HeartbeatRequest, MAX_REQUEST_BYTES};
use proxima_types::{FieldError, KeyDigest};
use std::time::{Duration, SystemTime};

/// How long a gateway waits for its verdict before it is told to come back.
const VERDICT_WITHIN: Duration = Duration::from_secs(8);

/// Heartbeat of a gateway
///
/// `Authorization: Bearer pk_…` and a fresh `Proxima-Nonce`. Every answer is signed (RFC 9421) over
/// status, nonce, key digest, server id, date and body. Only a signed 200 with EXPIRED or a signed 401
/// `license_key_retired` stops a gateway.
#[utoipa::path(post, path = "/api/v1/heartbeat", tag = "heartbeat", security(("licenseKey" = [])),
    params(("Proxima-Nonce" = String, Header, description = "16 to 64 base64url characters, new in every request")),
    request_body = HeartbeatRequest,
    responses((status = 200, body = HeartbeatAnswer), (status = 401, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn heartbeat_create(State(app): State<AppState>, request: Request) -> Result<Response, AppError> {
    let (parts, body) = request.into_parts();
    let Some(nonce) = nonce(&parts.headers) else {
        if bearer(&parts.headers).is_none() {
            return Err(AppError::LicenseKeyMissing);
        }
        let message = "Send a fresh nonce of 16 to 64 base64url characters in the Proxima-Nonce header.";
        return Err(FieldError::new("Proxima-Nonce", "invalid", message).into());
    };
    let key_digest = KeyDigest::of_presented(bearer(&parts.headers).unwrap_or_default());
    let asked = Asked { nonce, key_digest, request_id: request_id(&parts.extensions), trusted_keys: None };
    if app.keyring.signer_for(None).is_err() {
        // Nothing that this dashboard could say would count: every gateway goes on.
        metrics::counter!("proxima_heartbeats_total", "result" => "no_verdict").increment(1);
        return Err(KeyTrouble::SigningKeyMissing.into());
    }
    let report = match read(body).await {
        Ok(report) => tidy(report),
        Err(detail) => return respond(refuse(&app, asked, 422, "heartbeat_malformed", detail)?),
    };
    let trusted_keys = report.trusted_keys.clone();
    let asked = Asked { trusted_keys: trusted_keys.as_deref(), ..asked };
    let judged = tokio::time::timeout(VERDICT_WITHIN, app.heartbeats.judge(key_digest, report)).await;
    let Ok(Ok(judged)) = judged else {
        metrics::counter!("proxima_heartbeats_total", "result" => "no_verdict").increment(1);
        let (code, detail) = match judged {
            Ok(Err(NoVerdict::BehindAnchor)) => {
                ("database_behind_anchor", "The dashboard's database is an older one: its operator has to look.")
            }
            _ => ("unavailable", "The dashboard cannot judge this license right now."),
        };
        let mut response = respond(refuse(&app, asked, 503, code, detail)?)?;
        let patience = heartbeats::retry_after_seconds(app.entropy.as_ref());
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(patience));
        return Ok(response);
    };
    let answer = heartbeats::answer(&app, asked, &judged)?;
    metrics::counter!("proxima_heartbeats_total", "result" => if answer.status == 200 { "licensed" } else { "refused" })
        .increment(1);
    respond(answer)
}

async fn read(body: Body) -> Result<HeartbeatRequest, &'static str> {
    let bytes = to_bytes(body, MAX_REQUEST_BYTES).await.map_err(|_| "The heartbeat is too long or broke off.")?;
    serde_json::from_slice(&bytes).map_err(|_| "The heartbeat is not of the documented form.")
}

/// A refusal is dated by this machine's clock: nobody judges by it.
fn refuse(app: &AppState, asked: Asked<'_>, status: u16, code: &str, detail: &str) -> Result<SignedAnswer, AppError> {
    #[allow(clippy::disallowed_methods)]
    let now = SystemTime::now().into();
    heartbeats::refuse(app, asked, status, code, detail, now)
}

fn respond(answer: SignedAnswer) -> Result<Response, AppError> {
    let status = StatusCode::from_u16(answer.status).map_err(|error| AppError::Internal(error.into()))?;
    let kind = if answer.status == 200 { "application/json" } else { "application/problem+json" };
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = status;
    *response.headers_mut() = answer.headers;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}
