//! Every row of product.md section 4's table.

use super::*;
use chrono::TimeDelta;
use proxima_signing::{Answer, AnswerSigner};
use proxima_types::{KeyDigest, LicenseKey, ServerId};
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

const NONCE: &str = "bm9uY2Utbm9uY2Utbm9uY2U";

fn signer(seed: u8) -> AnswerSigner {
    AnswerSigner::from_seed(&Zeroizing::new([seed; 32])).expect("a key")
}

fn key_digest(seed: u8) -> KeyDigest {
    LicenseKey::from_random_bytes([seed; 32]).digest()
}

fn server(number: u128) -> ServerId {
    ServerId(Uuid::from_u128(number))
}

fn time() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("in range")
}

/// What the dashboard signs; a test bends one thing of it.
struct Signed {
    signer: u8,
    status: u16,
    nonce: &'static str,
    key: u8,
    server_id: Option<ServerId>,
    body: String,
}

impl Signed {
    fn new(status: u16, body: &Value) -> Self {
        Self { signer: 1, status, nonce: NONCE, key: 1, server_id: Some(server(1)), body: body.to_string() }
    }

    fn answer(&self) -> RawAnswer {
        let answer = Answer {
            status: self.status,
            nonce: self.nonce,
            key_digest: key_digest(self.key),
            server_id: self.server_id,
            date: time(),
            body: self.body.as_bytes(),
        };
        let headers = signer(self.signer).sign(&answer).expect("signed");
        RawAnswer { status: self.status, headers, body: self.body.clone().into_bytes() }
    }

    fn judged(&self) -> Verdict {
        judged(HttpOutcome::Answer(self.answer()))
    }
}

fn judged(outcome: HttpOutcome) -> Verdict {
    let expected = Expected { nonce: NONCE, key_digest: key_digest(1), server_id: server(1) };
    judge(&outcome, &[signer(1).public_key()], expected)
}

fn body(status: &str) -> Value {
    json!({
        "status": status,
        "graceExpiresAt": (status == "GRACE").then(|| time() + TimeDelta::days(5)),
        "serverTime": time(),
        "nextHeartbeatSeconds": 30,
        "offlineLimitDays": null,
    })
}

fn refusal(code: &str) -> Value {
    json!({ "type": "urn:proxima:problem:x", "status": 401, "code": code, "detail": "why" })
}

fn unsigned(status: u16, body: &str) -> Verdict {
    judged(HttpOutcome::Answer(RawAnswer { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() }))
}

fn is_silence(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Silence(_))
}

#[test]
fn signed_active_and_grace_serve() {
    let Verdict::Serve(terms) = Signed::new(200, &body("ACTIVE")).judged() else { panic!("serves") };
    assert_eq!((terms.status, terms.next_heartbeat_seconds, terms.config), (LicenseStatus::Active, 30, None));
    let Verdict::Serve(terms) = Signed::new(200, &body("GRACE")).judged() else { panic!("serves") };
    assert_eq!(terms.grace_expires_at, Some(time() + TimeDelta::days(5)));
}

#[test]
fn signed_expired_and_signed_retired_stop() {
    assert_eq!(Signed::new(200, &body("EXPIRED")).judged(), Verdict::Stop(StopReason::Expired));
    let stopped = Signed::new(401, &refusal("license_key_retired")).judged();
    assert_eq!(stopped, Verdict::Stop(StopReason::KeyRetired { detail: "why".to_owned() }));
}

#[test]
fn an_unreadable_config_costs_no_verdict() {
    let mut with_config = body("ACTIVE");
    with_config["config"] = json!({ "generation": { "incarnation": 1, "number": 2 }, "config": { "novelty": [] } });
    let Verdict::Serve(terms) = Signed::new(200, &with_config).judged() else { panic!("serves") };
    let offered = terms.config.expect("offered");
    assert_eq!(offered.generation.number, 2);
    assert!(offered.config.is_err_and(|why| why.contains("novelty")));
    with_config["status"] = json!("EXPIRED");
    assert_eq!(Signed::new(200, &with_config).judged(), Verdict::Stop(StopReason::Expired));
}

