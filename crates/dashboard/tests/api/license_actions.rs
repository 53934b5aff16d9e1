//! Every action from every state, with what it leaves behind (product.md section 3).

use chrono::{DateTime, Duration, Utc};
use proxima_test_support::{Audited, Client, Customer, TestApp, TestGateway, audited};
use serde_json::{Value, json};
use sqlx::PgPool;

/// A license as somebody's SQL left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Active,
    Grace,
    GracePast,
    ExpiredByHand,
    ExpiredByHandWithDate,
}

impl State {
    const ALL: [Self; 5] =
        [Self::Active, Self::Grace, Self::GracePast, Self::ExpiredByHand, Self::ExpiredByHandWithDate];

    fn sql(self) -> &'static str {
        match self {
            Self::Active => "license_status = 'ACTIVE', grace_expires_at = NULL",
            Self::Grace => "license_status = 'GRACE', grace_expires_at = now() + interval '1 hour'",
            Self::GracePast => "license_status = 'GRACE', grace_expires_at = now() - interval '1 second'",
            Self::ExpiredByHand => "license_status = 'EXPIRED', grace_expires_at = NULL",
            Self::ExpiredByHandWithDate => "license_status = 'EXPIRED', grace_expires_at = now() + interval '1 hour'",
        }
    }

    fn seen(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Grace => "GRACE",
            _ => "EXPIRED",
        }
    }
}

async fn put_into(db: &PgPool, customer: &Customer, state: State) {
    let query = format!("UPDATE servers SET {} WHERE id = $1", state.sql());
    sqlx::query(sqlx::AssertSqlSafe(query)).bind(customer.server_id.0).execute(db).await.unwrap();
}

#[derive(Debug, PartialEq, sqlx::FromRow)]
struct Stored {
    license_status: String,
    grace_expires_at: Option<DateTime<Utc>>,
    api_key_digest: Vec<u8>,
}

async fn stored(db: &PgPool, customer: &Customer) -> Stored {
    sqlx::query_as("SELECT license_status, grace_expires_at, api_key_digest FROM servers WHERE id = $1")
        .bind(customer.server_id.0)
        .fetch_one(db)
        .await
        .unwrap()
}

/// A dashboard with an admin, and customers one after another.
struct Bench {
    app: TestApp,
    admin: Client,
    admin_id: Value,
}

impl Bench {
    async fn new(db: PgPool) -> Self {
        let app = TestApp::start(db).await;
        let admin = app.admin().await;
        let admin_id = admin.get("/api/v1/me").await.expect(200)["id"].clone();
        Self { app, admin, admin_id }
    }

    async fn customer_in(&self, name: &str, state: State) -> Customer {
        let customer = self.app.customer(name).await;
        put_into(&self.app.db, &customer, state).await;
        customer
    }

    /// The one audit row of this action on this customer's server: who, on what, from where.
    async fn audited(&self, action: &str, customer: &Customer, outcome: &str) -> Audited {
        let rows = audited(&self.app.db, action).await;
        let rows: Vec<_> = rows.into_iter().filter(|row| row.target == Some(customer.server_id.0)).collect();
        assert_eq!(rows.len(), 1, "{action} {}: {rows:?}", customer.username);
        let row = rows.into_iter().next().unwrap();
        assert_eq!(row.outcome, outcome, "{row:?}");
        assert_eq!(row.target_type.as_deref(), Some("server"));
        assert_eq!(row.target_name, Some(format!("{}'s Server", customer.username)));
        assert_eq!(row.user_id.map(|id| id.to_string()).as_deref(), self.admin_id.as_str());
        assert_eq!(row.username, "admin");
        assert_eq!(row.ip.as_deref(), Some("127.0.0.1"));
        assert_eq!(row.metadata["ownerUsername"], customer.username.as_str());
        row
    }
}

