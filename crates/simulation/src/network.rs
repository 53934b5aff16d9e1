//! What is between a gateway and the dashboard.

use crate::dashboard::{Question, answer_to};
use crate::oracle::Word;
use crate::world::Shared;
use http::{HeaderMap, HeaderValue};
use proxima_gateway::agent::client::{Sending, Transport};
use proxima_gateway::agent::judge::RawAnswer;
use proxima_signing::{Answer, AnswerSigner};
use proxima_types::LicenseKey;
use proxima_types::heartbeat::HeartbeatRequest;
use rand::Rng as _;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// As the real client.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Recorded answers of one gateway.
const RECORDED: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Good,
    /// Requests and answers are lost, late, doubled and out of order.
    Bad,
    Partitioned,
    Refusing,
    /// A captive portal answers in the dashboard's place.
    Portal,
    /// Bytes of answers change.
    Corrupting,
    /// Somebody answers EXPIRED, signed with a key of their own.
    Forging,
    /// Somebody answers with what was answered before.
    Replaying,
}

pub struct HostLink {
    pub shared: Shared,
    pub gateway: usize,
    pub life: u64,
}

impl Transport for HostLink {
    fn send(&mut self, nonce: &str, key: &LicenseKey, request: &HeartbeatRequest) -> Sending {
        let question =
            Question { gateway: self.gateway, nonce: nonce.to_owned(), key: key.clone(), install: request.install_id };
        self.shared.lock().asked(self.gateway, key);
        let (shared, gateway, life) = (self.shared.clone(), self.gateway, self.life);
        Box::pin(async move {
            let Ok(answered) = timeout(TOTAL_TIMEOUT, cross(&shared, &question)).await else {
                return Err("timed out".to_owned());
            };
            let (raw, word) = answered?;
            shared.lock().delivered(gateway, life, &question.nonce, word, &raw);
            Ok(raw)
        })
    }
}

/// The way there and back; without a word the answer is not the dashboard's.
async fn cross(shared: &Shared, question: &Question) -> Result<(RawAnswer, Option<Word>), String> {
    let link = shared.lock().hosts[question.gateway].link;
    let bad = link == Link::Bad;
    match link {
        Link::Good | Link::Bad | Link::Corrupting => {}
        Link::Partitioned => std::future::pending().await,
        Link::Refusing => return Err("connection refused".to_owned()),
        Link::Portal => return Ok((portal(shared), None)),
        Link::Forging => return Ok((forged(question), None)),
        Link::Replaying => {
            let recorded = shared.lock().replay(question.gateway);
            return recorded.map(|answer| (answer, None)).ok_or_else(|| "connection reset".to_owned());
        }
    }
    travel(shared, bad).await;
    let mut answer = answer_to(shared, question).await?;
    if bad && shared.lock().rng.random_bool(0.3) {
        // The request was sent twice; the answers may overtake each other.
        travel(shared, true).await;
        let second = answer_to(shared, question).await?;
        if shared.lock().rng.random_bool(0.5) {
            answer = second;
        }
    }
    travel(shared, bad).await;
    let cut = shared.lock().hosts[question.gateway].link == Link::Partitioned;
    if cut {
        std::future::pending::<()>().await;
    }
    let mut world = shared.lock();
    let host = &mut world.hosts[question.gateway];
    host.recorded.push(answer.0.clone());
    if host.recorded.len() > RECORDED {
        host.recorded.remove(0);
    }
    let (mut raw, word) = answer;
    if link == Link::Corrupting && world.rng.random_bool(0.8) {
        corrupt(&mut raw, &mut world.rng);
        return Ok((raw, None));
    }
    Ok((raw, Some(word)))
}

async fn travel(shared: &Shared, bad: bool) {
    let (lost, ms) = {
        let mut world = shared.lock();
        let lost = bad && world.rng.random_bool(0.2);
        (lost, if bad { world.rng.random_range(1..6000) } else { world.rng.random_range(1..60) })
    };
    if lost {
        std::future::pending::<()>().await;
    }
    sleep(Duration::from_millis(ms)).await;
}

fn portal(shared: &Shared) -> RawAnswer {
    let which = shared.lock().rng.random_range(0..6);
    let (status, body) = match which {
        0 => (200, "<html>Please sign in to the network.</html>"),
        1 => (302, "<html>moved</html>"),
        2 => (401, "<html>authentication required</html>"),
        3 => (200, r#"{"status":"EXPIRED","graceExpiresAt":null,"serverTime":"2027-01-15T08:00:00Z"}"#),
        4 => (401, r#"{"code":"license_key_retired","detail":"no"}"#),
        _ => (503, "busy"),
    };
    RawAnswer { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() }
}

fn forged(question: &Question) -> RawAnswer {
    let body = br#"{"status":"EXPIRED","graceExpiresAt":null,"serverTime":"2027-01-15T08:00:00Z","nextHeartbeatSeconds":60,"offlineLimitDays":null}"#;
    let facts = Answer {
        status: 200,
        nonce: &question.nonce,
        key_digest: question.key.digest(),
        server_id: None,
        date: crate::clock::date(0, 0),
        body,
    };
    let signer = AnswerSigner::from_seed(&[66; 32].into());
    let headers = signer.and_then(|signer| signer.sign(&facts)).unwrap_or_default();
    RawAnswer { status: 200, headers, body: body.to_vec() }
}

/// Turns a bit, cuts the body, or changes status or headers: never nothing.
fn corrupt(answer: &mut RawAnswer, rng: &mut rand::rngs::StdRng) {
    match rng.random_range(0..5) {
        0 if !answer.body.is_empty() => {
            let at = rng.random_range(0..answer.body.len());
            answer.body[at] ^= 1 << rng.random_range(0..8);
        }
        1 if !answer.body.is_empty() => answer.body.truncate(answer.body.len() / 2),
        2 => answer.status = if answer.status == 200 { 401 } else { 200 },
        3 => {
            answer.headers.remove("signature");
        }
        _ => {
            answer.headers.insert("date", HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"));
        }
    }
}
