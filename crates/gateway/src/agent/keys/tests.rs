use super::super::judge::RawAnswer;
use super::*;
use crate::agent::store::tests::TempDir;
use crate::clock::Reading;
use chrono::DateTime;
use proxima_signing::{Answer, AnswerSigner};
use proxima_types::ServerId;
use proxima_types::identity::GatewayIdentity;
use serde_json::{Value, json};
use uuid::Uuid;
use zeroize::Zeroizing;

const NONCE: &str = "bm9uY2Utbm9uY2Utbm9uY2U";

fn key(seed: u8) -> LicenseKey {
    LicenseKey::from_random_bytes([seed; 32])
}

fn signer(seed: u8) -> AnswerSigner {
    AnswerSigner::from_seed(&Zeroizing::new([seed; 32])).expect("a key")
}

fn time() -> DateTime<chrono::Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).expect("in range")
}

/// config.json with this key.
fn identity(seed: u8) -> GatewayIdentity {
    let json = json!({
        "dashboardUrl": "https://panel.example.com",
        "dashboardPublicKeys": [signer(1).public_key().to_string()],
        "serverId": Uuid::from_u128(1),
        "apiKey": key(seed),
        "apiSecret": proxima_types::ApiSecret::from_random_bytes([9; 32]),
        "installId": Uuid::from_u128(2),
    });
    GatewayIdentity::parse(&json.to_string()).expect("valid")
}

fn body(status: &str, next: Option<u8>) -> Value {
    let mut body = json!({ "status": status, "graceExpiresAt": null, "serverTime": time() });
    if let Some(next) = next {
        body["nextApiKey"] = json!(key(next));
    }
    body
}

/// A 200 to a heartbeat with this key, signed by this signer for this server.
fn answer(asked: u8, body: &Value, by: u8, server: u128) -> StoredVerdict {
    let body = body.to_string().into_bytes();
    let signed = Answer {
        status: 200,
        nonce: NONCE,
        key_digest: key(asked).digest(),
        server_id: Some(ServerId(Uuid::from_u128(server))),
        date: time(),
        body: &body,
    };
    let headers = signer(by).sign(&signed).expect("signed");
    let received = Reading { kernel_boot: None, since_boot_ms: 0, wall: time() };
    StoredVerdict::new(NONCE, &RawAnswer { status: 200, headers, body }, identity(1).install_id, received)
}

fn evidence(asked: u8, next: u8) -> StoredVerdict {
    answer(asked, &body("ACTIVE", Some(next)), 1, 1)
}

fn hand(keys: &mut Keys, state: &StateDir, asked: u8, next: u8) -> Result<Taken, String> {
    keys.take(&key(asked), key(next), evidence(asked, next), state)
}

fn opened() -> (TempDir, StateDir) {
    let temp = TempDir::new();
    let state = StateDir::open(&temp.0).expect("opens");
    (temp, state)
}

fn load(state: &StateDir, config: u8) -> Keys {
    Keys::load(state, &identity(config), &identity(config).dashboard_public_keys)
}

fn current(state: &StateDir, config: u8) -> LicenseKey {
    load(state, config).current().clone()
}

fn retired() -> Verdict {
    Verdict::Stop(StopReason::KeyRetired { detail: String::new() })
}

fn unreachable() -> Verdict {
    Verdict::Silence(Silence::NoAnswer("refused".to_owned()))
}

#[test]
fn a_chain_of_hand_overs_survives_restarts() {
    let (_temp, state) = opened();
    let mut keys = load(&state, 1);
    assert_eq!(keys.current(), &key(1));
    for next in 2..6 {
        assert_eq!(hand(&mut keys, &state, next - 1, next), Ok(Taken::New));
        assert_eq!(current(&state, 1), key(next), "stored before it is used");
    }
    let again = load(&state, 1);
    let both: Vec<_> = again.both().cloned().collect();
    assert_eq!(both, [key(5), key(4)]);
    assert!(again.status().handed_over && !again.status().answered);
}

#[test]
fn another_key_in_config_json_wins_and_the_chain_goes_on_from_one_of_its_own() {
    let (_temp, state) = opened();
    let mut keys = load(&state, 1);
    hand(&mut keys, &state, 1, 2).expect("taken");
    hand(&mut keys, &state, 2, 3).expect("taken");
    assert_eq!(current(&state, 7), key(7), "a re-install");
    assert_eq!(current(&state, 1), key(3), "rolled back");
    assert_eq!(current(&state, 2), key(3), "a re-install with the key of before");
    assert_eq!(current(&state, 3), key(3));
    assert!(!load(&state, 3).status().handed_over);
}

