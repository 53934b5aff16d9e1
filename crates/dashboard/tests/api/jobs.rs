//! Queueing, cancelling and losing jobs.

use crate::world::World;
use proxima_test_support::{audited, rows_matching};
use serde_json::json;
use sqlx::PgPool;

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn of_two_installs_at_once_one_is_refused(db: PgPool) {
    let world = World::new(db, std::path::Path::new("none")).await;
    world.connect_by_hand(22).await;
    let (path, body) = (world.path("/jobs"), json!({ "kind": "INSTALL" }));
    for round in 1..=5 {
        let (mine, theirs) = tokio::join!(world.own.post(&path, &body), world.admin.post(&path, &body));
        let mut statuses = [mine.status.as_u16(), theirs.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [202, 409]);
        let (queued, refused) = if mine.status == 202 { (mine, theirs) } else { (theirs, mine) };
        refused.problem(409, "job_unfinished");
        let job = format!("{path}/{}", queued.json()["id"].as_str().unwrap());
        let cancelled = world.own.post(&format!("{job}/cancel"), &json!({})).await.expect(200);
        assert_eq!((&cancelled["state"], &cancelled["steps"]), (&json!("CANCELLED"), &json!([])), "it never ran");
        assert_eq!(audited(&world.app.db, "server.install").await.len(), round, "one row for each that was queued");
        assert_eq!(audited(&world.app.db, "server.job.end").await.len(), round);
    }
    assert_eq!(audited(&world.app.db, "server.job.cancel").await.len(), 5);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn without_an_address_for_gateways_nothing_is_queued(db: PgPool) {
    let world = World::new(db.clone(), std::path::Path::new("none")).await;
    world.connect_by_hand(22).await;
    let app = proxima_test_support::TestApp::start(db).await;
    let own = app.sign_in("alice", proxima_test_support::PASSWORD).await;
    let problem =
        own.post(&world.path("/jobs"), &json!({ "kind": "INSTALL" })).await.problem(409, "gateway_url_missing");
    assert!(problem["detail"].as_str().unwrap().contains("--public-url"), "{problem}");
    assert_eq!(rows_matching(&app.db, "jobs", "true").await.len(), 0);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_deleted_customer_takes_connection_and_jobs_along(db: PgPool) {
    let mut world = World::new(db, std::path::Path::new("none")).await;
    // It takes connections and says nothing: the job stays in its second step.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    world.connect_by_hand(silent.local_addr().unwrap().port()).await;
    let job = world.queue("INSTALL").await;
    world.run_jobs();
    world.until_step(&job, "HOST_KEY", "RUNNING").await;
    let delete = format!("/api/v1/users/{}?confirmUsername=alice", world.customer.id);
    world.admin.delete(&delete).await.expect_status(204);
    for table in ["connections", "jobs", "job_steps", "job_log"] {
        assert_eq!(rows_matching(&world.app.db, table, "true").await.len(), 0, "{table}");
    }
}