fn license(customer: &Customer) -> String {
    format!("/api/v1/servers/{}/license", customer.server_id)
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn revoke_from_every_state(db: PgPool) {
    let bench = Bench::new(db).await;
    for (index, state) in State::ALL.into_iter().enumerate() {
        let customer = bench.customer_in(&format!("revoke{index}"), state).await;
        let before = stored(&bench.app.db, &customer).await;
        let answer = bench.admin.post(&format!("{}/revoke", license(&customer)), &json!({})).await;
        let after = stored(&bench.app.db, &customer).await;
        if state == State::Active {
            let body = answer.expect(200);
            assert_eq!(body["status"], "GRACE");
            assert_eq!(after.license_status, "GRACE");
            // Five days from the database's now, give or take this test's own time.
            let left: f64 = sqlx::query_scalar(
                "SELECT extract(epoch FROM grace_expires_at - now())::float8 FROM servers WHERE id = $1",
            )
            .bind(customer.server_id.0)
            .fetch_one(&bench.app.db)
            .await
            .unwrap();
            assert!((432_000.0 - 120.0..=432_000.0).contains(&left), "{left}");
            let row = bench.audited("server.license.revoke", &customer, "SUCCESS").await;
            assert_eq!(row.metadata["graceDays"].as_f64(), Some(5.0));
            assert_eq!(row.metadata["graceSeconds"], 432_000);
            let end: DateTime<Utc> = row.metadata["graceExpiresAt"].as_str().unwrap().parse().unwrap();
            assert!((end - after.grace_expires_at.unwrap()).abs() < Duration::milliseconds(1));
        } else {
            assert_eq!(answer.problem(409, "license_state_conflict")["licenseStatus"], state.seen(), "{state:?}");
            assert_eq!(after, before, "{state:?}");
            let row = bench.audited("server.license.revoke", &customer, "FAILURE").await;
            assert_eq!(row.metadata["licenseStatus"], state.seen());
        }
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn reinstate_from_every_state(db: PgPool) {
    let bench = Bench::new(db).await;
    for (index, state) in State::ALL.into_iter().enumerate() {
        let customer = bench.customer_in(&format!("reinstate{index}"), state).await;
        let before = stored(&bench.app.db, &customer).await;
        let answer = bench.admin.post(&format!("{}/reinstate", license(&customer)), &json!({})).await;
        let after = stored(&bench.app.db, &customer).await;
        if state == State::Active {
            assert_eq!(answer.problem(409, "license_state_conflict")["licenseStatus"], "ACTIVE");
            assert_eq!(after, before);
            bench.audited("server.license.reinstate", &customer, "FAILURE").await;
            continue;
        }
        let body = answer.expect(200);
        assert_eq!((&body["status"], &body["graceExpiresAt"]), (&json!("ACTIVE"), &Value::Null), "{state:?}");
        assert_eq!((after.license_status.as_str(), after.grace_expires_at), ("ACTIVE", None), "{state:?}");
        assert_eq!(after.api_key_digest, before.api_key_digest, "reinstating keeps the key");
        let row = bench.audited("server.license.reinstate", &customer, "SUCCESS").await;
        assert_eq!(row.metadata["from"], state.seen());
        TestGateway::expect_status(&bench.app.gateway(&customer).await.beat().await, "ACTIVE");
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn regenerate_from_every_state(db: PgPool) {
    let bench = Bench::new(db).await;
    for (index, state) in State::ALL.into_iter().enumerate() {
        let customer = bench.customer_in(&format!("regenerate{index}"), state).await;
        let mut gateway = bench.app.gateway(&customer).await;
        let before = stored(&bench.app.db, &customer).await;
        let body = bench.admin.post(&format!("{}/regenerate", license(&customer)), &json!({})).await.expect(200);
        let after = stored(&bench.app.db, &customer).await;
        assert_eq!(body["status"], state.seen(), "a new key changes no status");
        assert_eq!((after.license_status, after.grace_expires_at), (before.license_status, before.grace_expires_at));
        assert_ne!(after.api_key_digest, before.api_key_digest);
        let fresh = bench.app.gateway(&customer).await.key;
        assert_eq!(body["maskedKey"], format!("pk_•••••…•{}", fresh.last4()));
        let row = bench.audited("server.license.regenerate", &customer, "SUCCESS").await;
        assert_eq!(row.metadata["newKeyEndsIn"], fresh.last4());
        let beat = gateway.beat().await;
        assert_eq!((beat.status, beat.body["code"].as_str()), (401, Some("license_key_retired")));
        assert_eq!(beat.signature, Ok(()));
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn reveal_from_every_state(db: PgPool) {
    let bench = Bench::new(db).await;
    for (index, state) in State::ALL.into_iter().enumerate() {
        let customer = bench.customer_in(&format!("reveal{index}"), state).await;
        let before = stored(&bench.app.db, &customer).await;
        let body = bench.admin.post(&format!("{}/reveal", license(&customer)), &json!({})).await.expect(200);
        let key = body["apiKey"].as_str().unwrap();
        assert_eq!(proxima_types::KeyDigest::of_presented(key).as_bytes().to_vec(), before.api_key_digest);
        assert!(key.starts_with("pk_") && key.len() == 46, "{key}");
        assert_eq!(stored(&bench.app.db, &customer).await, before);
        let row = bench.audited("server.license.reveal", &customer, "SUCCESS").await;
        assert!(!row.metadata.to_string().contains(&key[3..]), "the log does not hold the key");
        // The card shows the last four only.
        let card = bench.admin.get(&license(&customer)).await;
        assert_eq!(card.expect(200)["maskedKey"], format!("pk_•••••…•{}", &key[42..]));
        assert!(!card.text.contains(&key[3..42]));
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn the_grace_is_chosen_per_revoke_within_bounds(db: PgPool) {
    let bench = Bench::new(db).await;
    let customer = bench.app.customer("alice").await;
    let revoke = format!("{}/revoke", license(&customer));
    bench
        .admin
        .post(&revoke, &json!({ "graceSeconds": 31_622_401 }))
        .await
        .refuses(&[("graceSeconds", "out_of_range")]);
    for malformed in [json!(-1), json!(1.5), json!("5"), json!(4_294_967_296_u64), json!([])] {
        let answer = bench.admin.post(&revoke, &json!({ "graceSeconds": malformed })).await;
        answer.problem(422, "validation_failed");
    }
    assert_eq!(bench.admin.get(&license(&customer)).await.expect(200)["status"], "ACTIVE");
    for (seconds, days, status) in
        [(31_622_400, 366.0, "GRACE"), (90_000, 90_000.0 / 86_400.0, "GRACE"), (0, 0.0, "EXPIRED")]
    {
        let body = bench.admin.post(&revoke, &json!({ "graceSeconds": seconds })).await.expect(200);
        assert_eq!(body["status"], status, "{seconds}");
        assert_eq!(body["graceExpiresAt"].is_null(), status == "EXPIRED");
        let rows = audited(&bench.app.db, "server.license.revoke").await;
        let metadata = &rows.last().unwrap().metadata;
        assert_eq!(metadata["graceSeconds"], seconds);
        assert!((metadata["graceDays"].as_f64().unwrap() - days).abs() < 1e-9, "{metadata}");
        bench.admin.post(&format!("{}/reinstate", license(&customer)), &json!({})).await.expect_status(200);
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn every_reader_sees_the_same_status(db: PgPool) {
    let bench = Bench::new(db).await;
    for (index, state) in State::ALL.into_iter().enumerate() {
        let customer = bench.customer_in(&format!("reader{index}"), state).await;
        let own = bench.app.sign_in(&customer.username, proxima_test_support::PASSWORD).await;
        let server = format!("/api/v1/servers/{}", customer.server_id);
        let visible_date = state == State::Grace;
        let mut seen = vec![
            bench.admin.get(&license(&customer)).await.expect(200),
            own.get(&server).await.expect(200)["license"].clone(),
            bench.admin.get(&format!("/api/v1/users/{}", customer.id)).await.expect(200)["server"]["license"].clone(),
            bench.app.gateway(&customer).await.beat().await.body,
        ];
        let list = bench.admin.get(&format!("/api/v1/servers?search=reader{index}")).await.expect(200);
        seen.push(list["items"][0]["license"].clone());
        for answer in seen {
            assert_eq!(answer["status"], state.seen(), "{state:?}: {answer}");
            assert_eq!(answer["graceExpiresAt"].is_string(), visible_date, "{state:?}: {answer}");
        }
        for status in ["ACTIVE", "GRACE", "EXPIRED"] {
            let path = format!("/api/v1/users?licenseStatus={status}&search=reader{index}");
            let found = bench.admin.get(&path).await.expect(200)["items"].as_array().unwrap().len();
            assert_eq!(found, usize::from(status == state.seen()), "{state:?} {status}");
        }
    }
}