#[test]
fn a_hand_over_that_does_not_verify_is_ignored() {
    let changed = |change: &dyn Fn(&mut Value)| {
        let (_temp, state) = opened();
        hand(&mut load(&state, 1), &state, 1, 2).expect("taken");
        let mut file: Value = state.load(HANDOVER_FILE).expect("stored");
        change(&mut file);
        state.save(HANDOVER_FILE, &file);
        current(&state, 1)
    };
    assert_eq!(changed(&|_| {}), key(2));
    let put = |link: StoredVerdict| move |file: &mut Value| file["links"] = json!([link]);
    assert_eq!(changed(&put(answer(1, &body("ACTIVE", Some(3)), 2, 1))), key(1), "another dashboard's");
    assert_eq!(changed(&put(answer(1, &body("ACTIVE", Some(3)), 1, 9))), key(1), "another server's");
    assert_eq!(changed(&put(answer(1, &body("ACTIVE", None), 1, 1))), key(1), "it hands over nothing");
    assert_eq!(changed(&put(answer(1, &json!({ "nextApiKey": key(3) }), 1, 1))), key(1), "no verdict");
    assert_eq!(changed(&put(answer(1, &body("EXPIRED", Some(3)), 1, 1))), key(3), "EXPIRED is an authentic answer");
    assert_eq!(changed(&|file| file["links"][0]["body"] = json!("e30=")), key(1));
    assert_eq!(changed(&|file| *file = json!({ "version": 2 })), key(1), "a later version's file");
    assert_eq!(changed(&|file| file["later"] = json!(true)), key(2));
}

#[test]
fn what_is_handed_over_again_is_known_and_a_fresh_key_replaces_an_unused_one() {
    let (_temp, state) = opened();
    let mut keys = load(&state, 1);
    hand(&mut keys, &state, 1, 2).expect("taken");
    assert_eq!(hand(&mut keys, &state, 1, 2), Ok(Taken::Known));
    assert_eq!(hand(&mut keys, &state, 2, 2), Ok(Taken::Known));
    assert_eq!(hand(&mut keys, &state, 1, 3), Ok(Taken::New));
    let keys = load(&state, 1);
    assert_eq!(keys.both().cloned().collect::<Vec<_>>(), [key(3), key(1)]);
    assert_eq!(keys.links.len(), 1);
}

#[test]
fn what_cannot_be_kept_is_not_used() {
    let (temp, state) = opened();
    let mut keys = load(&state, 1);
    let mut long = body("ACTIVE", Some(2));
    long["config"] = json!("x".repeat(MAX_BODY));
    let refused = keys.take(&key(1), key(2), answer(1, &long, 1, 1), &state);
    assert!(refused.is_err_and(|why| why.contains("longer")));
    // A directory in the file's place: as a full disk, it cannot be replaced.
    std::fs::create_dir_all(temp.0.join(HANDOVER_FILE).join("in the way")).expect("made");
    assert!(hand(&mut keys, &state, 1, 2).is_err_and(|why| why.contains("cannot be stored")));
    assert_eq!(keys.current(), &key(1));
    assert!(!keys.status().handed_over);
}

#[test]
fn until_the_new_key_is_answered_the_old_one_is_asked_with_too() {
    let (_temp, state) = opened();
    let mut keys = load(&state, 1);
    let unsigned =
        || Verdict::Silence(Silence::NotAuthentic { status: 500, reason: proxima_signing::VerifyError::Unsigned });
    let unknown = || {
        let reason = proxima_signing::VerifyError::OtherServer;
        Verdict::Silence(Silence::NotAuthentic { status: 401, reason })
    };
    assert_eq!(keys.fallback(&retired()), None, "there is no other");
    assert_eq!(keys.fallback(&unknown()), None);
    hand(&mut keys, &state, 1, 2).expect("taken");
    for verdict in [retired(), unreachable(), unsigned(), unknown()] {
        assert_eq!(keys.fallback(&verdict), Some(key(1)), "{verdict:?}");
    }
    assert_eq!(keys.fallback(&Verdict::Stop(StopReason::Expired)), None);
    keys.answered(&key(1));
    assert_eq!(keys.fallback(&unreachable()), Some(key(1)), "the old key's answer changes nothing");
    keys.answered(&key(2));
    for verdict in [retired(), unreachable(), unsigned()] {
        assert_eq!(keys.fallback(&verdict), None, "{verdict:?}");
    }
    assert_eq!(keys.fallback(&unknown()), Some(key(1)), "a dashboard that has lost the new key");
    keys.previous_is_retired();
    assert_eq!(keys.fallback(&unknown()), None);
}

#[test]
fn a_restart_knows_whether_the_new_key_was_answered() {
    let (_temp, state) = opened();
    hand(&mut load(&state, 1), &state, 1, 2).expect("taken");
    for (stored, answered) in [
        (answer(1, &body("ACTIVE", None), 1, 1), false),
        (answer(2, &body("ACTIVE", None), 2, 1), false),
        (answer(2, &body("ACTIVE", None), 1, 1), true),
        (answer(2, &body("EXPIRED", None), 1, 1), true),
    ] {
        stored.save(&state);
        assert_eq!(load(&state, 1).status().answered, answered, "{stored:?}");
    }
}

#[test]
fn an_offer_is_read_leniently_and_its_text_is_never_repeated() {
    let read = |value: Value| offered(value.to_string().as_bytes());
    assert_eq!(read(json!({})), None);
    assert_eq!(read(json!({ "nextApiKey": null })), None);
    assert_eq!(read(json!([])), None);
    assert_eq!(read(json!({ "nextApiKey": key(2) })), Some(Ok(key(2))));
    for bad in [json!("pk_hunter2"), json!(7), json!(["pk_hunter2"])] {
        let why = read(json!({ "nextApiKey": bad })).expect("an offer").expect_err("malformed");
        assert!(!why.contains("hunter2"), "{why}");
    }
}
