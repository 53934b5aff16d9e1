//! Rotate without downtime, as the operator works it and as gateways hear it (docs/heartbeat.md, "Rotation").

mod ends;
mod hands;
mod life;
mod reinstall;
mod together;

use proxima_test_support::{Beat, Client, Customer, TestApp, TestGateway, rows_matching};
use proxima_types::LicenseKey;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};

/// A dashboard, an admin, and a customer whose gateway runs.
struct Bench {
    app: TestApp,
    admin: Client,
    customer: Customer,
    gateway: TestGateway,
}

impl Bench {
    async fn new(db: PgPool) -> Self {
        let app = TestApp::start(db).await;
        let (admin, customer) = (app.admin().await, app.customer("alice").await);
        let mut gateway = app.gateway(&customer).await;
        TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
        Self { app, admin, customer, gateway }
    }

    fn path(&self, action: &str) -> String {
        format!("/api/v1/servers/{}/license{action}", self.customer.server_id)
    }

    async fn license(&self) -> Value {
        self.admin.get(&self.path("")).await.expect(200)
    }

    async fn begin(&self) -> Value {
        self.admin.post(&self.path("/rotate"), &json!({})).await.expect(200)
    }

    /// Begins a rotation; the key that the gateway is handed, and has not taken yet.
    async fn hand_over(&mut self) -> LicenseKey {
        self.begin().await;
        handed(&self.gateway.beat().await)
    }

    /// One heartbeat of the gateway with this key.
    async fn beat_with(&mut self, key: &LicenseKey) -> Beat {
        let own = std::mem::replace(&mut self.gateway.key, key.clone());
        let beat = self.gateway.beat().await;
        self.gateway.key = own;
        beat
    }

    /// Sets columns of the server by hand.
    async fn set(&self, change: &str) {
        let query = format!("UPDATE servers SET {change} WHERE id = $1");
        sqlx::query(AssertSqlSafe(query)).bind(self.customer.server_id.0).execute(&self.app.db).await.unwrap();
    }

    /// Why this server's keys were retired, in the order of the words.
    async fn retired(&self) -> Vec<String> {
        let condition = format!("server_id = '{}'", self.customer.server_id);
        let rows = rows_matching(&self.app.db, "retired_keys", &condition).await;
        let mut reasons: Vec<_> = rows.iter().map(|row| row["reason"].as_str().unwrap().to_owned()).collect();
        reasons.sort_unstable();
        reasons
    }
}

/// The key that a signed 200 hands over.
#[track_caller]
fn handed(beat: &Beat) -> LicenseKey {
    assert_eq!((beat.status, &beat.signature), (200, &Ok(())), "{beat:?}");
    LicenseKey::parse(beat.body["nextApiKey"].as_str().expect("a key")).expect("well formed")
}

/// A signed 200 that hands nothing over.
#[track_caller]
fn expect_plain(beat: &Beat, status: &str) {
    TestGateway::expect_status(beat, status);
    assert!(beat.body.get("nextApiKey").is_none(), "{beat:?}");
    assert_eq!(beat.body["nextHeartbeatSeconds"], 60);
}

/// The signed 401 that ends a key.
#[track_caller]
fn expect_retired(beat: &Beat) {
    assert_eq!((beat.status, beat.body["code"].as_str()), (401, Some("license_key_retired")), "{beat:?}");
    assert_eq!(beat.signature, Ok(()), "signed for this key and server");
}

fn masked(key: &LicenseKey) -> String {
    format!("pk_•••••…•{}", key.last4())
}
