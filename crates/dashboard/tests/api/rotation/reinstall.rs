//! Whether a server's gateway was left without a key that counts.

use super::{Bench, expect_plain, expect_retired};
use proxima_dashboard::jobs;
use proxima_db::heartbeats::{self, Report};
use proxima_test_support::PASSWORD;
use serde_json::{Value, json};
use sqlx::PgPool;

impl Bench {
    /// As the admin, the list and its owner see it.
    async fn needs_reinstall(&self) -> bool {
        let path = format!("/api/v1/servers/{}", self.customer.server_id);
        let owner = self.app.sign_in("alice", PASSWORD).await;
        let answers = [
            self.admin.get(&path).await.expect(200),
            owner.get(&path).await.expect(200),
            self.admin.get("/api/v1/users?search=alice").await.expect(200)["items"][0]["server"].clone(),
        ];
        let said: Vec<&Value> = answers.iter().map(|answer| &answer["reinstallNeeded"]).collect();
        assert!(said.iter().all(|one| one.is_boolean() && *one == said[0]), "{said:?}");
        let retired = answers.iter().filter(|answer| answer["status"] == "KEY_RETIRED").count();
        assert_eq!(retired, if said[0] == &json!(true) { answers.len() } else { 0 }, "{answers:?}");
        said[0] == &json!(true)
    }

    async fn regenerate(&mut self) {
        self.admin.post(&self.path("/regenerate"), &json!({})).await.expect_status(200);
    }

    async fn install(&mut self) {
        self.gateway = self.app.gateway(&self.customer).await;
        expect_plain(&self.gateway.beat().await, "ACTIVE");
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn regenerating_asks_for_a_reinstall_until_the_new_key_is_used(db: PgPool) {
    let mut bench = Bench::new(db).await;
    assert!(!bench.needs_reinstall().await);
    bench.regenerate().await;
    assert!(bench.needs_reinstall().await);
    expect_retired(&bench.gateway.beat().await);
    assert!(bench.needs_reinstall().await, "a refused heartbeat is none");
    bench.install().await;
    assert!(!bench.needs_reinstall().await);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_heartbeat_judged_before_its_key_was_retired_does_not_hide_that_it_is(db: PgPool) {
    let mut bench = Bench::new(db).await;
    let (server_id, digest) = (bench.customer.server_id, bench.gateway.key.digest());
    let heard = bench.gateway.report();
    let report = [Report { server_id, digest, heartbeat: &heard }];
    heartbeats::record(&bench.app.db, &report).await.unwrap();
    let count = "SELECT sequence FROM gateway_installs";
    let recorded: i64 = sqlx::query_scalar(count).fetch_one(&bench.app.db).await.unwrap();
    assert_eq!(u64::try_from(recorded).unwrap(), heard.sequence, "while its key counts it is recorded");
    let judged = bench.gateway.report();
    bench.regenerate().await;
    heartbeats::record(&bench.app.db, &[Report { heartbeat: &judged, ..report[0] }]).await.unwrap();
    assert!(bench.needs_reinstall().await);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_key_that_was_handed_over_asks_for_nothing(db: PgPool) {
    let mut bench = Bench::new(db).await;
    bench.gateway.key = bench.hand_over().await;
    assert!(!bench.needs_reinstall().await, "both keys count");
    expect_plain(&bench.gateway.beat().await, "ACTIVE");
    assert!(!bench.needs_reinstall().await);
    bench.hand_over().await;
    bench.admin.post(&bench.path("/rotate/cancel"), &json!({})).await.expect_status(200);
    assert!(!bench.needs_reinstall().await, "the old key stays");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_limit_that_passes_over_a_silent_gateway_asks_for_a_reinstall(db: PgPool) {
    let mut bench = Bench::new(db).await;
    bench.begin().await;
    bench.set("rotation_limit_at = clock_timestamp()").await;
    jobs::sweep(&bench.app.app).await.unwrap();
    assert!(bench.needs_reinstall().await);
    bench.install().await;
    assert!(!bench.needs_reinstall().await);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_key_changed_by_hand_counts_and_a_server_without_a_gateway_needs_nothing(db: PgPool) {
    let mut bench = Bench::new(db).await;
    bench.set("api_key_digest = decode(repeat('ab', 32), 'hex')").await;
    assert!(bench.needs_reinstall().await);
    bench.regenerate().await;
    bench.install().await;
    sqlx::query("DELETE FROM gateway_installs").execute(&bench.app.db).await.unwrap();
    bench.regenerate().await;
    assert!(!bench.needs_reinstall().await);
}
