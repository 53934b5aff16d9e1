//! The dashboard: simulated health and rows, the real answers and signatures.

use crate::Mutation;
use crate::fleet::Said;
use crate::oracle::Word;
use crate::world::{Database, Process, Shared};
use proxima_dashboard::app::heartbeats::{Asked, Judged, SignedAnswer, answer, refuse};
use proxima_db::heartbeats::{Finding, Licensed};
use proxima_gateway::agent::judge::RawAnswer;
use proxima_types::{InstallId, License, LicenseKey, LicenseStatus};
use rand::Rng as _;
use std::time::Duration;
use tokio::time::sleep;

/// As the endpoint: how long a gateway waits for its verdict before it is told to come back.
const VERDICT_WITHIN: Duration = Duration::from_secs(8);

/// One heartbeat, as the dashboard gets it.
#[derive(Debug, Clone)]
pub struct Question {
    pub gateway: usize,
    pub nonce: String,
    pub key: LicenseKey,
    pub install: InstallId,
}

/// Answers one heartbeat; the word is what the oracle holds the answer for.
///
/// # Errors
/// A connection that is refused, in the words of a client.
pub async fn answer_to(shared: &Shared, question: &Question) -> Result<(RawAnswer, Word), String> {
    let process = shared.lock().process;
    match process {
        Process::Down => return Err("connection refused".to_owned()),
        Process::Hung => std::future::pending().await,
        Process::Up => {}
    }
    let slow = shared.lock().database == Database::Slow;
    let work = if slow { VERDICT_WITHIN } else { Duration::from_millis(shared.lock().rng.random_range(1..40)) };
    sleep(work).await;
    if shared.lock().process != Process::Up {
        return Err("connection reset".to_owned());
    }
    judge(shared, question, slow)
}

fn judge(shared: &Shared, question: &Question, slow: bool) -> Result<(RawAnswer, Word), String> {
    let mut world = shared.lock();
    let (app, now, digest) = (world.app.clone(), world.database_now(), question.key.digest());
    let asked = Asked { nonce: &question.nonce, key_digest: digest, request_id: "simulated", trusted_keys: None };
    let word = |said| Word { said, install: question.install, key: question.key.clone(), delivered: None };
    let judged = |finding, offline: Option<u32>| Judged {
        finding,
        now,
        offline_limit_days: offline.and_then(|days| i32::try_from(days).ok()),
    };
    if slow || world.database != Database::Good {
        let signed = if world.mutation == Mutation::DatabaseDownIsExpired {
            answer(&app, asked, &judged(expired(&world.rows.servers, question.gateway), None))
        } else {
            refuse(&app, asked, 503, "unavailable", "The dashboard cannot judge this license right now.", now)
        };
        let raw = raw(signed.map_err(|error| error.to_string())?, true);
        if raw.status != 503 {
            world.violation("a database that does not answer was given out as a verdict");
        }
        let word = word(Said::NoVerdict);
        world.oracle.words.entry(question.nonce.clone()).or_default().push(word.clone());
        return Ok((raw, word));
    }
    let said = world.rows.contract(digest, now);
    let offline = world.rows.offline_limit_days;
    let mut finding = world.rows.find(digest, now);
    if world.mutation == Mutation::VerdictsAreCached {
        finding = world.oracle.cached(digest, finding);
    }
    let signed = answer(&app, asked, &judged(finding, offline)).map_err(|error| error.to_string())?;
    world.rows.finish_rotation(digest, now);
    let raw = raw(signed, false);
    if !says(&raw, said) {
        let body = String::from_utf8_lossy(&raw.body).into_owned();
        world.violation(&format!("the dashboard answers {} {body} where the contract says {said:?}", raw.status));
    }
    let word = word(said);
    world.oracle.words.entry(question.nonce.clone()).or_default().push(word.clone());
    Ok((raw, word))
}

fn expired(rows: &[Option<crate::fleet::Row>], gateway: usize) -> Finding {
    let id = rows[gateway].as_ref().map_or(proxima_types::ServerId(uuid::Uuid::nil()), |row| row.id);
    Finding::Licensed(Box::new(Licensed {
        server_id: id,
        license: License { stored: LicenseStatus::Expired, grace_expires_at: None },
        expiry_observed: true,
        config: None,
        next_key: None,
        first_use: false,
    }))
}

fn raw(signed: SignedAnswer, retry: bool) -> RawAnswer {
    let mut headers = signed.headers;
    if retry {
        headers.insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("15"));
    }
    RawAnswer { status: signed.status, headers, body: signed.body }
}

/// Whether the answer's text says this; read here anew, not by the gateway's eyes.
fn says(answer: &RawAnswer, said: Said) -> bool {
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    match said {
        Said::Serve { limit: None } => answer.status == 200 && body["status"] == "ACTIVE",
        Said::Serve { limit: Some(_) } => {
            let grace = body["status"] == "GRACE" && body["graceExpiresAt"].is_string();
            let limited = body["status"] == "ACTIVE" && body["offlineLimitDays"].is_number();
            answer.status == 200 && (grace || limited)
        }
        Said::Expired => answer.status == 200 && body["status"] == "EXPIRED",
        Said::Retired => answer.status == 401 && body["code"] == "license_key_retired",
        Said::Unknown => answer.status == 401 && body["code"] == "license_key_unknown",
        Said::NoVerdict => answer.status == 503,
    }
}
