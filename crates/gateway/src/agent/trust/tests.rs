use super::super::judge::RawAnswer;
use super::*;
use crate::agent::store::tests::TempDir;
use crate::clock::Reading;
use chrono::DateTime;
use proxima_signing::{Answer, AnswerSigner};
use proxima_types::{ApiSecret, KeyDigest, LicenseKey, ServerId};
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

const NONCE: &str = "bm9uY2Utbm9uY2Utbm9uY2U";

fn signer(seed: u8) -> AnswerSigner {
    AnswerSigner::from_seed(&Zeroizing::new([seed; 32])).expect("a key")
}

fn keys(seeds: &[u8]) -> Vec<DashboardPublicKey> {
    seeds.iter().map(|seed| signer(*seed).public_key()).collect()
}

/// config.json with these signing keys, of this installation.
fn identity(seeds: &[u8], install: u128) -> GatewayIdentity {
    let json = json!({
        "dashboardUrl": "https://panel.example.com",
        "dashboardPublicKeys": keys(seeds),
        "serverId": Uuid::from_u128(1),
        "apiKey": LicenseKey::from_random_bytes([8; 32]),
        "apiSecret": ApiSecret::from_random_bytes([9; 32]),
        "installId": Uuid::from_u128(install),
    });
    GatewayIdentity::parse(&json.to_string()).expect("valid")
}

/// A 200 that names these keys, signed by another, to a heartbeat with any license key.
fn answer(by: u8, named: &[u8], server: u128) -> StoredVerdict {
    let date = DateTime::from_timestamp(1_800_000_000, 0).expect("in range");
    let body = json!({ "status": "ACTIVE", "graceExpiresAt": null, "serverTime": date,
        "dashboardPublicKeys": keys(named) });
    let body = body.to_string().into_bytes();
    let key_digest = KeyDigest::of_presented("pk_of_then");
    let server_id = Some(ServerId(Uuid::from_u128(server)));
    let signed = Answer { status: 200, nonce: NONCE, key_digest, server_id, date, body: &body };
    let headers = signer(by).sign(&signed).expect("signed");
    let received = Reading { kernel_boot: None, since_boot_ms: 0, wall: date };
    let install = proxima_types::InstallId(Uuid::from_u128(2));
    StoredVerdict::new(NONCE, &RawAnswer { status: 200, headers, body }, install, received)
}

fn opened() -> (TempDir, StateDir) {
    let temp = TempDir::new();
    let state = StateDir::open(&temp.0).expect("opens");
    (temp, state)
}

/// As the agent does with an authentic answer.
fn take(trust: &mut Trust, state: &StateDir, by: u8, named: &[u8]) -> Result<bool, String> {
    trust.take(keys(named), answer(by, named, 1), &identity(&[1], 2), state)
}

#[test]
fn a_new_key_is_named_under_the_present_one_and_the_old_one_goes_under_the_new_one() {
    let (_temp, state) = opened();
    let config = identity(&[1], 2);
    let mut trust = Trust::load(&state, &config);
    assert_eq!(trust.current(), keys(&[1]));
    assert_eq!(take(&mut trust, &state, 1, &[1, 2]), Ok(true));
    assert_eq!(take(&mut trust, &state, 1, &[2, 1]), Ok(false), "the same keys");
    assert_eq!(Trust::load(&state, &config).current(), keys(&[1, 2]), "a restart");
    assert_eq!(take(&mut trust, &state, 2, &[2]), Ok(true));
    for trust in [&trust, &Trust::load(&state, &config)] {
        assert_eq!(trust.current(), keys(&[2]));
        assert_eq!(trust.ever(), keys(&[1, 2]), "evidence of then stays evidence");
        assert_eq!(trust.ids(), [key_id(keys(&[2])[0])]);
    }
}

#[test]
fn an_answer_never_cuts_the_gateway_off_from_its_sender() {
    let (_temp, state) = opened();
    let mut trust = Trust::load(&state, &identity(&[1], 2));
    assert!(take(&mut trust, &state, 1, &[2]).is_err());
    assert_eq!(trust.current(), keys(&[1]));
    assert_eq!(Trust::load(&state, &identity(&[1], 2)).current(), keys(&[1]), "nothing was stored");
}

#[test]
fn what_does_not_follow_from_config_json_is_ignored() {
    let (_temp, state) = opened();
    let mut trust = Trust::load(&state, &identity(&[1], 2));
    assert_eq!(take(&mut trust, &state, 1, &[1, 2]), Ok(true));
    assert_eq!(Trust::load(&state, &identity(&[3], 2)).current(), keys(&[3]), "another dashboard's config.json");
    assert_eq!(Trust::load(&state, &identity(&[1], 5)).current(), keys(&[1]), "another installation");
    assert_eq!(Trust::load(&state, &identity(&[1], 2)).current(), keys(&[1, 2]), "rolled back: found again");
    for forged in [answer(3, &[1, 3], 1), answer(1, &[1, 3], 7)] {
        state.save(TRUST_FILE, &Namings { links: vec![forged] });
        assert_eq!(Trust::load(&state, &identity(&[1], 2)).current(), keys(&[1]));
    }
}

#[test]
fn a_full_disk_leaves_the_present_keys() {
    let (temp, state) = opened();
    let mut trust = Trust::load(&state, &identity(&[1], 2));
    std::fs::create_dir(temp.0.join(TRUST_FILE)).expect("a folder in its place");
    assert!(take(&mut trust, &state, 1, &[1, 2]).expect_err("not stored").contains("cannot be stored"));
    assert_eq!(trust.current(), keys(&[1]));
}

#[test]
fn malformed_or_too_many_keys_are_not_taken() {
    let read = |keys: Value| named_by(json!({ "dashboardPublicKeys": keys }).to_string().as_bytes());
    assert_eq!(named_by(b"{}"), None);
    assert_eq!(read(Value::Null), None);
    assert_eq!(read(json!(keys(&[1, 2]))), Some(Ok(keys(&[1, 2]))));
    for bad in [json!([]), json!("x"), json!(["x"]), json!(keys(&[1, 2, 3, 4, 5, 6, 7, 8, 9]))] {
        assert!(read(bad.clone()).is_some_and(|read| read.is_err()), "{bad}");
    }
}
