//! `kill -9` of a dashboard in the middle of a job: another one goes on with it.

use crate::PROGRAM;
use proxima_test_support::{
    Client, DashboardProcess, Folder, PASSWORD, TestApp, audited, database_url, rows_matching, wait_until,
};
use serde_json::{Value, json};
use sqlx::PgPool;

async fn signed_in(process: &DashboardProcess) -> Client {
    let client = process.client();
    client.post("/api/v1/auth/login", &json!({ "username": "admin", "password": PASSWORD })).await.expect_status(200);
    client
}

async fn start(url: &str, data: &Folder) -> DashboardProcess {
    let env = [("PROXIMA_ALLOW_OUTBOUND", "127.0.0.0/8"), ("PROXIMA_GATEWAY_URL", "http://127.0.0.1:1")];
    DashboardProcess::start(PROGRAM, url, data, &env).await
}

/// A server whose box takes connections and says nothing: a job stays in its second step.
async fn queue(client: &Client, db: &PgPool, box_port: u16) -> String {
    let form = json!({ "username": "alice", "password": PASSWORD, "role": "CUSTOMER" });
    let user = client.post("/api/v1/users", &form).await.expect(201);
    let server = format!("/api/v1/servers/{}", user["server"]["id"].as_str().unwrap());
    let login = json!({ "host": "127.0.0.1", "port": box_port, "user": "root", "password": "a-login-password" });
    client.put(&format!("{server}/connection"), &login).await.expect_status(200);
    sqlx::query(
        "UPDATE connections SET pinned_algorithm = 'ssh-ed25519', pinned_fingerprint = 'SHA256:x', \
         pinned_line = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILagOJFgwaMNhBWQINinKOXmqS4Gh5NgxgriXwdOoINJ', \
         pinned_at = now(), pinned_by = 'admin'",
    )
    .execute(db)
    .await
    .unwrap();
    let job = client.post(&format!("{server}/jobs"), &json!({ "kind": "INSTALL" })).await.expect(202);
    format!("{server}/jobs/{}", job["id"].as_str().unwrap())
}

const IN_THE_MIDDLE: &str =
    "SELECT EXISTS (SELECT FROM job_steps WHERE name = 'HOST_KEY' AND state = 'RUNNING' AND finished_at IS NULL)";

async fn job(db: &PgPool) -> Value {
    rows_matching(db, "jobs", "true").await.remove(0)
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_job_goes_on_when_its_dashboard_is_killed(db: PgPool) {
    TestApp::start(db.clone()).await.admin().await;
    let (url, data) = (database_url(&db), Folder::new());
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let first = start(&url, &data).await;
    let job_path = queue(&signed_in(&first).await, &db, silent.local_addr().unwrap().port()).await;
    wait_until(&db, IN_THE_MIDDLE).await;
    let second = start(&url, &data).await;
    let before = job(&db).await;
    assert_eq!((&before["fence"], &before["state"]), (&json!(1), &json!("RUNNING")));
    first.kill().await;
    wait_until(&db, "SELECT fence = 2 FROM jobs").await;
    let after = job(&db).await;
    assert_eq!(after["install_id"], before["install_id"], "the same installation goes on");
    assert_eq!(after["started_at"], before["started_at"]);
    let client = signed_in(&second).await;
    client.post(&format!("{job_path}/cancel"), &json!({})).await.expect_status(200);
    wait_until(&db, "SELECT finished_at IS NOT NULL FROM jobs").await;
    let ended = job(&db).await;
    assert_eq!((&ended["fence"], &ended["api_secret_ciphertext"]), (&json!(2), &Value::Null));
    assert_eq!(audited(&db, "server.job.end").await.len(), 1);
    second.stop().await;
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_dashboard_that_stops_in_order_hands_its_jobs_over_at_once(db: PgPool) {
    TestApp::start(db.clone()).await.admin().await;
    let (url, data) = (database_url(&db), Folder::new());
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let first = start(&url, &data).await;
    queue(&signed_in(&first).await, &db, silent.local_addr().unwrap().port()).await;
    wait_until(&db, IN_THE_MIDDLE).await;
    let (code, _) = first.stop().await;
    assert_eq!(code, Some(0));
    let waiting = job(&db).await;
    assert_eq!((&waiting["state"], &waiting["fence"]), (&json!("RUNNING"), &json!(1)));
    assert_eq!(waiting["lease_until"], "-infinity", "nobody has to wait for the lease");
    let next = start(&url, &data).await;
    wait_until(&db, "SELECT fence = 2 FROM jobs").await;
    next.stop().await;
}

/// A paused dashboard is as good as a dead one, and does nothing more with the job when it wakes up.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_dashboard_that_was_paused_finds_its_job_with_another(db: PgPool) {
    TestApp::start(db.clone()).await.admin().await;
    let (url, data) = (database_url(&db), Folder::new());
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let first = start(&url, &data).await;
    let job_path = queue(&signed_in(&first).await, &db, silent.local_addr().unwrap().port()).await;
    wait_until(&db, IN_THE_MIDDLE).await;
    let second = start(&url, &data).await;
    first.signal("STOP").await;
    wait_until(&db, "SELECT fence = 2 FROM jobs").await;
    first.signal("CONT").await;
    let client = signed_in(&second).await;
    client.post(&format!("{job_path}/cancel"), &json!({})).await.expect_status(200);
    wait_until(&db, "SELECT finished_at IS NOT NULL FROM jobs").await;
    assert_eq!(job(&db).await["fence"], 2, "the first one did not take it back");
    assert_eq!(audited(&db, "server.job.end").await.len(), 1);
    let (_, log) = first.stop().await;
    assert!(log.contains("a job is with another dashboard now"), "{log}");
    second.stop().await;
}
