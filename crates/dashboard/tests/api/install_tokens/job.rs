//! The jobs that boxes run themselves, from the claim to their end.

use super::{FakeBox, heartbeat, identity_of, job_of, line, post_nothing, step, succeeded, world};
use proxima_test_support::{audited, rows_matching};
use serde_json::{Value, json};
use sqlx::PgPool;

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_box_installs_itself(db: PgPool) {
    let (mut world, _releases) = world(db).await;
    // Runners of dashboards have nothing to do with it.
    world.run_jobs();
    let mut fake = FakeBox::of(&world).await;
    let claimed = fake.claim().await.expect(200);
    let (job, path) = (job_of(&claimed), world.path(&format!("/jobs/{}", job_of(&claimed))));
    let secret_before = rows_matching(&world.app.db, "servers", "true").await[0]["api_secret_ciphertext"].clone();
    for name in ["FACTS", "BINARY", "USER", "CONFIG", "UNIT", "START"] {
        let news = json!([step(name, "RUNNING"), line(name, &format!("doing {name}")), step(name, "DONE")]);
        let answer = fake.report(&job, news, Value::Null).await.expect(200);
        assert_eq!(answer, json!({ "cancelled": false, "proven": false }));
    }
    let news = json!([step("HEARTBEAT", "RUNNING")]);
    fake.report(&job, news, Value::Null).await.expect_status(200);
    // Before the dashboard has heard the gateway nothing ends well.
    fake.report_as(&job, 8, json!([]), succeeded(&claimed)).await.problem(409, "not_proven");
    let identity = identity_of(&claimed);
    heartbeat(&world, &identity).await;
    let proven = fake.report(&job, json!([]), Value::Null).await.expect(200);
    assert_eq!(proven, json!({ "cancelled": false, "proven": true }));
    let seen = world.own.get(&path).await.expect(200);
    assert_eq!((&seen["state"], seen["log"].as_array().unwrap().len()), (&json!("RUNNING"), 6));
    let last = json!([step("HEARTBEAT", "DONE")]);
    fake.report(&job, last.clone(), succeeded(&claimed)).await.expect_status(200);
    let done = world.own.get(&path).await.expect(200);
    assert_eq!(
        (&done["state"], &done["receipt"]["gatewayVersion"]),
        (&json!("SUCCEEDED"), &json!("1.2.3")),
        "{done:#}"
    );
    assert_eq!(done["result"]["facts"]["osName"], "Debian GNU/Linux 12");
    assert!(done["steps"].as_array().unwrap().iter().all(|step| step["state"] == "DONE"), "{done:#}");
    let server = rows_matching(&world.app.db, "servers", "true").await.remove(0);
    assert_ne!(server["api_secret_ciphertext"], secret_before, "the secret of this install is the server's");
    assert_eq!(world.status().await, "ONLINE");
    let ended = audited(&world.app.db, "server.job.end").await;
    assert_eq!((ended.len(), ended[0].outcome.as_str(), &ended[0].metadata["kind"]), (1, "SUCCESS", &json!("INSTALL")));
    // Over is over.
    fake.report(&job, last, succeeded(&claimed)).await.problem(409, "job_ended");
    fake.download("x86_64").await.problem(401, "install_token_refused");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_report_counts_once_and_none_is_skipped(db: PgPool) {
    let (world, _releases) = world(db).await;
    let fake = FakeBox::of(&world).await;
    let job = job_of(&fake.claim().await.expect(200));
    let news = json!([step("FACTS", "RUNNING"), line("FACTS", "once")]);
    for _ in 0..3 {
        fake.report_as(&job, 1, news.clone(), Value::Null).await.expect_status(200);
    }
    fake.report_as(&job, 3, news.clone(), Value::Null).await.refuses(&[("sequence", "out_of_order")]);
    fake.report_as(&job, 2, json!(vec![line("FACTS", "x"); 201]), Value::Null).await.refuses(&[("news", "too_many")]);
    let mut bad = news;
    bad[0]["step"] = json!("UPLOAD");
    fake.report_as(&job, 2, bad, Value::Null).await.problem(422, "validation_failed");
    let log = rows_matching(&world.app.db, "job_log", "true").await;
    assert_eq!(log.len(), 1, "{log:?}");
    // Nobody else's token reports here, nor this one elsewhere.
    let other = FakeBox { report_token: fake.token.clone(), ..fake.clone() };
    other.report_as(&job, 2, json!([]), Value::Null).await.problem(401, "install_token_refused");
    let elsewhere = world.customer.server_id.to_string();
    fake.report_as(&elsewhere, 2, json!([]), Value::Null).await.problem(401, "install_token_refused");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn cancelled_in_the_dashboard_the_box_is_told_and_undoes(db: PgPool) {
    let (world, _releases) = world(db).await;
    let mut fake = FakeBox::of(&world).await;
    let claimed = fake.claim().await.expect(200);
    let (job, path) = (job_of(&claimed), world.path(&format!("/jobs/{}", job_of(&claimed))));
    fake.report(&job, json!([step("FACTS", "DONE"), step("BINARY", "RUNNING")]), Value::Null).await.expect_status(200);
    let asked = post_nothing(&world.own, &format!("{path}/cancel")).await.expect(200);
    assert_eq!((&asked["state"], &asked["cancelRequested"]), (&json!("RUNNING"), &json!(true)));
    let told = fake.report(&job, json!([step("BINARY", "DONE")]), Value::Null).await.expect(200);
    assert_eq!(told, json!({ "cancelled": true, "proven": false }));
    // A gateway that is heard after that proves nothing any more.
    heartbeat(&world, &identity_of(&claimed)).await;
    let told = fake.report(&job, json!([step("BINARY", "UNDONE")]), Value::Null).await.expect(200);
    assert_eq!(told, json!({ "cancelled": true, "proven": false }));
    let end = json!({ "state": "CANCELLED", "step": "USER", "remains": [] });
    fake.report(&job, json!([]), end).await.expect_status(200);
    let done = world.own.get(&path).await.expect(200);
    assert_eq!((&done["state"], &done["problem"]["code"]), (&json!("CANCELLED"), &json!("CANCELLED")));
    let job = rows_matching(&world.app.db, "jobs", "true").await.remove(0);
    assert_eq!(job["api_secret_ciphertext"], Value::Null, "forgotten");
    // And once more, with a new command.
    FakeBox::of(&world).await.claim().await.expect_status(200);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_failure_says_what_the_box_says_without_escapes(db: PgPool) {
    let (world, _releases) = world(db).await;
    let mut fake = FakeBox::of(&world).await;
    let job = job_of(&fake.claim().await.expect(200));
    let problem =
        json!({ "code": "DISK_FULL", "sentence": "The disk \u{1b}[31mis\u{202e} full.\u{0}", "remedy": "Make room." });
    let failed = json!({ "kind": "STEP", "step": "BINARY", "state": "FAILED", "problem": problem });
    let end = json!({ "state": "FAILED", "step": "BINARY", "problem": problem, "remains": ["Some\u{7}thing."] });
    fake.report(&job, json!([failed, line("BINARY", "a\u{0}b\u{1b}]0;title\u{7}c")]), end).await.expect_status(200);
    let done = world.own.get(&world.path(&format!("/jobs/{job}"))).await.expect(200);
    assert_eq!((&done["state"], &done["problem"]["sentence"]), (&json!("FAILED"), &json!("The disk is full.")));
    assert_eq!((&done["remains"], &done["log"][0]["line"]), (&json!(["Something."]), &json!("abc")));
    assert_eq!(done["steps"][1]["problem"]["sentence"], "The disk is full.");
    assert_eq!(world.status().await, "NOT_INSTALLED");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn what_is_no_fingerprint_is_not_pinned(db: PgPool) {
    let (world, _releases) = world(db).await;
    let mut fake = FakeBox::of(&world).await;
    let claimed = fake.claim().await.expect(200);
    heartbeat(&world, &identity_of(&claimed)).await;
    fake.report(&job_of(&claimed), json!([]), Value::Null).await.expect_status(200);
    let mut end = succeeded(&claimed);
    end["status"] = json!({
        "unit": { "load": "loaded", "active": "active", "sub": "running", "enabled": "enabled", "mainPid": 7, "restarts": 0 },
        "gateway": { "management": { "certificateFingerprint": "sha256:nothing of the kind" } },
        "gatewayIsCurrent": true, "journal": [], "update": null, "receipt": null, "unfinishedJobs": [],
    });
    fake.report(&job_of(&claimed), json!([]), end).await.expect_status(200);
    world.connect_by_hand(22).await;
    post_nothing(&world.own, &world.path("/management/check")).await.problem(409, "not_installed");
}
