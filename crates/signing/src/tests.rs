use crate::*;
use chrono::DateTime;
use http::{HeaderMap, HeaderName, HeaderValue};
use httpsig::prelude::{AlgorithmName, SecretKey};
use proxima_types::identity::DashboardPublicKey;
use proxima_types::{KeyDigest, ServerId};
use zeroize::Zeroizing;

const NONCE: &str = "bm9uY2Utbm9uY2Utbm9uY2U";
const BODY: &[u8] = br#"{"status":"ACTIVE"}"#;

/// The public halves of the seeds [1; 32] and [2; 32], computed with OpenSSL.
fn public_of(seed: u8) -> DashboardPublicKey {
    let text = match seed {
        1 => "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=",
        _ => "gTl3Dqh9F19Wo1Rmw0x+zMuNipG07jeiXfYPW4/Js5Q=",
    };
    DashboardPublicKey::parse(text).expect("32 bytes")
}

fn signer(seed: u8) -> AnswerSigner {
    AnswerSigner::from_seed(&Zeroizing::new([seed; 32])).expect("a key")
}

fn server() -> ServerId {
    ServerId("0192f0c1-2222-7333-8444-555566667777".parse().expect("a uuid"))
}

fn answer() -> Answer<'static> {
    Answer {
        status: 200,
        nonce: NONCE,
        key_digest: KeyDigest::of_presented("pk_x"),
        server_id: Some(server()),
        date: DateTime::from_timestamp(1_800_000_000, 0).expect("in range"),
        body: BODY,
    }
}

fn expected() -> Expected<'static> {
    Expected { nonce: NONCE, key_digest: KeyDigest::of_presented("pk_x"), server_id: server() }
}

fn check(headers: &HeaderMap, status: u16, body: &[u8], expected: Expected<'_>) -> Result<(), VerifyError> {
    verify(&[public_of(1)], expected, status, headers, body)
}

#[test]
fn an_authentic_answer_verifies_under_any_configured_key() {
    let headers = signer(1).sign(&answer()).expect("signed");
    assert_eq!(signer(1).public_key(), public_of(1));
    assert_eq!(check(&headers, 200, BODY, expected()), Ok(()));
    let keys = [public_of(2), public_of(1)];
    assert_eq!(verify(&keys, expected(), 200, &headers, BODY), Ok(()));
}

#[test]
fn every_covered_part_counts() {
    let headers = signer(1).sign(&answer()).expect("signed");
    assert_eq!(check(&headers, 401, BODY, expected()), Err(VerifyError::Signature));
    assert_eq!(check(&headers, 200, b"{}", expected()), Err(VerifyError::Body));
    let stale = Expected { nonce: "b3RoZXItb3RoZXItb3RoZXI", ..expected() };
    assert_eq!(check(&headers, 200, BODY, stale), Err(VerifyError::Signature));
    let other = Expected { key_digest: KeyDigest::of_presented("pk_y"), ..expected() };
    assert_eq!(check(&headers, 200, BODY, other), Err(VerifyError::OtherKey));
    let other = Expected { server_id: ServerId(uuid::Uuid::nil()), ..expected() };
    assert_eq!(check(&headers, 200, BODY, other), Err(VerifyError::OtherServer));
    let nobodys = signer(1).sign(&Answer { server_id: None, ..answer() }).expect("signed");
    assert_eq!(check(&nobodys, 200, BODY, expected()), Err(VerifyError::NoServer));
    for name in ["date", KEY_DIGEST_HEADER, SERVER_ID_HEADER, "content-digest"] {
        let mut forged = headers.clone();
        forged.insert(HeaderName::from_static(name), HeaderValue::from_static("Mon, 01 Jan 2035 00:00:00 GMT"));
        assert_eq!(check(&forged, 200, BODY, expected()), Err(VerifyError::Signature), "{name}");
    }
}

#[test]
fn unsigned_foreign_and_doubled_signatures_are_refused() {
    assert_eq!(check(&HeaderMap::new(), 401, BODY, expected()), Err(VerifyError::Unsigned));
    let foreign = signer(2).sign(&answer()).expect("signed");
    assert_eq!(check(&foreign, 200, BODY, expected()), Err(VerifyError::UnknownKey));
    let mut doubled = signer(1).sign(&answer()).expect("signed");
    doubled.append("date", HeaderValue::from_static("Mon, 01 Jan 2035 00:00:00 GMT"));
    assert_eq!(check(&doubled, 200, BODY, expected()), Err(VerifyError::Malformed));
    let mut garbage = signer(1).sign(&answer()).expect("signed");
    garbage.insert("signature", HeaderValue::from_static("proxima=nonsense"));
    assert_eq!(check(&garbage, 200, BODY, expected()), Err(VerifyError::Malformed));
}

#[test]
fn a_valid_signature_over_fewer_components_proves_nothing() {
    use httpsig::prelude::message_component::{HttpMessageComponent, HttpMessageComponentId};
    use httpsig::prelude::{HttpSignatureBase, HttpSignatureParams};
    let mut headers = signer(1).sign(&answer()).expect("signed");
    let id = HttpMessageComponentId::try_from("\"@status\"").expect("an id");
    let line = HttpMessageComponent::try_from((&id, &["200".to_owned()][..])).expect("a line");
    let secret = SecretKey::from_bytes(&AlgorithmName::Ed25519, &[1; 32]).expect("a key");
    let mut params = HttpSignatureParams::try_new(&[id]).expect("params");
    params.set_key_info(&secret);
    let weak = HttpSignatureBase::try_new(&[line], &params)
        .and_then(|base| base.build_signature_headers(&secret, Some("proxima")))
        .expect("signed");
    headers.insert("signature", weak.signature_header_value().parse().expect("a value"));
    headers.insert("signature-input", weak.signature_input_header_value().parse().expect("a value"));
    assert_eq!(check(&headers, 200, BODY, expected()), Err(VerifyError::Covered));
}
