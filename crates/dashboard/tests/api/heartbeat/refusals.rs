//! Requests that are not well-formed, and what every answer's signature binds.

use super::server;
use proxima_signing::VerifyError;
use proxima_test_support::{Exchange, TestApp, TestGateway, rows_matching};
use proxima_types::{LicenseKey, ServerId};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

async fn exchange(gateway: &TestGateway, body: Vec<u8>) -> (Exchange, String) {
    let nonce = TestGateway::nonce();
    let authorization = format!("Bearer {}", gateway.key.expose());
    (gateway.exchange(Some(&nonce), Some(&authorization), body).await, nonce)
}

fn report(gateway: &mut TestGateway) -> Value {
    serde_json::to_value(gateway.report()).unwrap()
}

/// Signed for this nonce, but for no server: the gateway takes it for silence.
#[track_caller]
fn expect_no_verdict(gateway: &TestGateway, answer: &Exchange, nonce: &str, status: u16, code: &str) {
    let key = gateway.key.expose();
    assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(answer.json()["requestId"].as_str(), answer.headers["x-request-id"].to_str().ok());
    let verified = answer.verify(gateway.public_key(), nonce, key, gateway.server_id);
    assert_eq!(verified, Err(VerifyError::NoServer), "the signature itself holds");
    let other = answer.verify(gateway.public_key(), &TestGateway::nonce(), key, gateway.server_id);
    assert_eq!(other, Err(VerifyError::Signature), "and is bound to the nonce");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn malformed_heartbeats_are_refused_with_a_signature_and_change_nothing(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let mut gateway = app.gateway(&customer).await;
    let good = report(&mut gateway);
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(field).unwrap() = value;
        serde_json::to_vec(&body).unwrap()
    };
    let without = |field: &str| {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(field);
        serde_json::to_vec(&body).unwrap()
    };
    let mut bodies = vec![
        Vec::new(),
        b"{".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"<html>".to_vec(),
        vec![0xff; 100],
        b"[".repeat(10_000),
        br#"{"version":"\ud800"}"#.to_vec(),
        with("/sequence", json!(-1)),
        with("/sequence", json!(1.5)),
        with("/sequence", json!("1")),
        with("/sequence", json!(1e300)),
        with("/installId", json!("not-an-id")),
        with("/bootId", json!(7)),
        with("/phase", json!("SERVING")),
        with("/version", json!(["1.2.3"])),
        with("/host", json!("vps1")),
        with("/counters/requests", json!(-5)),
        with("/appliedConfig", json!({ "incarnation": 1 })),
        with("/appliedConfig", json!({ "incarnation": 4_294_967_296_u64, "number": 1 })),
        with("/version", json!("x".repeat(17 * 1024))),
    ];
    bodies.extend(good.as_object().unwrap().keys().filter(|key| !key.ends_with("Config")).map(|key| without(key)));
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let (answer, nonce) = exchange(&gateway, body).await;
        assert_eq!(answer.status, 422, "{shown}");
        expect_no_verdict(&gateway, &answer, &nonce, 422, "heartbeat_malformed");
    }
    // Megabytes: refused as soon as they are too long, if the connection lives to hear it.
    assert_eq!(rows_matching(&app.db, "gateway_installs", "true").await.len(), 0);
    assert_eq!(server(&admin, &customer).await["status"], "NOT_INSTALLED");
    // Unknown fields are a newer gateway's.
    let mut newer = good.clone();
    newer["newInVersion9"] = json!({ "a": [1, 2, 3] });
    let (answer, nonce) = exchange(&gateway, serde_json::to_vec(&newer).unwrap()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.verify(gateway.public_key(), &nonce, gateway.key.expose(), gateway.server_id), Ok(()));
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_body_of_16_kib_is_read_and_one_more_byte_is_not(db: PgPool) {
    let app = TestApp::start(db).await;
    let customer = app.customer("alice").await;
    let mut gateway = app.gateway(&customer).await;
    let mut body = serde_json::to_vec(&gateway.report()).unwrap();
    body.resize(16 * 1024, b' ');
    assert_eq!(exchange(&gateway, body.clone()).await.0.status, 200);
    body.push(b' ');
    let (answer, nonce) = exchange(&gateway, body).await;
    expect_no_verdict(&gateway, &answer, &nonce, 422, "heartbeat_malformed");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn without_a_fit_nonce_there_is_no_signed_answer(db: PgPool) {
    let app = TestApp::start(db).await;
    let customer = app.customer("alice").await;
    let mut gateway = app.gateway(&customer).await;
    let body = serde_json::to_vec(&gateway.report()).unwrap();
    let authorization = format!("Bearer {}", gateway.key.expose());
    let long = "n".repeat(65);
    for nonce in [
        None,
        Some(""),
        Some("short"),
        Some("fifteen-letters"),
        Some(long.as_str()),
        Some("with spaces in it!!"),
        Some("sixteen+letters/"),
    ] {
        let answer = gateway.exchange(nonce, Some(&authorization), body.clone()).await;
        assert_eq!(
            (answer.status, answer.json()["errors"][0]["field"].as_str()),
            (422, Some("Proxima-Nonce")),
            "{nonce:?}"
        );
        let verified =
            answer.verify(gateway.public_key(), nonce.unwrap_or("-"), gateway.key.expose(), gateway.server_id);
        assert_eq!(verified, Err(VerifyError::Unsigned), "{nonce:?}");
    }
    let answer = gateway.exchange(Some("short"), None, body.clone()).await;
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (401, Some("license_key_missing")),
        "who asks comes first"
    );
    let verified = answer.verify(gateway.public_key(), "short", gateway.key.expose(), gateway.server_id);
    assert_eq!(verified, Err(VerifyError::Unsigned));
    assert_eq!(rows_matching(&app.db, "gateway_installs", "true").await.len(), 0);
    let bounds = ["sixteen-letters_".to_owned(), "n".repeat(64)];
    for nonce in &bounds {
        let answer = gateway.exchange(Some(nonce), Some(&authorization), body.clone()).await;
        assert_eq!(answer.verify(gateway.public_key(), nonce, gateway.key.expose(), gateway.server_id), Ok(()));
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_key_that_was_never_ours_is_unknown_in_whatever_form(db: PgPool) {
    let app = TestApp::start(db).await;
    let customer = app.customer("alice").await;
    let mut gateway = app.gateway(&customer).await;
    let body = serde_json::to_vec(&gateway.report()).unwrap();
    let never = LicenseKey::from_random_bytes([9; 32]);
    let own = gateway.key.expose().to_owned();
    let token = app.session_token("alice").await;
    let presented = [
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some("Bearer ".to_owned()),
        Some(own.clone()),
        Some(format!("Basic {own}")),
        Some(format!("Bearer {}", never.expose())),
        Some(format!("Bearer {}", own.to_uppercase())),
        Some(format!("Bearer {own}x")),
        Some(format!("Bearer {}", &own[..45])),
        Some(format!("Bearer {token}")),
        Some("Bearer ' OR true --".to_owned()),
    ];
    for authorization in presented {
        let nonce = TestGateway::nonce();
        let answer = gateway.exchange(Some(&nonce), authorization.as_deref(), body.clone()).await;
        let code = answer.json()["code"].clone();
        assert_eq!((answer.status, code.as_str()), (401, Some("license_key_unknown")), "{authorization:?}");
        // The signature names the digest of what was presented, and no server.
        let presented = authorization.as_deref().and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default();
        let verified = answer.verify(gateway.public_key(), &nonce, presented.trim(), gateway.server_id);
        assert_eq!(verified, Err(VerifyError::NoServer), "{authorization:?}");
    }
    // The scheme's name is case-insensitive (RFC 9110 section 11.1).
    let answer = gateway.exchange(Some(&TestGateway::nonce()), Some(&format!("bearer {own}")), body).await;
    assert_eq!(answer.status, 200);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_answer_is_signed_for_this_request_alone(db: PgPool) {
    let app = TestApp::start(db).await;
    let customer = app.customer("alice").await;
    let mut gateway = app.gateway(&customer).await;
    let (answer, nonce) = {
        let body = serde_json::to_vec(&gateway.report()).unwrap();
        exchange(&gateway, body).await
    };
    let (public, key, id) = (gateway.public_key(), gateway.key.expose().to_owned(), gateway.server_id);
    assert_eq!(answer.verify(public, &nonce, &key, id), Ok(()));
    let stranger = TestApp::start(app.db.clone()).await.app.keyring.public_key().expect("a signing key");
    assert_eq!(answer.verify(stranger, &nonce, &key, id), Err(VerifyError::UnknownKey));
    assert_eq!(answer.verify(public, &TestGateway::nonce(), &key, id), Err(VerifyError::Signature));
    assert_eq!(answer.verify(public, &nonce, "pk_another", id), Err(VerifyError::OtherKey));
    assert_eq!(answer.verify(public, &nonce, &key, ServerId(Uuid::nil())), Err(VerifyError::OtherServer));
    let mut changed = answer.clone();
    changed.status = 401;
    assert_eq!(changed.verify(public, &nonce, &key, id), Err(VerifyError::Signature));
    let mut changed = answer.clone();
    changed.body.push(b' ');
    assert_eq!(changed.verify(public, &nonce, &key, id), Err(VerifyError::Body));
    let mut changed = answer.clone();
    changed.headers.insert("date", "Mon, 01 Jan 2001 00:00:00 GMT".parse().unwrap());
    assert_eq!(changed.verify(public, &nonce, &key, id), Err(VerifyError::Signature));
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn odd_host_facts_cost_no_license_and_are_stored_cut_and_clean(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let mut gateway = app.gateway(&customer).await;
    // What is sent, and what is left of it before it is cut.
    let texts = [
        ("a\u{0}b".to_owned(), "ab".to_owned()),
        ("\u{1b}[31mred\u{7}\r\nSet-Cookie: a=b".to_owned(), "red Set-Cookie: a=b".to_owned()),
        ("x".repeat(10_000), "x".repeat(500)),
        ("é".repeat(5_000), "é".repeat(500)),
        ("<script>alert(1)</script>".to_owned(), "<script>alert(1)</script>".to_owned()),
        (String::new(), String::new()),
    ];
    for (text, left) in texts {
        let mut body = report(&mut gateway);
        body["version"] = json!(text);
        // All four of 10 kB would be over the request's limit.
        let short: String = text.chars().take(500).collect();
        for field in ["os", "architecture", "hostname"] {
            body["host"][field] = json!(short);
        }
        let beat = gateway.send(serde_json::to_vec(&body).unwrap()).await;
        TestGateway::expect_status(&beat, "ACTIVE");
        let seen = server(&admin, &customer).await;
        let clean = |max: usize| -> Value {
            let cut: String = left.chars().take(max - 1).chain(['…']).collect();
            json!(if left.chars().count() > max { &cut } else { &left })
        };
        assert_eq!(seen["host"]["hostname"], clean(255));
        assert_eq!(seen["host"]["os"], clean(128));
        assert_eq!(seen["host"]["architecture"], clean(32));
        assert_eq!(seen["installedVersion"], clean(64));
    }
    // Numbers as large as JSON carries them.
    let mut body = report(&mut gateway);
    body["uptimeSeconds"] = json!(u64::MAX);
    for counter in ["requests", "bytesOut", "bytesIn", "backendErrors"] {
        body["counters"][counter] = json!(u64::MAX);
    }
    body["appliedConfig"] = json!({ "incarnation": u32::MAX, "number": u64::MAX });
    TestGateway::expect_status(&gateway.send(serde_json::to_vec(&body).unwrap()).await, "ACTIVE");
}
