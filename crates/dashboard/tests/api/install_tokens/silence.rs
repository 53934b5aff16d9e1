//! Boxes that say nothing any more.

use super::{FakeBox, heartbeat, identity_of, job_of, step, succeeded, world};
use proxima_dashboard::jobs::sweep;
use proxima_test_support::rows_matching;
use serde_json::{Value, json};
use sqlx::PgPool;

/// As if it had been silent for longer than anybody waits.
async fn long_ago(db: &PgPool) {
    sqlx::query("UPDATE jobs SET lease_until = clock_timestamp() - interval '1 second'").execute(db).await.unwrap();
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_silent_box_fails_its_job_and_comes_back_too_late(db: PgPool) {
    let (mut world, _releases) = world(db.clone()).await;
    world.run_jobs();
    let mut fake = FakeBox::of(&world).await;
    let claimed = fake.claim().await.expect(200);
    let (job, path) = (job_of(&claimed), world.path(&format!("/jobs/{}", job_of(&claimed))));
    fake.report(&job, json!([step("FACTS", "DONE"), step("BINARY", "RUNNING")]), Value::Null).await.expect_status(200);
    sweep(&world.app.app).await.unwrap();
    assert_eq!(world.own.get(&path).await.expect(200)["state"], "RUNNING", "it may think for a while");
    long_ago(&db).await;
    // Late, but before anybody has given it up.
    fake.report(&job, json!([]), Value::Null).await.expect_status(200);
    sweep(&world.app.app).await.unwrap();
    assert_eq!(world.own.get(&path).await.expect(200)["state"], "RUNNING");
    long_ago(&db).await;
    sweep(&world.app.app).await.unwrap();
    let done = world.own.get(&path).await.expect(200);
    assert_eq!((&done["state"], &done["problem"]["code"]), (&json!("FAILED"), &json!("COMMAND_SILENT")));
    assert!(done["problem"]["sentence"].as_str().unwrap().contains("stopped reporting"), "{done:#}");
    assert_eq!((&done["steps"][1]["state"], &done["steps"][2]["state"]), (&json!("FAILED"), &json!("PENDING")));
    assert_eq!(done["remains"].as_array().unwrap().len(), 1);
    for end in [Value::Null, succeeded(&claimed), json!({ "state": "CANCELLED", "step": "USER", "remains": [] })] {
        fake.report_as(&job, 3, json!([]), end).await.problem(409, "job_ended");
    }
    fake.claim().await.problem(401, "install_token_refused");
    assert_eq!(rows_matching(&db, "jobs", "fence = 2").await.len(), 1, "no runner took it");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_box_that_fell_silent_after_its_gateway_was_heard_has_succeeded(db: PgPool) {
    let (world, _releases) = world(db.clone()).await;
    let mut fake = FakeBox::of(&world).await;
    let claimed = fake.claim().await.expect(200);
    let (job, path) = (job_of(&claimed), world.path(&format!("/jobs/{}", job_of(&claimed))));
    let before = rows_matching(&db, "servers", "true").await[0]["api_secret_ciphertext"].clone();
    heartbeat(&world, &identity_of(&claimed)).await;
    let told = fake.report(&job, json!([step("HEARTBEAT", "RUNNING")]), Value::Null).await.expect(200);
    assert_eq!(told["proven"], true);
    long_ago(&db).await;
    sweep(&world.app.app).await.unwrap();
    let done = world.own.get(&path).await.expect(200);
    assert_eq!((&done["state"], &done["problem"]), (&json!("SUCCEEDED"), &Value::Null), "{done:#}");
    assert_eq!(done["steps"][6]["warnings"][0]["code"], "END_NOT_REPORTED");
    assert_ne!(
        rows_matching(&db, "servers", "true").await[0]["api_secret_ciphertext"],
        before,
        "the box has the new one"
    );
    fake.report(&job, json!([]), succeeded(&claimed)).await.problem(409, "job_ended");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_box_that_reports_for_ever_holds_its_server_for_half_an_hour(db: PgPool) {
    let (world, _releases) = world(db.clone()).await;
    let mut fake = FakeBox::of(&world).await;
    let claimed = fake.claim().await.expect(200);
    let (job, path) = (job_of(&claimed), world.path(&format!("/jobs/{}", job_of(&claimed))));
    world.own.post(&format!("{path}/cancel"), &json!({})).await.expect_status(200);
    for (minutes, state) in [(29, "RUNNING"), (31, "FAILED")] {
        sqlx::query("UPDATE jobs SET started_at = clock_timestamp() - make_interval(mins => $1)")
            .bind(minutes)
            .execute(&db)
            .await
            .unwrap();
        fake.report(&job, json!([step("BINARY", "RUNNING")]), Value::Null).await.expect_status(200);
        sweep(&world.app.app).await.unwrap();
        assert_eq!(world.own.get(&path).await.expect(200)["state"], state, "after {minutes} minutes");
    }
    let done = world.own.get(&path).await.expect(200);
    assert_eq!(done["problem"]["code"], "COMMAND_TOO_LONG", "{done:#}");
    fake.report(&job, json!([]), Value::Null).await.problem(409, "job_ended");
    FakeBox::of(&world).await.claim().await.expect_status(200);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_job_that_cannot_be_ended_holds_up_no_other(db: PgPool) {
    let (world, _releases) = world(db.clone()).await;
    let mut first = FakeBox::of(&world).await;
    let claimed = first.claim().await.expect(200);
    heartbeat(&world, &identity_of(&claimed)).await;
    first.report(&job_of(&claimed), json!([]), Value::Null).await.expect_status(200);
    sqlx::query("UPDATE jobs SET api_secret_ciphertext = 'of another key file'").execute(&db).await.unwrap();
    let other = world.app.customer("bob").await;
    let path = format!("/api/v1/servers/{}/install-token", other.server_id);
    let made = world.admin.post(&path, &json!({})).await.expect(201);
    let second = FakeBox::new(world.app.anonymous(), made["token"].as_str().unwrap());
    let job = job_of(&second.claim().await.expect(200));
    long_ago(&db).await;
    sweep(&world.app.app).await.unwrap();
    let path = format!("/api/v1/servers/{}/jobs/{job}", other.server_id);
    assert_eq!(world.admin.get(&path).await.expect(200)["problem"]["code"], "COMMAND_SILENT");
}
