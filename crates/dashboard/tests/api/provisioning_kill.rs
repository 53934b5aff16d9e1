//! `kill -9` in the middle of Create User: a whole customer, or nothing (product.md section 2).

use crate::{PROGRAM, full};
use proxima_dashboard::entropy::{EntropyExt as _, OsEntropy};
use proxima_test_support::{
    Blocker, Client, DashboardProcess, Folder, PASSWORD, TestApp, TestGateway, database_url, rows_matching, wait_until,
};
use proxima_types::{LicenseKey, ServerId};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::time::{Duration, Instant};

/// Where provisioning stands: what holds it up there, and the query that then waits.
const STEPS: &[(&str, &str, &str, bool)] = &[
    ("before the user is inserted", "LOCK TABLE users IN SHARE MODE", "INSERT INTO users", false),
    ("before the server is inserted", "LOCK TABLE servers IN SHARE MODE", "INSERT INTO servers", false),
    ("before the audit row", "SELECT FROM audit_head FOR UPDATE", "SELECT append_audit", false),
    ("within the audit row", "LOCK TABLE audit_log IN SHARE MODE", "SELECT append_audit", false),
    // The commit is on its way to the database when the dashboard dies: it takes place.
    ("during the commit", "SELECT pg_advisory_xact_lock(2026)", "COMMIT", true),
];

/// Makes every commit that has created a user wait for an advisory lock.
const PAUSE_COMMITS: &str = "
    CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock_shared(2026); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER pause AFTER INSERT ON servers DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION pause()";

fn form(username: &str) -> Value {
    json!({ "username": username, "password": PASSWORD, "role": "CUSTOMER", "loginSlug": username,
            "displayName": "Whole or nothing" })
}

async fn signed_in(process: &DashboardProcess) -> Client {
    let client = process.client();
    let body = json!({ "username": "admin", "password": PASSWORD });
    client.post("/api/v1/auth/login", &body).await.expect_status(200);
    client
}

/// Until PostgreSQL has noticed that the dashboard is gone, and ended what it had begun.
async fn backends_are_gone(db: &PgPool) {
    let gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity \
                WHERE datname = current_database() AND application_name = 'proxima-dashboard')";
    wait_until(db, gone).await;
}

/// What is in the database of a customer: how many of user, server and audit row.
async fn parts(db: &PgPool, username: &str) -> [usize; 3] {
    let user = rows_matching(db, "users", &format!("username = '{username}'")).await.len();
    let of_user = format!("owner_id IN (SELECT id FROM users WHERE username = '{username}')");
    let server = rows_matching(db, "servers", &of_user).await.len();
    let row = format!("action = 'user.create' AND outcome = 'SUCCESS' AND target_name = '{username}'");
    [user, server, rows_matching(db, "audit_log", &row).await.len()]
}

async fn nothing_is_half(db: &PgPool) {
    let orphans = "SELECT count(*) = 0 FROM users u LEFT JOIN servers s ON s.owner_id = u.id \
                   WHERE (u.role = 'CUSTOMER') <> (s.id IS NOT NULL)";
    let none: bool = sqlx::query_scalar(orphans).fetch_one(db).await.unwrap();
    assert!(none, "a customer without a server, or the reverse");
    assert_eq!(proxima_test_support::first_broken(db).await.unwrap(), None);
    assert_eq!(rows_matching(db, "retired_keys", "true").await.len(), 0);
}

/// A customer that exists works: their login, their key, their heartbeat.
async fn works(process: &DashboardProcess, admin: &Client, username: &str, known: &TestGateway) {
    let page = admin.get(&format!("/api/v1/users?search={username}")).await.expect(200);
    let server = page["items"][0]["server"]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/servers/{server}/license/reveal");
    let revealed = admin.post(&path, &json!({})).await.expect(200);
    let key = LicenseKey::parse(revealed["apiKey"].as_str().unwrap()).unwrap();
    let mut gateway = TestGateway::new(&process.url, known.public_key(), server.parse::<ServerId>().unwrap(), key);
    TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
    let body = json!({ "username": username, "password": PASSWORD });
    process.client().post("/api/v1/auth/login", &body).await.expect_status(200);
}

