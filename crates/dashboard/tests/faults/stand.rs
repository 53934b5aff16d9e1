//! A dashboard as a process, an admin, and three gateways whose truths differ.

use crate::PROGRAM;
use crate::postgres::{Postgres, url};
use proxima_dashboard::keyring::Keyring;
use proxima_signing::VerifyError;
use proxima_test_support::{Client, DashboardProcess, Exchange, Folder, PASSWORD, TestApp, TestGateway};
use proxima_types::{LicenseKey, ServerId};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long a recovery may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// The longest that anybody waits for an answer while the database is away, seconds: heartbeats 8, people 5 for a
/// connection; the rest is for a busy machine.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// A variable of the dashboard's.
const CONNECTIONS: (&str, &str) = ("PROXIMA_DATABASE_CONNECTIONS", "8");

/// What a heartbeat was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Truth,
    NoVerdict,
}

pub struct Stand {
    pub process: DashboardProcess,
    /// The dashboard's; removed with the stand.
    data: Folder,
    database_url: String,
    pub admin: Client,
    pub gateways: Vec<(TestGateway, &'static str)>,
    created: usize,
}

pub async fn sign_in(url: &str) -> Client {
    let client = Client::new(url);
    let body = json!({ "username": "admin", "password": PASSWORD });
    client.post("/api/v1/auth/login", &body).await.expect_status(200);
    client
}

fn form(username: &str) -> Value {
    json!({ "username": username, "password": PASSWORD, "role": "CUSTOMER" })
}

pub async fn create(admin: &Client, username: &str) -> ServerId {
    let user = admin.post("/api/v1/users", &form(username)).await.expect(201);
    user["server"]["id"].as_str().expect("a server").parse().expect("an id")
}

pub async fn reveal(admin: &Client, server: ServerId) -> LicenseKey {
    let revealed = admin.post(&format!("/api/v1/servers/{server}/license/reveal"), &json!({})).await.expect(200);
    LicenseKey::parse(revealed["apiKey"].as_str().expect("a key")).expect("well formed")
}

impl Stand {
    pub async fn new(postgres: &Postgres) -> Self {
        Self::through(postgres, postgres.port).await
    }

    /// A dashboard that reaches the database at another port.
    pub async fn through(postgres: &Postgres, port: u16) -> Self {
        Self::on(postgres, port, Folder::new(), &[]).await
    }

    /// With this data folder, and these variables.
    pub async fn on(postgres: &Postgres, port: u16, data: Folder, env: &[(&str, &str)]) -> Self {
        let db = postgres.pool();
        proxima_db::pool::migrate(&db).await.expect("migrated");
        TestApp::start(db).await.admin().await;
        let database_url = url(port);
        let env = [&[CONNECTIONS], env].concat();
        let process = DashboardProcess::start(PROGRAM, &database_url, &data, &env).await;
        let admin = sign_in(&process.url).await;
        let public_key =
            Keyring::load(&data.join("keys.json")).expect("its key file").public_key().expect("a signing key");
        let mut gateways = Vec::new();
        for (name, truth) in [("active", "ACTIVE"), ("expired", "EXPIRED"), ("retired", "license_key_retired")] {
            let server = create(&admin, name).await;
            let key = reveal(&admin, server).await;
            let path = format!("/api/v1/servers/{server}/license");
            match name {
                "expired" => {
                    admin.post(&format!("{path}/revoke"), &json!({ "graceSeconds": 0 })).await.expect_status(200)
                }
                "retired" => admin.post(&format!("{path}/regenerate"), &json!({})).await.expect_status(200),
                _ => {}
            }
            gateways.push((TestGateway::new(&process.url, public_key, server, key), truth));
        }
        let mut stand = Self { process, data, database_url, admin, gateways, created: 0 };
        assert_eq!(stand.beats().await, [Told::Truth; 3]);
        stand
    }

