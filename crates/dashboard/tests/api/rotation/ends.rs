//! The other ends of a rotation: its limit, Cancel, Regenerate.

use super::{Bench, expect_plain, expect_retired, handed, masked};
use proxima_dashboard::jobs;
use proxima_test_support::{Blocker, TestGateway, audited};
use serde_json::{Value, json};
use sqlx::PgPool;

const PASS: &str = "rotation_limit_at = clock_timestamp()";

async fn ended(bench: &Bench) -> Vec<String> {
    let rows = audited(&bench.app.db, "server.license.rotate.end").await;
    rows.iter().map(|row| row.metadata["ended"].as_str().unwrap().to_owned()).collect()
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn past_its_limit_only_the_new_key_counts_although_no_sweep_ran(db: PgPool) {
    let mut bench = Bench::new(db).await;
    let new = bench.hand_over().await;
    bench.set(PASS).await;
    // For whoever looks it is over already.
    let license = bench.license().await;
    assert_eq!((&license["rotation"], &license["maskedKey"]), (&Value::Null, &json!(masked(&new))));
    assert!(license["lastRotation"]["adoptedAt"].is_null());
    assert_eq!(ended(&bench).await.len(), 0);

    expect_retired(&bench.gateway.beat().await);
    expect_retired(&bench.gateway.beat().await);
    assert_eq!(ended(&bench).await, ["LIMIT_PASSED"], "on record once");
    assert_eq!(bench.retired().await, ["ROTATED"]);
    assert_eq!(bench.license().await, license, "as it was seen before");

    // The gateway was installed again.
    bench.gateway.key = new;
    expect_plain(&bench.gateway.beat().await, "ACTIVE");
    let adopted = bench.license().await["lastRotation"].clone();
    assert!(adopted["adoptedAt"].as_str().unwrap() > adopted["endedAt"].as_str().unwrap(), "{adopted}");
    bench.gateway.beat().await;
    assert_eq!(bench.license().await["lastRotation"], adopted, "noted once");
    assert_eq!(ended(&bench).await.len(), 1);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn the_new_keys_first_heartbeat_may_come_after_the_limit(db: PgPool) {
    let mut bench = Bench::new(db).await;
    let old = bench.gateway.key.clone();
    bench.gateway.key = bench.hand_over().await;
    bench.set(PASS).await;
    expect_plain(&bench.gateway.beat().await, "ACTIVE");
    assert_eq!(ended(&bench).await, ["LIMIT_PASSED"]);
    let last = bench.license().await["lastRotation"].clone();
    assert!(last["adoptedAt"].as_str().unwrap() > last["endedAt"].as_str().unwrap(), "{last}");
    expect_retired(&bench.beat_with(&old).await);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn sweeps_of_several_dashboards_end_it_once(db: PgPool) {
    let mut bench = Bench::new(db).await;
    let new = bench.hand_over().await;
    jobs::sweep(&bench.app.app).await.unwrap();
    assert_eq!(ended(&bench).await.len(), 0, "not before its limit");
    bench.set(PASS).await;
    let mut sweeps = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let app = std::sync::Arc::clone(&bench.app.app);
        sweeps.spawn(async move { jobs::sweep(&app).await.unwrap() });
    }
    sweeps.join_all().await;
    assert_eq!(ended(&bench).await, ["LIMIT_PASSED"]);
    expect_retired(&bench.gateway.beat().await);
    expect_plain(&bench.beat_with(&new).await, "ACTIVE");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn whoever_acts_past_the_limit_acts_on_what_is_in_force(db: PgPool) {
    let mut bench = Bench::new(db).await;
    let new = bench.hand_over().await;
    bench.set(PASS).await;
    let revealed = bench.admin.post(&bench.path("/reveal"), &json!({})).await.expect(200);
    assert_eq!(revealed["apiKey"], new.expose());

    let third = bench.begin().await["rotation"]["maskedKey"].clone();
    bench.set(PASS).await;
    bench.admin.post(&bench.path("/rotate/cancel"), &json!({})).await.problem(409, "no_rotation");
    assert_eq!(bench.license().await["maskedKey"], third);

    bench.begin().await;
    bench.set(PASS).await;
    assert!(bench.begin().await["rotation"].is_object(), "the one before is over");
    assert_eq!(ended(&bench).await, ["LIMIT_PASSED"; 3]);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_cancelled_rotation_leaves_the_old_key(db: PgPool) {
    let mut bench = Bench::new(db).await;
    let new = bench.hand_over().await;
    let cancelled = bench.admin.post(&bench.path("/rotate/cancel"), &json!({})).await.expect(200);
    assert_eq!((&cancelled["rotation"], &cancelled["lastRotation"]), (&Value::Null, &Value::Null));
    assert_eq!(cancelled["maskedKey"], masked(&bench.gateway.key));
    // As a gateway that took the new key does it: one heartbeat, two requests.
    expect_retired(&bench.beat_with(&new).await);
    expect_plain(&bench.gateway.beat().await, "ACTIVE");
    assert_eq!(bench.retired().await, ["CANCELLED"]);

    bench.admin.post(&bench.path("/rotate/cancel"), &json!({})).await.problem(409, "no_rotation");
    let rows = audited(&bench.app.db, "server.license.rotate.cancel").await;
    assert_eq!(rows.iter().map(|row| row.outcome.as_str()).collect::<Vec<_>>(), ["SUCCESS", "FAILURE"]);
    assert_eq!(rows[0].metadata["newKeyEndsIn"], new.last4());

    let another = bench.hand_over().await;
    assert_ne!(another, new);
    bench.gateway.key = another;
    expect_plain(&bench.gateway.beat().await, "ACTIVE");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_second_rotation_waits_for_the_first(db: PgPool) {
    let bench = Bench::new(db).await;
    let begun = bench.begin().await;
    let refused = bench.admin.post(&bench.path("/rotate"), &json!({})).await;
    let detail = refused.problem(409, "rotation_open")["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("begun by admin at 20"), "{detail}");
    assert_eq!(bench.license().await["rotation"], begun["rotation"]);
    let rows = audited(&bench.app.db, "server.license.rotate").await;
    assert_eq!(rows.iter().map(|row| row.outcome.as_str()).collect::<Vec<_>>(), ["SUCCESS", "FAILURE"]);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn regenerating_retires_both_keys(db: PgPool) {
    let mut bench = Bench::new(db).await;
    let new = bench.hand_over().await;
    let after = bench.admin.post(&bench.path("/regenerate"), &json!({})).await.expect(200);
    assert_eq!((&after["rotation"], &after["lastRotation"]), (&Value::Null, &Value::Null));
    expect_retired(&bench.beat_with(&new).await);
    expect_retired(&bench.gateway.beat().await);
    assert_eq!(bench.retired().await, ["REGENERATED", "REGENERATED"]);
    let rows = audited(&bench.app.db, "server.license.regenerate").await;
    assert_eq!(rows[0].metadata["rotationToKeyEndingIn"], new.last4());

    let mut installed = bench.app.gateway(&bench.customer).await;
    assert_eq!(after["maskedKey"], masked(&installed.key));
    expect_plain(&installed.beat().await, "ACTIVE");
    // What a rotation before it left does not speak of the new key.
    bench.gateway = installed;
    bench.gateway.key = bench.hand_over().await;
    bench.gateway.beat().await;
    assert!(bench.license().await["lastRotation"].is_object());
    let after = bench.admin.post(&bench.path("/regenerate"), &json!({})).await.expect(200);
    assert!(after["lastRotation"].is_null());
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_heartbeat_waits_for_nobody_who_holds_its_server(db: PgPool) {
    let mut bench = Bench::new(db).await;
    let (old, new) = (bench.gateway.key.clone(), bench.hand_over().await);
    let blocker = Blocker::hold(&bench.app.db, "SELECT FROM servers FOR UPDATE").await;
    expect_plain(&bench.beat_with(&new).await, "ACTIVE");
    assert!(bench.license().await["rotation"].is_object(), "not ended, and both keys count");
    assert_eq!(handed(&bench.beat_with(&old).await), new);
    blocker.release().await;
    expect_plain(&bench.beat_with(&new).await, "ACTIVE");
    assert_eq!(ended(&bench).await, ["ADOPTED"]);
    expect_retired(&bench.beat_with(&old).await);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_next_key_that_cannot_be_opened_costs_no_verdict(db: PgPool) {
    let mut bench = Bench::new(db).await;
    bench.begin().await;
    bench.set("next_key_ciphertext = 'of another key file'").await;
    let beat = bench.gateway.beat().await;
    TestGateway::expect_status(&beat, "ACTIVE");
    assert!(beat.body.get("nextApiKey").is_none());
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_late_adoption_waits_for_nobody_either(db: PgPool) {
    let mut bench = Bench::new(db).await;
    let new = bench.hand_over().await;
    bench.set(PASS).await;
    jobs::sweep(&bench.app.app).await.unwrap();
    let blocker = Blocker::hold(&bench.app.db, "SELECT FROM servers FOR UPDATE").await;
    expect_plain(&bench.beat_with(&new).await, "ACTIVE");
    assert!(bench.license().await["lastRotation"]["adoptedAt"].is_null(), "not noted yet");
    blocker.release().await;
    expect_plain(&bench.beat_with(&new).await, "ACTIVE");
    assert!(bench.license().await["lastRotation"]["adoptedAt"].is_string());
}
