//! The dashboard killed with -9 at random moments of every kind of change: each is whole with its audit row, or not there.

use crate::stand::{create, sign_in};
use crate::{PROGRAM, full};
use proxima_dashboard::entropy::{EntropyExt as _, OsEntropy};
use proxima_test_support::{
    Client, DashboardProcess, Folder, PASSWORD, TestApp, database_url, rows_matching, wait_until,
};
use proxima_types::ServerId;
use serde_json::json;
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long a few changes may take.
const PATIENCE: Duration = Duration::from_secs(90);
/// Who makes changes at once, each on a customer of their own.
const WORKERS: usize = 4;

/// How often each action was told to have succeeded, by its name in the audit log.
type Told = Arc<Mutex<BTreeMap<&'static str, i64>>>;

/// Changes until the dashboard dies.
async fn change_for_ever(admin: Client, worker: usize, first: usize, server: ServerId, told: Told) {
    let license = format!("/api/v1/servers/{server}/license");
    for turn in first.. {
        let (action, done) = match turn % 7 {
            0 => ("server.license.revoke", admin.try_post(&format!("{license}/revoke"), &json!({})).await),
            1 => ("server.license.reinstate", admin.try_post(&format!("{license}/reinstate"), &json!({})).await),
            2 => ("server.license.rotate", admin.try_post(&format!("{license}/rotate"), &json!({})).await),
            3 => ("server.license.regenerate", admin.try_post(&format!("{license}/regenerate"), &json!({})).await),
            4 => ("server.license.reveal", admin.try_post(&format!("{license}/reveal"), &json!({})).await),
            5 => {
                let [a, b] = OsEntropy.bytes::<2>();
                let name = format!("w{worker}-{turn}-{a}{b}");
                let form = json!({ "username": name, "password": PASSWORD, "role": "CUSTOMER" });
                ("user.create", admin.try_post("/api/v1/users", &form).await)
            }
            _ => (
                "sign-in",
                admin.try_post("/api/v1/auth/login", &json!({ "username": "admin", "password": PASSWORD })).await,
            ),
        };
        match done {
            Ok(answer) if answer.status.is_success() => {
                *told.lock().unwrap().entry(action).or_default() += 1;
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

fn sum(told: &Told) -> i64 {
    told.lock().unwrap().values().sum()
}

async fn count(db: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(db).await.unwrap()
}

/// What must be true of every database that this dashboard has written, at any moment.
async fn nothing_is_half(db: &PgPool) {
    assert_eq!(proxima_test_support::first_broken(db).await.unwrap(), None, "the audit's chain");
    let pairs = "SELECT count(*) FROM users u LEFT JOIN servers s ON s.owner_id = u.id \
                 WHERE (u.role = 'CUSTOMER') <> (s.id IS NOT NULL)";
    assert_eq!(count(db, pairs).await, 0, "a customer without a server, or the reverse");
    let uncreated = "SELECT count(*) FROM users u WHERE NOT EXISTS (SELECT FROM audit_log a \
                     WHERE a.action = 'user.create' AND a.outcome = 'SUCCESS' AND a.target_name = u.username)";
    assert_eq!(count(db, uncreated).await, 0, "a user whose creation is not audited");
    let unlike = "SELECT count(*) FROM servers s JOIN LATERAL (SELECT action FROM audit_log a \
                    WHERE a.target = s.id AND a.outcome = 'SUCCESS' \
                      AND a.action IN ('server.license.revoke', 'server.license.reinstate') \
                    ORDER BY a.id DESC LIMIT 1) newest ON true \
                  WHERE (newest.action = 'server.license.revoke') <> (s.license_status = 'GRACE')";
    assert_eq!(count(db, unlike).await, 0, "a license unlike its newest audit row");
    let cut = "SELECT (SELECT count(*) FROM audit_log WHERE action = 'server.license.regenerate' AND outcome = 'SUCCESS') \
               + (SELECT count(*) FROM audit_log WHERE action = 'server.license.regenerate' AND outcome = 'SUCCESS' \
                  AND metadata->>'rotationToKeyEndingIn' IS NOT NULL) \
               - (SELECT count(*) FROM retired_keys WHERE reason = 'REGENERATED')";
    assert_eq!(count(db, cut).await, 0, "retired keys unlike the audit");
    let open = "SELECT count(*) FROM servers s JOIN LATERAL (SELECT action FROM audit_log a \
                  WHERE a.target = s.id AND a.outcome = 'SUCCESS' \
                    AND a.action IN ('server.license.rotate', 'server.license.regenerate') \
                  ORDER BY a.id DESC LIMIT 1) newest ON true \
                WHERE (newest.action = 'server.license.rotate') <> (s.next_key_digest IS NOT NULL)";
    assert_eq!(count(db, open).await, 0, "a rotation unlike its newest audit row");
}

async fn audited(db: &PgPool, action: &str) -> i64 {
    let condition = format!("action = '{action}' AND outcome = 'SUCCESS'");
    i64::try_from(rows_matching(db, "audit_log", &condition).await.len()).unwrap()
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn kill_matrix_every_change_is_whole_or_not_there(db: PgPool) {
    let rounds = if full() { 80 } else { 4 };
    TestApp::start(db.clone()).await.admin().await;
    let (url, data) = (database_url(&db), Folder::new());
    let told = Told::default();
    let mut servers = Vec::new();
    let mut before: BTreeMap<&str, i64> = BTreeMap::new();
    for round in 0..rounds {
        let env = [("PROXIMA_ADMIN_SECOND_FACTOR", "optional")];
        let process = DashboardProcess::start(PROGRAM, &url, &data, &env).await;
        let admin = sign_in(&process.url).await;
        if round == 0 {
            for worker in 0..WORKERS {
                servers.push(create(&admin, &format!("worker-{worker}")).await);
            }
            before.insert("user.create", audited(&db, "user.create").await);
        }
        let work: Vec<_> = servers
            .iter()
            .enumerate()
            .map(|(worker, server)| {
                let first = worker + 2 * round;
                tokio::spawn(change_for_ever(admin.clone(), worker, first, *server, Arc::clone(&told)))
            })
            .collect();
        // After so many changes, and a moment more: somewhere in the middle of the next ones.
        let [changes, moment] = OsEntropy.bytes::<2>();
        let until = sum(&told) + 12 + i64::from(changes % 24);
        let deadline = Instant::now() + PATIENCE;
        while sum(&told) < until {
            assert!(Instant::now() < deadline, "no change is made: {}", process.output());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_micros(u64::from(moment) * 80)).await;
        process.kill().await;
        for one in work {
            one.await.unwrap();
        }
        let gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity \
                    WHERE datname = current_database() AND application_name = 'proxima-dashboard')";
        wait_until(&db, gone).await;
        nothing_is_half(&db).await;
    }
    // What was told is there; what is there and was not told was under way when the dashboard died.
    let under_way = i64::try_from(WORKERS * rounds).unwrap();
    let told = told.lock().unwrap().clone();
    for action in ["server.license.revoke", "server.license.reinstate", "server.license.regenerate", "user.create"] {
        let times = told.get(action).copied().unwrap_or_default();
        let there = audited(&db, action).await - before.get(action).copied().unwrap_or_default();
        assert!(times > 0, "{action} was never made");
        assert!((times..=times + under_way).contains(&there), "{action}: told {times} times, there {there} times");
    }
}
