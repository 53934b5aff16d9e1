//! The fence: a dashboard whose job another one took writes nothing any more.

use chrono::Duration;
use proxima_db::jobs::running::{self, Ending, Hold, StepNews, Taken, Wanted};
use proxima_db::servers::interval;
use proxima_test_support::{TestApp, rows_matching};
use proxima_types::{InstallId, JobId, JobState, ServerId, StepState};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

fn lease() -> PgInterval {
    interval(Duration::seconds(20))
}

async fn queue(db: &PgPool, server: ServerId, minutes_ago: i32) -> JobId {
    let id = Uuid::from_u128(u128::try_from(1000 - minutes_ago).unwrap());
    sqlx::query(
        "INSERT INTO jobs (id, server_id, kind, requested_by, requested_at) \
         VALUES ($1, $2, 'INSTALL', 'alice', now() - make_interval(mins => $3))",
    )
    .bind(id)
    .bind(server.0)
    .bind(minutes_ago)
    .execute(db)
    .await
    .unwrap();
    JobId(id)
}

async fn take_one(db: &PgPool) -> Taken {
    let mut taken = running::take(db, lease(), 8).await.unwrap();
    assert_eq!(taken.len(), 1);
    taken.remove(0)
}

/// All that a job has in the database.
async fn all(db: &PgPool) -> Vec<Value> {
    let mut rows = Vec::new();
    for table in ["jobs", "job_steps", "job_log", "servers", "connections"] {
        rows.extend(rows_matching(db, table, "true").await);
    }
    rows
}

/// Every write that a run makes; whether each was taken.
async fn write_everything(db: &PgPool, hold: Hold) -> Vec<bool> {
    let (texts, nothing) = (["CONNECT".to_owned()], json!([]));
    let news = StepNews { state: StepState::Done, problem: None, warnings: &nothing };
    let mut tx = db.begin().await.unwrap();
    let locked = running::lock(&mut tx, hold).await.unwrap();
    tx.rollback().await.unwrap();
    vec![
        running::set_plan(db, hold, &json!({ "a": 1 }), &texts, &texts).await.unwrap(),
        running::set_step(db, hold, 0, news).await.unwrap(),
        running::set_progress(db, hold, 0, 5, 10).await.unwrap(),
        running::append_log(db, hold, 0, &["a line".to_owned()]).await.unwrap(),
        running::set_undoing(db, hold, &json!({ "step": "CONNECT" })).await.unwrap(),
        running::set_identity(db, hold, InstallId(Uuid::from_u128(5)), b"sealed").await.unwrap(),
        running::renew(db, hold, lease()).await.unwrap().is_some(),
        locked,
    ]
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_stale_fence_writes_nothing(db: PgPool) {
    let app = TestApp::start(db.clone()).await;
    let server = app.customer("alice").await.server_id;
    queue(&db, server, 1).await;
    let first = take_one(&db).await;
    assert!(write_everything(&db, first.hold()).await.iter().all(|taken| *taken), "while it is held");
    assert!(running::take(&db, lease(), 8).await.unwrap().is_empty(), "nobody takes a job whose lease is alive");
    sqlx::query("UPDATE jobs SET lease_until = now() - interval '1 second'").execute(&db).await.unwrap();
    let second = take_one(&db).await;
    assert_eq!((first.fence, second.fence), (1, 2));
    assert_eq!(second.install_id, Some(Uuid::from_u128(5)), "it goes on with the same installation");
    let before = all(&db).await;
    assert!(write_everything(&db, first.hold()).await.iter().all(|taken| !taken));
    running::let_go(&db, first.hold()).await.unwrap();
    let ending = || Ending { state: JobState::Succeeded, problem: None, receipt: None, result: None };
    let mut tx = db.begin().await.unwrap();
    assert!(!running::finish(&mut tx, first.hold(), ending()).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(all(&db).await, before);
    let mut tx = db.begin().await.unwrap();
    assert!(running::finish(&mut tx, second.hold(), ending()).await.unwrap());
    tx.commit().await.unwrap();
    let before = all(&db).await;
    assert!(write_everything(&db, second.hold()).await.iter().all(|taken| !taken), "a finished job is not written to");
    assert_eq!(all(&db).await, before);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn the_oldest_jobs_are_taken_first_each_by_one_dashboard(db: PgPool) {
    let app = TestApp::start(db.clone()).await;
    let mut expected = Vec::new();
    for number in 0..6 {
        let server = app.customer(&format!("customer{number}")).await.server_id;
        expected.push((number, queue(&db, server, number).await.0));
    }
    let (one, other) = tokio::join!(running::take(&db, lease(), 2), running::take(&db, lease(), 2));
    let mut oldest: Vec<_> = one.unwrap().into_iter().chain(other.unwrap()).map(|taken| taken.id).collect();
    oldest.sort_unstable();
    let mut wanted: Vec<_> = expected.iter().rev().take(4).map(|(_, id)| *id).collect();
    wanted.sort_unstable();
    assert_eq!(oldest, wanted, "no job twice, none before an older one");
    assert_eq!(running::take(&db, lease(), 8).await.unwrap().len(), 2);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_log_is_bounded_and_says_so(db: PgPool) {
    let app = TestApp::start(db.clone()).await;
    let server = app.customer("alice").await.server_id;
    queue(&db, server, 1).await;
    let hold = take_one(&db).await.hold();
    let lines = vec!["x".repeat(960); 100];
    for _ in 0..10 {
        assert!(running::append_log(&db, hold, 0, &lines).await.unwrap(), "the job goes on");
    }
    let log = proxima_db::jobs::log(&db, hold.job, 0, 10_000).await.unwrap();
    assert_eq!(log.len(), 501);
    assert!(log.last().unwrap().line.contains("full"));
    let tail = proxima_db::jobs::log(&db, hold.job, log[498].id, 10).await.unwrap();
    assert_eq!(tail.len(), 2);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_log_of_empty_lines_is_bounded_too(db: PgPool) {
    let app = TestApp::start(db.clone()).await;
    let server = app.customer("alice").await.server_id;
    queue(&db, server, 1).await;
    let hold = take_one(&db).await.hold();
    for _ in 0..10 {
        assert!(running::append_log(&db, hold, 0, &vec![String::new(); 1000]).await.unwrap(), "the job goes on");
    }
    let log = proxima_db::jobs::log(&db, hold.job, 0, 10_000).await.unwrap();
    assert_eq!(log.len(), 8001);
    assert!(log.last().unwrap().line.contains("full"));
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn only_a_process_that_began_after_the_job_proves_its_end(db: PgPool) {
    let app = TestApp::start(db.clone()).await;
    let customer = app.customer("alice").await;
    let mut gateway = app.gateway(&customer).await;
    let started_after = proxima_db::now(&db).await.unwrap();
    let heard = |install| {
        let wanted = Wanted { server: customer.server_id, install, started_after };
        let db = db.clone();
        async move { running::heard(&db, wanted).await.unwrap() }
    };
    assert!(!heard(None).await);
    gateway.beat().await;
    assert!(!heard(None).await, "it has run for a minute: it is the process before");
    gateway.restart();
    let mut report = gateway.report();
    report.uptime_seconds = 0;
    gateway.send(serde_json::to_vec(&report).unwrap()).await;
    assert!(heard(None).await);
    assert!(heard(Some(gateway.install_id)).await);
    assert!(!heard(Some(InstallId(Uuid::from_u128(1)))).await, "of another installation");
}
