//! A signed answer whose headers or body were changed is never taken for authentic (product.md section 4).
//!
//! Input: the number of a header, the length of its new value, that value; the rest is the body.
#![no_main]

use chrono::DateTime;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use proxima_signing::{Answer, AnswerSigner, Expected, verify};
use proxima_types::{KeyDigest, ServerId};
use std::sync::LazyLock;
use zeroize::Zeroizing;

const NONCE: &str = "pf2Vb3wX0mZQ1l6d5r7s9A";
const BODY: &[u8] = br#"{"status":"ACTIVE"}"#;
static SIGNER: LazyLock<AnswerSigner> =
    LazyLock::new(|| AnswerSigner::from_seed(&Zeroizing::new([7; 32])).expect("a signer"));

fn signed() -> HeaderMap {
    let answer = Answer {
        status: 200,
        nonce: NONCE,
        key_digest: KeyDigest::from_bytes([3; 32]),
        server_id: Some(ServerId(uuid::Uuid::from_bytes([5; 16]))),
        date: DateTime::from_timestamp(1_800_000_000, 0).expect("a date"),
        body: BODY,
    };
    SIGNER.sign(&answer).expect("signed")
}

fuzz_target!(|input: &[u8]| {
    let original = signed();
    let names: Vec<_> = original.keys().cloned().collect();
    let mut headers = original.clone();
    let mut body = BODY;
    if let [number, length, rest @ ..] = input {
        let (value, changed_body) = rest.split_at(usize::from(*length).min(rest.len()));
        if let Some(name) = names.get(usize::from(*number)) {
            let Ok(value) = HeaderValue::from_bytes(value) else { return };
            headers.insert(name.clone(), value);
        }
        if !changed_body.is_empty() {
            body = changed_body;
        }
    }
    let expected = Expected {
        nonce: NONCE,
        key_digest: KeyDigest::from_bytes([3; 32]),
        server_id: ServerId(uuid::Uuid::from_bytes([5; 16])),
    };
    let keys = [SIGNER.public_key()];
    let authentic = verify(&keys, expected, 200, &headers, body).is_ok();
    if headers == original && body == BODY {
        assert!(authentic, "what was signed verifies");
    } else if authentic {
        // The same fields in another spelling (a parameter's white space) may verify; another body, digest, server or date never.
        assert_eq!(body, BODY);
        for name in ["date", "proxima-key-digest", "proxima-server-id"] {
            assert_eq!(headers.get(name), original.get(name), "{name}");
        }
    }
});
