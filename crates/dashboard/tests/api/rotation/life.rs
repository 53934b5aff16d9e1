//! A rotation from its beginning to the first use of the new key.

use super::{Bench, expect_plain, expect_retired, handed, masked};
use chrono::{DateTime, Duration, Utc};
use proxima_dashboard::app::{Actor, gateway_config};
use proxima_dashboard::jobs;
use proxima_test_support::{TestGateway, audited, dump};
use proxima_types::identity::DashboardUrl;
use serde_json::{Value, json};
use sqlx::PgPool;

fn date(value: &Value) -> DateTime<Utc> {
    value.as_str().expect("a date").parse().expect("a date")
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_gateway_is_handed_its_key_until_it_uses_it_and_then_the_old_one_ends(db: PgPool) {
    let mut bench = Bench::new(db).await;
    let old = bench.gateway.key.clone();
    let before = bench.license().await;
    assert_eq!((&before["rotation"], &before["lastRotation"]), (&Value::Null, &Value::Null));
    assert_eq!(before["defaultRotationLimitSeconds"], 86_400);

    let begun = bench.begin().await;
    let rotation = &begun["rotation"];
    assert_eq!(date(&rotation["limitAt"]) - date(&rotation["startedAt"]), Duration::hours(24));
    assert_eq!((&rotation["startedBy"], &begun["maskedKey"]), (&json!("admin"), &json!(masked(&old))));

    // Answers can be lost: it is the same key until it is seen.
    let new = handed(&bench.gateway.beat().await);
    for _ in 0..2 {
        let beat = bench.gateway.beat().await;
        TestGateway::expect_status(&beat, "ACTIVE");
        assert_eq!((handed(&beat), &beat.body["nextHeartbeatSeconds"]), (new.clone(), &json!(1)));
    }
    assert_ne!(new, old);
    assert_eq!(rotation["maskedKey"], masked(&new));
    assert_eq!(bench.license().await["rotation"], *rotation, "handing it over is not adopting it");

    bench.gateway.key = new.clone();
    expect_plain(&bench.gateway.beat().await, "ACTIVE");
    let after = bench.license().await;
    assert_eq!((&after["rotation"], &after["maskedKey"]), (&Value::Null, &json!(masked(&new))));
    let last = &after["lastRotation"];
    assert_eq!(last["startedAt"], rotation["startedAt"]);
    assert_eq!(last["adoptedAt"], last["endedAt"]);
    assert!(date(&last["endedAt"]) > date(&last["startedAt"]));

    expect_retired(&bench.beat_with(&old).await);
    assert_eq!(bench.retired().await, ["ROTATED"]);
    expect_plain(&bench.gateway.beat().await, "ACTIVE");
    let revealed = bench.admin.post(&bench.path("/reveal"), &json!({})).await.expect(200);
    assert_eq!(revealed["apiKey"], new.expose());

    // The next one follows.
    let third = bench.hand_over().await;
    bench.gateway.key = third;
    expect_plain(&bench.gateway.beat().await, "ACTIVE");
    for key in [old, new] {
        expect_retired(&bench.beat_with(&key).await);
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn who_did_what_is_on_record_and_no_key_is(db: PgPool) {
    let mut bench = Bench::new(db).await;
    let new = bench.hand_over().await;
    assert_eq!(dump(&bench.app.db).await.matches(&new.expose()[3..]).count(), 0, "no next key in clear");
    bench.gateway.key = new.clone();
    bench.gateway.beat().await;
    bench.gateway.beat().await;

    let began = audited(&bench.app.db, "server.license.rotate").await;
    let ended = audited(&bench.app.db, "server.license.rotate.end").await;
    assert_eq!((began.len(), ended.len()), (1, 1));
    let (began, ended) = (&began[0], &ended[0]);
    for row in [began, ended] {
        assert_eq!((row.outcome.as_str(), row.target), ("SUCCESS", Some(bench.customer.server_id.0)));
        assert_eq!(row.target_name.as_deref(), Some("alice's Server"));
        assert_eq!(row.metadata["newKeyEndsIn"], new.last4());
    }
    assert_eq!((began.username.as_str(), began.ip.as_deref()), ("admin", Some("127.0.0.1")));
    assert_eq!((&began.metadata["limitSeconds"], &began.metadata["ownerUsername"]), (&json!(86_400), &json!("alice")));
    assert_eq!((ended.username.as_str(), ended.user_id, ended.ip.as_deref()), ("system", None, None));
    assert_eq!((&ended.metadata["ended"], &ended.metadata["startedBy"]), (&json!("ADOPTED"), &json!("admin")));
    assert_eq!(ended.metadata["limitAt"], began.metadata["limitAt"]);
    assert_eq!(proxima_test_support::first_broken(&bench.app.db).await.unwrap(), None);
    assert_eq!(dump(&bench.app.db).await.matches(&new.expose()[3..]).count(), 0, "no key in clear");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn the_limit_is_chosen_within_bounds(db: PgPool) {
    let bench = Bench::new(db).await;
    for out_of_range in [0, 299, 2_592_001] {
        let answer = bench.admin.post(&bench.path("/rotate"), &json!({ "limitSeconds": out_of_range })).await;
        answer.refuses(&[("limitSeconds", "out_of_range")]);
    }
    for malformed in [json!({ "limitSeconds": -1 }), json!({ "limitSeconds": "300" }), json!({ "limit": 300 })] {
        bench.admin.post(&bench.path("/rotate"), &malformed).await.problem(422, "validation_failed");
    }
    assert_eq!(bench.license().await["rotation"], Value::Null);
    for seconds in [300, 2_592_000] {
        let begun = bench.admin.post(&bench.path("/rotate"), &json!({ "limitSeconds": seconds })).await.expect(200);
        let rotation = &begun["rotation"];
        assert_eq!((date(&rotation["limitAt"]) - date(&rotation["startedAt"])).num_seconds(), seconds);
        bench.admin.post(&bench.path("/rotate/cancel"), &json!({})).await.expect_status(200);
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn grace_and_expiry_are_the_same_for_both_keys(db: PgPool) {
    let mut bench = Bench::new(db).await;
    let new = bench.hand_over().await;
    let revoked = bench.admin.post(&bench.path("/revoke"), &json!({})).await.expect(200);
    assert_eq!(revoked["rotation"]["maskedKey"], masked(&new), "revoking leaves the rotation open");
    let beat = bench.gateway.beat().await;
    TestGateway::expect_status(&beat, "GRACE");
    assert_eq!((handed(&beat), &beat.body["graceExpiresAt"]), (new.clone(), &revoked["graceExpiresAt"]));

    bench.set("grace_expires_at = now()").await;
    let beat = bench.gateway.beat().await;
    TestGateway::expect_status(&beat, "EXPIRED");
    assert_eq!(handed(&beat), new, "the key is there for the reinstatement");
    assert_eq!(audited(&bench.app.db, "server.license.expire").await.len(), 1);

    // EXPIRED is a verdict: the gateway has the key.
    let old = std::mem::replace(&mut bench.gateway.key, new);
    expect_plain(&bench.gateway.beat().await, "EXPIRED");
    expect_retired(&bench.beat_with(&old).await);
    bench.admin.post(&bench.path("/reinstate"), &json!({})).await.expect_status(200);
    expect_plain(&bench.gateway.beat().await, "ACTIVE");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn two_keys_are_no_second_host(db: PgPool) {
    let mut bench = Bench::new(db).await;
    let new = bench.hand_over().await;
    for _ in 0..3 {
        // As a gateway does whose heartbeats with the new key get lost on the way back.
        bench.gateway.beat().await;
        bench.beat_with(&new).await;
    }
    jobs::sweep(&bench.app.app).await.unwrap();
    let server = bench.admin.get(&format!("/api/v1/servers/{}", bench.customer.server_id)).await.expect(200);
    assert_eq!((&server["keyInUseOnHosts"], &server["status"]), (&json!(1), &json!("ONLINE")));
    assert_eq!(audited(&bench.app.db, "server.license.shared").await.len(), 0);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_gateway_that_does_not_take_the_key_beats_and_is_configured_as_ever(db: PgPool) {
    let mut bench = Bench::new(db).await;
    let config = format!("/api/v1/servers/{}/config", bench.customer.server_id);
    let key = bench.hand_over().await;
    let listeners = json!([{ "port": 8080, "backendUrl": "http://127.0.0.1:3000" }]);
    bench.admin.put(&config, &json!({ "generation": 0, "listeners": listeners })).await.expect_status(200);
    let beat = bench.gateway.beat().await;
    assert_eq!(handed(&beat), key);
    assert_eq!(beat.body["config"]["config"]["listeners"][0]["port"], 8080);
    bench.set("rotation_started_at = rotation_started_at - interval '5 minutes'").await;
    let beat = bench.gateway.beat().await;
    assert_eq!((handed(&beat), &beat.body["nextHeartbeatSeconds"]), (key.clone(), &json!(60)));

    // An answer that a gateway would not keep comes without its configuration.
    let host = vec!["x".repeat(60); 4].join(".");
    let listener = |port: u16| json!({ "port": port, "backendUrl": format!("http://{host}:3000") });
    let listeners: Vec<Value> = (8000..8064).map(listener).collect();
    bench.admin.put(&config, &json!({ "generation": 1, "listeners": listeners })).await.expect_status(200);
    let beat = bench.gateway.beat().await;
    assert_eq!((handed(&beat), beat.body.get("config")), (key, None));
    bench.admin.post(&bench.path("/rotate/cancel"), &json!({})).await.expect_status(200);
    assert!(bench.gateway.beat().await.body.get("config").is_some(), "it is what the rotation held back");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_installation_meanwhile_gets_the_newest_key(db: PgPool) {
    let mut bench = Bench::new(db).await;
    let new = bench.hand_over().await;
    let url = DashboardUrl::parse(&bench.app.url).unwrap();
    let identity = gateway_config::export(&bench.app.app, &Actor::console(), "alice", url).await.unwrap();
    assert_eq!(identity.api_key, new);
    // Writing it is not using it: when the installation is rolled back, the old key goes on.
    TestGateway::expect_status(&bench.gateway.beat().await, "ACTIVE");
    let mut installed = bench.gateway.on_another_host(bench.customer.server_id, identity.api_key);
    expect_plain(&installed.beat().await, "ACTIVE");
    expect_retired(&bench.gateway.beat().await);
}