#[test]
fn a_newer_dashboards_additional_fields_are_ignored() {
    let mut newer = body("ACTIVE");
    newer["novelty"] = json!({ "a": 1 });
    assert!(matches!(Signed::new(200, &newer).judged(), Verdict::Serve(_)));
}

#[test]
fn everything_else_that_is_signed_is_silence() {
    for (name, verdict) in [
        ("unknown key, for no server", {
            let signed = Signed { server_id: None, ..Signed::new(401, &refusal("license_key_unknown")) };
            signed.judged()
        }),
        ("unknown key, for this server", Signed::new(401, &refusal("license_key_unknown")).judged()),
        ("another 401", Signed::new(401, &refusal("unauthenticated")).judged()),
        ("a 401 without a code", Signed::new(401, &json!({})).judged()),
        ("retired, but not a 401", Signed::new(403, &refusal("license_key_retired")).judged()),
        ("500", Signed::new(500, &body("EXPIRED")).judged()),
        ("503", Signed::new(503, &refusal("license_key_retired")).judged()),
        ("an unknown status word", Signed::new(200, &body("PAUSED")).judged()),
        ("not an answer", Signed::new(200, &json!([])).judged()),
        ("grace without its end", {
            let mut odd = body("GRACE");
            odd["graceExpiresAt"] = Value::Null;
            Signed::new(200, &odd).judged()
        }),
        ("redirect", Signed::new(302, &body("EXPIRED")).judged()),
        ("204", Signed::new(204, &body("EXPIRED")).judged()),
    ] {
        assert!(is_silence(&verdict), "{name}: {verdict:?}");
    }
}

#[test]
fn what_is_not_signed_for_this_very_request_is_silence() {
    let expired = || Signed::new(200, &body("EXPIRED"));
    let retired = || Signed::new(401, &refusal("license_key_retired"));
    for stop in [expired, retired] {
        for (name, signed) in [
            ("another nonce", Signed { nonce: "b3RoZXItb3RoZXItb3RoZXI", ..stop() }),
            ("another signing key", Signed { signer: 2, ..stop() }),
            ("another license key", Signed { key: 2, ..stop() }),
            ("another server", Signed { server_id: Some(server(2)), ..stop() }),
            ("no server", Signed { server_id: None, ..stop() }),
        ] {
            assert!(is_silence(&signed.judged()), "{name}");
        }
        let mut changed = stop().answer();
        changed.body.push(b' ');
        assert!(is_silence(&judged(HttpOutcome::Answer(changed))), "changed body");
    }
    let mut changed = Signed::new(403, &refusal("license_key_retired")).answer();
    changed.status = 401;
    assert!(is_silence(&judged(HttpOutcome::Answer(changed))), "changed status");
    let mut grafted = Signed::new(200, &body("ACTIVE")).answer();
    grafted.body = body("EXPIRED").to_string().into_bytes();
    assert!(is_silence(&judged(HttpOutcome::Answer(grafted))), "another body under the headers");
}

#[test]
fn what_is_not_signed_at_all_is_silence() {
    let html = "<html>Sign in to the hotel's network</html>";
    for (status, body) in [
        (401, refusal("license_key_retired").to_string()),
        (401, refusal("license_key_unknown").to_string()),
        (200, body("EXPIRED").to_string()),
        (200, body("ACTIVE").to_string()),
        (200, html.to_owned()),
        (302, html.to_owned()),
        (401, html.to_owned()),
        (500, String::new()),
        (502, html.to_owned()),
        (503, String::new()),
        (429, String::new()),
        (999, String::new()),
    ] {
        let verdict = unsigned(status, &body);
        assert!(is_silence(&verdict), "{status} {body}: {verdict:?}");
    }
}

#[test]
fn no_answer_is_silence() {
    for why in
        ["timed out", "connection refused", "invalid peer certificate", "the answer is larger than 4194304 bytes"]
    {
        assert_eq!(judged(HttpOutcome::NoAnswer(why.to_owned())), Verdict::Silence(Silence::NoAnswer(why.to_owned())));
    }
}
