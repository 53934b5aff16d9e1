//! Two dashboards on one database, restarted one after the other under load, behind something that does what a load
//! balancer does: it goes to the next one when a connection is refused, and repeats nothing that was sent.

use crate::PROGRAM;
use proxima_dashboard::keyring::Keyring;
use proxima_test_support::{Client, DashboardProcess, Folder, PASSWORD, TestGateway, database_url};
use proxima_types::{LicenseKey, ServerId};
use serde_json::json;
use sqlx::PgPool;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpStream;

/// The dashboards that may be asked, the first one first.
type Balancer = Arc<Mutex<Vec<String>>>;

async fn pick(balancer: &Balancer) -> String {
    loop {
        let urls = balancer.lock().unwrap().clone();
        for url in urls {
            if TcpStream::connect(url.trim_start_matches("http://")).await.is_ok() {
                return url;
            }
        }
        tokio::task::yield_now().await;
    }
}

struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    tasks: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Load {
    /// Gateways that beat and people that read over new connections, as a balancer would make them, and people that keep theirs.
    fn start(balancer: &Balancer, session: &str, gateways: Vec<(ServerId, LicenseKey)>, keys: &Keyring) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = Vec::new();
        for (server, key) in gateways {
            let (balancer, stop, done) = (Arc::clone(balancer), Arc::clone(&stop), Arc::clone(&done));
            let public_key = keys.public_key().expect("a signing key");
            tasks.push(tokio::spawn(async move {
                let mut failures = Vec::new();
                let mut gateway = TestGateway::new("http://127.0.0.1:1", public_key, server, key.clone());
                while !stop.load(Ordering::Relaxed) {
                    let url = pick(&balancer).await;
                    let mut fresh = TestGateway::new(&url, public_key, server, key.clone());
                    (fresh.install_id, fresh.boot_id, fresh.sequence) =
                        (gateway.install_id, gateway.boot_id, gateway.sequence);
                    let beat = fresh.try_beat().await;
                    gateway.sequence = fresh.sequence;
                    match beat {
                        Ok(beat) if beat.status == 200 && beat.signature.is_ok() => {
                            _ = done.fetch_add(1, Ordering::Relaxed)
                        }
                        // Refused between the look and the request: the next one is asked.
                        Err(error) if error.is_connect() => {}
                        other => failures.push(format!("{other:?}")),
                    }
                }
                failures
            }));
        }
        for keeps in [false, false, true, true] {
            let (balancer, stop, done) = (Arc::clone(balancer), Arc::clone(&stop), Arc::clone(&done));
            let session = session.to_owned();
            tasks.push(tokio::spawn(async move {
                let (mut failures, mut kept) = (Vec::new(), HashMap::new());
                while !stop.load(Ordering::Relaxed) {
                    let url = pick(&balancer).await;
                    let fresh = || Client::with_token(&url, "proxima_session", &session);
                    let client = if keeps { kept.entry(url.clone()).or_insert_with(fresh) } else { &mut fresh() };
                    let answer = match client.try_get("/api/v1/users").await {
                        // It ended while it rested. Browsers ask again, too, what changes nothing (RFC 9112, section 9.3.1).
                        Err(error) if keeps && !error.is_connect() => fresh().try_get("/api/v1/users").await,
                        answer => answer,
                    };
                    match answer {
                        Ok(answer) if answer.status == 200 => _ = done.fetch_add(1, Ordering::Relaxed),
                        Err(error) if error.is_connect() => {}
                        other => failures.push(format!("{other:?}")),
                    }
                }
                failures
            }));
        }
        Self { stop, done, tasks }
    }

    /// Waits until so many more requests were answered.
    async fn more(&self, count: usize) {
        let goal = self.done.load(Ordering::Relaxed) + count;
        let deadline = tokio::time::Instant::now() + super::PATIENCE;
        while self.done.load(Ordering::Relaxed) < goal {
            assert!(tokio::time::Instant::now() < deadline, "the load stands still");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            assert_eq!(task.await.unwrap(), Vec::<String>::new());
        }
    }
}

#[sqlx::test(migrations = false)]
async fn a_rolling_restart_under_load_loses_nothing(db: PgPool) {
    let (url, data) = (database_url(&db), Folder::new());
    let start = || DashboardProcess::start(PROGRAM, &url, &data, &[("PROXIMA_ADMIN_SECOND_FACTOR", "optional")]);
    let first = start().await;
    let folder = data.path().to_str().unwrap();
    let made = ["create-admin", "--password-stdin", "--database-url", &url, "--data-dir", folder];
    assert_eq!(proxima_test_support::run_program(PROGRAM, &made, PASSWORD).await.code, Some(0));
    let admin = first.client();
    let login = admin.post("/api/v1/auth/login", &json!({ "username": "admin", "password": PASSWORD })).await;
    login.expect_status(200);
    let session = login.session_token().unwrap();
    let mut gateways = Vec::new();
    for name in ["alice", "bob", "carol", "dave"] {
        let form = json!({ "username": name, "password": PASSWORD, "role": "CUSTOMER" });
        let id = admin.post("/api/v1/users", &form).await.expect(201)["server"]["id"].as_str().unwrap().to_owned();
        let key = admin.post(&format!("/api/v1/servers/{id}/license/reveal"), &json!({})).await.expect(200);
        gateways.push((
            ServerId(id.parse().unwrap()),
            serde_json::from_value::<LicenseKey>(key["apiKey"].clone()).unwrap(),
        ));
    }
    let keys = Keyring::load(&data.join("keys.json")).unwrap();
    let second = start().await;
    let balancer: Balancer = Arc::new(Mutex::new(vec![first.url.clone(), second.url.clone()]));
    let load = Load::start(&balancer, &session, gateways, &keys);
    load.more(20).await;
    // The first is replaced, then the second, as a deployment does.
    let mut fresh = Vec::new();
    for old in [first, second] {
        let new = start().await;
        balancer.lock().unwrap().push(new.url.clone());
        load.more(10).await;
        let (code, output) = old.stop().await;
        assert_eq!(code, Some(0), "{output}");
        load.more(10).await;
        fresh.push(new);
    }
    load.end().await;
    let lost: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM servers s WHERE NOT EXISTS (SELECT FROM gateway_installs g WHERE g.server_id = s.id)",
    )
    .fetch_one(&db)
    .await
    .unwrap();
    assert_eq!(lost, 0, "every gateway was heard");
}