/// A process's data folder and its gateways' view of its key, by way of one customer.
async fn known_gateway(process: &DashboardProcess, data: &Folder) -> TestGateway {
    let keyring = proxima_dashboard::keyring::Keyring::load(&data.join("keys.json")).unwrap();
    let key = LicenseKey::from_random_bytes(OsEntropy.bytes());
    TestGateway::new(&process.url, keyring.public_key().expect("a signing key"), ServerId(OsEntropy.uuid()), key)
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn kill_matrix_at_each_step_leaves_a_whole_customer_or_none(db: PgPool) {
    TestApp::start(db.clone()).await.admin().await;
    sqlx::raw_sql(PAUSE_COMMITS).execute(&db).await.unwrap();
    let (url, data) = (database_url(&db), Folder::new());
    let mut process = DashboardProcess::start(PROGRAM, &url, &data, &[]).await;
    for (number, (step, lock, waiting, whole)) in STEPS.iter().enumerate() {
        let username = format!("customer{number}");
        let admin = signed_in(&process).await;
        let mut blocker = Blocker::hold(&db, lock).await;
        let request = tokio::spawn({
            let (admin, form) = (admin.clone(), form(&username));
            async move { admin.try_post("/api/v1/users", &form).await }
        });
        blocker.wait_for(waiting).await;
        process.kill().await;
        assert!(request.await.unwrap().is_err(), "{step}: nobody was told that it worked");
        blocker.release().await;
        backends_are_gone(&db).await;
        let expected = usize::from(*whole);
        assert_eq!(parts(&db, &username).await, [expected; 3], "{step}");
        nothing_is_half(&db).await;

        // The next start goes on as if nothing had been.
        process = DashboardProcess::start(PROGRAM, &url, &data, &[]).await;
        let admin = signed_in(&process).await;
        let again = admin.post("/api/v1/users", &form(&username)).await;
        again.expect_status(if *whole { 409 } else { 201 });
        works(&process, &admin, &username, &known_gateway(&process, &data).await).await;
    }
    nothing_is_half(&db).await;
}

/// Four creations at once; for each the username, and whether the admin was told that it worked.
fn creations(admin: &Client, round: usize) -> tokio::task::JoinSet<(String, bool)> {
    let mut requests = tokio::task::JoinSet::new();
    for i in 0..4 {
        let (admin, username) = (admin.clone(), format!("round{round}-{i}"));
        requests.spawn(async move {
            let created = admin.try_post("/api/v1/users", &form(&username)).await;
            (username, created.is_ok_and(|answer| answer.status == 201))
        });
    }
    requests
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn kill_matrix_at_random_moments_leaves_a_whole_customer_or_none(db: PgPool) {
    let rounds = if full() { 200 } else { 6 };
    TestApp::start(db.clone()).await.admin().await;
    let (url, data) = (database_url(&db), Folder::new());
    let (mut whole, mut none) = (0, 0);
    // The first round is let finish: how long it takes is the span that the moments are spread over.
    let mut span = Duration::ZERO;
    for round in 0..=rounds {
        let process = DashboardProcess::start(PROGRAM, &url, &data, &[]).await;
        let admin = signed_in(&process).await;
        let begun = Instant::now();
        let mut requests = creations(&admin, round);
        let mut told = Vec::new();
        if round == 0 {
            while let Some(one) = requests.join_next().await {
                told.push(one.unwrap());
            }
            span = begun.elapsed();
        } else {
            let [high, low] = OsEntropy.bytes::<2>();
            tokio::time::sleep(span.mul_f64(f64::from(u16::from_be_bytes([high, low])) / 50_000.0)).await;
        }
        process.kill().await;
        backends_are_gone(&db).await;
        told.extend(requests.join_all().await);
        for (username, told) in told {
            match parts(&db, &username).await {
                [1, 1, 1] => whole += 1,
                [0, 0, 0] if !told => none += 1,
                other => panic!("{username}: {other:?}, and the admin was told {told}"),
            }
        }
        nothing_is_half(&db).await;
    }
    assert_eq!(whole + none, (rounds + 1) * 4);
    assert!(whole >= 4, "the first round was let finish");
    assert!(!full() || (whole > 40 && none > 40), "the moments were not spread: {whole} whole, {none} none");
}
