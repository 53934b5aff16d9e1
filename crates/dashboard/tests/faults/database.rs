//! PostgreSQL stopped, killed, frozen, slow, read-only, full, and out of connections.

use crate::full;
use crate::postgres::Postgres;
use crate::stand::{Stand, Told};
use proxima_test_support::PASSWORD;
use serde_json::json;
use sqlx::{ConnectOptions as _, PgConnection};

/// One fault after another on one dashboard, which is never restarted.
#[tokio::test]
async fn a_database_that_goes_away_costs_no_verdict_and_nothing_committed() {
    let postgres = Postgres::start_new().await;
    let mut stand = Stand::new(&postgres).await;

    // Stopped by its operator.
    let mut marks = vec![stand.leave_a_mark().await];
    postgres.stop();
    stand.is_without_database().await;
    postgres.start();
    stand.recovers(&marks).await;

    // Killed: what was committed is there after its recovery.
    marks.push(stand.leave_a_mark().await);
    postgres.kill();
    stand.is_without_database().await;
    postgres.start();
    stand.recovers(&marks).await;

    // Read-only, as after a fail-over that is not finished, for every new transaction.
    let read_only = |on: &str| format!("ALTER SYSTEM SET default_transaction_read_only = {on}");
    postgres.run("postgres", &read_only("on")).await;
    postgres.run("postgres", "SELECT pg_reload_conf()").await;
    stand.comes_to([Told::NoVerdict, Told::NoVerdict, Told::Truth]).await;
    let form = json!({ "username": "nobody", "password": PASSWORD, "role": "CUSTOMER" });
    stand.admin.post("/api/v1/users", &form).await.problem(503, "unavailable");
    postgres.run("postgres", &read_only("off")).await;
    postgres.run("postgres", "SELECT pg_reload_conf()").await;
    stand.recovers(&marks).await;

    // All its connections are taken by others, and ours are ended.
    let mut others: Vec<PgConnection> = Vec::new();
    postgres.run("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'proxima'").await;
    while let Ok(connection) = postgres.options("postgres").connect().await {
        others.push(connection);
        assert!(others.len() < 100, "there is no bound");
        if others.len().is_multiple_of(10) {
            let again = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'proxima'";
            let connection = others.last_mut().expect("one");
            sqlx::raw_sql(again).execute(connection).await.expect("ended");
        }
    }
    stand.beats().await;
    drop(others);
    stand.recovers(&marks).await;
}

/// Every process of PostgreSQL is frozen: connections stay open and say nothing.
#[tokio::test]
async fn kill_matrix_a_frozen_database_is_answered_for_in_time_and_in_bounds() {
    if !full() {
        return;
    }
    let postgres = Postgres::start_new().await;
    let mut stand = Stand::new(&postgres).await;
    let marks = vec![stand.leave_a_mark().await];
    let mut memory = Vec::new();
    for _ in 0..3 {
        postgres.freeze();
        for _ in 0..4 {
            stand.is_without_database().await;
        }
        postgres.thaw();
        stand.recovers(&marks).await;
        memory.push(stand.process.resident_kilobytes());
    }
    // The first time touches what is then kept.
    assert!(memory[2] < memory[0] + 32 * 1024, "memory grows with each time: {memory:?} KiB");
}

/// Statements take longer than anybody waits.
#[tokio::test]
async fn kill_matrix_a_slow_database_is_no_verdict() {
    if !full() {
        return;
    }
    let postgres = Postgres::start_new().await;
    let mut stand = Stand::new(&postgres).await;
    let marks = vec![stand.leave_a_mark().await];
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
                $$ BEGIN PERFORM pg_sleep(30); RETURN NEW; END $$; \
                CREATE TRIGGER slow BEFORE INSERT OR UPDATE ON gateway_installs FOR EACH ROW EXECUTE FUNCTION slow()";
    postgres.run("proxima", slow).await;
    for _ in 0..3 {
        let told = stand.beats().await;
        assert_eq!(told[..2], [Told::NoVerdict; 2]);
    }
    postgres.run("proxima", "DROP TRIGGER slow ON gateway_installs").await;
    stand.recovers(&marks).await;
}

/// The file system under the data has no byte left.
#[tokio::test]
async fn kill_matrix_a_full_disk_costs_no_verdict_and_nothing_committed() {
    if !full() {
        return;
    }
    let postgres = Postgres::start_on_small_disk(200).await;
    let mut stand = Stand::new(&postgres).await;
    let marks = vec![stand.leave_a_mark().await];
    postgres.disk().fill();
    // What fits into the pages that are there may go on; the log's next segment does not.
    let grow = "DO $$ BEGIN CREATE TABLE IF NOT EXISTS filler (t text); \
                INSERT INTO filler SELECT repeat(md5(n::text), 1000) FROM generate_series(1, 2000) n; END $$";
    for _ in 0..3 {
        if let Ok(mut connection) = postgres.options("proxima").connect().await {
            let _ = sqlx::raw_sql(grow).execute(&mut connection).await;
        }
        stand.beats().await;
    }
    postgres.disk().free();
    postgres.start_unless_running();
    stand.recovers(&marks).await;
}