    /// The dashboard is killed with -9, and started again on the same folder and database.
    pub async fn killed_and_started(mut self) -> Self {
        self.process.kill().await;
        self.process = DashboardProcess::start(PROGRAM, &self.database_url, &self.data, &[CONNECTIONS]).await;
        self.admin = sign_in(&self.process.url).await;
        for (gateway, _) in &mut self.gateways {
            let (public_key, server, key) = (gateway.public_key(), gateway.server_id, gateway.key.clone());
            *gateway = TestGateway::new(&self.process.url, public_key, server, key);
        }
        self
    }

    /// One heartbeat of each gateway, at once. Anything but the truth or a signed 503 is a failure.
    pub async fn beats(&mut self) -> [Told; 3] {
        let begun = Instant::now();
        let [a, b, c] = self.gateways.as_mut_slice() else { panic!("three gateways") };
        let told = tokio::join!(beat(a), beat(b), beat(c));
        assert!(begun.elapsed() < ANSWERS_WITHIN, "answers took {:?}", begun.elapsed());
        told.into()
    }

    /// A committed change, to be found again after the fault.
    pub async fn leave_a_mark(&mut self) -> String {
        self.created += 1;
        let name = format!("mark-{}", self.created);
        create(&self.admin, &name).await;
        name
    }

    /// While the database is away: heartbeats get no verdict, and people are told so, in time.
    pub async fn is_without_database(&mut self) {
        assert_eq!(self.beats().await, [Told::NoVerdict; 3]);
        let begun = Instant::now();
        let answer = self.admin.get("/api/v1/users").await;
        assert!(begun.elapsed() < ANSWERS_WITHIN, "a page took {:?}", begun.elapsed());
        answer.problem(503, "unavailable");
        assert!(answer.header("retry-after").is_some());
        assert_eq!(self.admin.get("/readyz").await.status, 503);
        self.admin.get("/healthz").await.expect_status(200);
    }

    /// Beats until this is what the three are told.
    pub async fn comes_to(&mut self, expected: [Told; 3]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let told = self.beats().await;
            if told == expected {
                return;
            }
            assert!(Instant::now() < deadline, "still {told:?} instead of {expected:?}: {}", self.process.output());
        }
    }

    /// Everybody is told the truth again, without any restart; the session goes on; the marks are there.
    pub async fn recovers(&mut self, marks: &[String]) {
        self.comes_to([Told::Truth; 3]).await;
        let deadline = Instant::now() + PATIENCE;
        let users = loop {
            let answer = self.admin.get("/api/v1/users?limit=100").await;
            if answer.status == 200 {
                break answer.json();
            }
            answer.problem(503, "unavailable");
            assert!(Instant::now() < deadline, "pages do not recover");
        };
        for mark in marks {
            let found = users["items"].as_array().expect("users").iter().any(|user| user["username"] == mark.as_str());
            assert!(found, "{mark} is lost");
        }
        self.leave_a_mark().await;
    }
}

async fn beat((gateway, truth): &mut (TestGateway, &'static str)) -> Told {
    let nonce = TestGateway::nonce();
    let body = serde_json::to_vec(&gateway.report()).expect("json");
    let authorization = format!("Bearer {}", gateway.key.expose());
    let answer: Exchange = gateway.exchange(Some(&nonce), Some(&authorization), body).await;
    let verified = answer.verify(gateway.public_key(), &nonce, gateway.key.expose(), gateway.server_id);
    let json = answer.json();
    if answer.status == 503 {
        assert_eq!(verified, Err(VerifyError::NoServer), "a 503 is signed, and for no server: {answer:?}");
        assert_eq!(json["code"], "unavailable", "{json}");
        return Told::NoVerdict;
    }
    assert_eq!(verified, Ok(()), "{answer:?}");
    let told = if answer.status == 200 { &json["status"] } else { &json["code"] };
    assert_eq!(told, truth, "a wrong verdict: {json}");
    Told::Truth
}
