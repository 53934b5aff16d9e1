//! Many customers at once, an operator who never rests, and a database whose connections keep breaking: no heartbeat
//! is ever answered with another verdict than the one that the operator's last action made.

use proxima_dashboard::app::{Actor, licenses};
use proxima_dashboard::entropy::{EntropyExt as _, OsEntropy};
use proxima_test_support::{Client, Customer, TestApp, TestGateway};
use serde_json::json;
use sqlx::PgPool;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CUSTOMERS: usize = 12;
/// How often, and how far apart, a broken dashboard is asked again.
const TRIES: usize = 200;
const PAUSE: Duration = Duration::from_millis(50);

/// What a customer's gateway must hear next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Active,
    Grace,
    Expired,
}

/// Short in every run, minutes long with `PROXIMA_TEST_FULL=1`.
fn duration() -> Duration {
    Duration::from_secs(if crate::full() { 240 } else { 6 })
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn soak_verdicts_follow_the_operator_through_broken_connections(db: PgPool) {
    let app = Arc::new(TestApp::start(db).await);
    let admin = app.admin().await;
    let mut customers = Vec::new();
    for index in 0..CUSTOMERS {
        let customer = app.customer(&format!("customer-{index}")).await;
        let gateway = app.gateway(&customer).await;
        customers.push((customer, gateway));
    }
    let end = Instant::now() + duration();
    let breaker = tokio::spawn(break_connections(app.db.clone(), end));
    let mut lives = Vec::new();
    for (customer, gateway) in customers {
        lives.push(tokio::spawn(live(Arc::clone(&app), admin.clone(), customer, gateway, end)));
    }
    let mut judged = 0;
    for life in lives {
        judged += life.await.expect("a life without a wrong verdict");
    }
    breaker.await.expect("the breaker");
    assert!(judged > CUSTOMERS * 5, "only {judged} verdicts were heard");
    assert_eq!(proxima_test_support::first_broken(&app.db).await.expect("checked"), None);
}

/// Ends every connection of this database but its own, again and again.
async fn break_connections(db: PgPool, end: Instant) {
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let _ = sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .execute(&db)
        .await;
    }
}

/// Acts on one customer's license and listens, until `end`. Returns how many verdicts were heard.
async fn live(app: Arc<TestApp>, admin: Client, customer: Customer, mut gateway: TestGateway, end: Instant) -> usize {
    let path = format!("/api/v1/servers/{}/license", customer.server_id);
    let mut expected = Expected::Active;
    let mut judged = 0;
    while Instant::now() < end {
        expected = act(&app, &admin, &path, &customer, &mut gateway, expected).await;
        for _ in 0..3 {
            judged += usize::from(listen(&mut gateway, expected).await);
        }
    }
    judged
}

/// One random action of the operator's; what holds after it.
async fn act(
    app: &TestApp,
    admin: &Client,
    path: &str,
    customer: &Customer,
    gateway: &mut TestGateway,
    before: Expected,
) -> Expected {
    let choice = OsEntropy.bytes::<1>()[0] % 4;
    let answer = match (choice, before) {
        (0, Expected::Active) => admin.post(&format!("{path}/revoke"), &json!({ "graceSeconds": 0 })).await,
        (1, Expected::Active) => admin.post(&format!("{path}/revoke"), &json!({ "graceSeconds": 86_400 })).await,
        (2, _) => admin.post(&format!("{path}/regenerate"), &json!({})).await,
        (_, Expected::Active) => return before,
        _ => admin.post(&format!("{path}/reinstate"), &json!({})).await,
    };
    let status = answer.status.as_u16();
    assert!(matches!(status, 200 | 401 | 503), "{status}: {}", answer.text);
    // A connection that broke on the way leaves open whether the action was committed: look.
    if choice == 2 {
        renew(app, customer, gateway).await;
    }
    state(admin, path).await
}

/// The license as the operator sees it, once the dashboard answers.
async fn state(admin: &Client, path: &str) -> Expected {
    for _ in 0..TRIES {
        match admin.get(path).await.json()["status"].as_str() {
            Some("ACTIVE") => return Expected::Active,
            Some("GRACE") => return Expected::Grace,
            Some("EXPIRED") => return Expected::Expired,
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
    panic!("the dashboard did not come back");
}

/// Hands the gateway the key of now. The one before is refused by a signed 401, unless its replacing was not committed.
async fn renew(app: &TestApp, customer: &Customer, gateway: &mut TestGateway) {
    for _ in 0..TRIES {
        if let Ok(key) = licenses::reveal(&app.app, &Actor::console(), customer.server_id).await {
            if key != gateway.key {
                let beat = gateway.beat().await;
                assert!(matches!(beat.status, 401 | 503), "{beat:?}");
                assert_eq!(beat.signature.is_ok(), beat.status == 401, "{beat:?}");
            }
            gateway.key = key;
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("the dashboard did not come back");
}

/// One heartbeat: the right verdict, or none. `true` when it was one.
async fn listen(gateway: &mut TestGateway, expected: Expected) -> bool {
    let beat = gateway.beat().await;
    if beat.status == 503 {
        return false;
    }
    assert_eq!(beat.signature, Ok(()), "{beat:?}");
    assert_eq!(beat.status, 200, "{beat:?}");
    let heard = match beat.body["status"].as_str() {
        Some("ACTIVE") => Expected::Active,
        Some("GRACE") => Expected::Grace,
        _ => Expected::Expired,
    };
    assert_eq!(heard, expected, "{beat:?}");
    true
}
