//! Hands in the database: whatever takes a key off a server retires it, and half a rotation is none.

use super::{Bench, expect_plain, expect_retired, handed};
use proxima_types::LicenseKey;
use sqlx::{AssertSqlSafe, PgPool};

async fn sql(bench: &Bench, query: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(query.to_owned())).execute(&bench.app.db).await.map(|_| ())
}

const NO_ROTATION: &str = "next_key_digest = NULL, next_key_ciphertext = NULL, next_key_last4 = NULL, \
    rotation_started_at = NULL, rotation_started_by = NULL, rotation_limit_at = NULL";

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_deleted_server_retires_both_keys(db: PgPool) {
    let mut bench = Bench::new(db).await;
    for delete in ["DELETE FROM servers", "DELETE FROM users WHERE role = 'CUSTOMER'"] {
        let new = bench.hand_over().await;
        sql(&bench, delete).await.unwrap();
        expect_retired(&bench.gateway.beat().await);
        expect_retired(&bench.beat_with(&new).await);
        assert_eq!(bench.retired().await, ["DELETED", "DELETED"]);
        bench.customer = bench.app.customer(&format!("after-{}", delete.len())).await;
        bench.gateway = bench.app.gateway(&bench.customer).await;
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_key_that_is_taken_off_by_hand_is_retired_and_one_that_moves_is_not(db: PgPool) {
    let mut bench = Bench::new(db).await;
    let new = bench.hand_over().await;
    bench.set(NO_ROTATION).await;
    assert_eq!(bench.retired().await, ["CANCELLED"]);
    expect_retired(&bench.beat_with(&new).await);
    expect_plain(&bench.gateway.beat().await, "ACTIVE");

    let new = bench.hand_over().await;
    let promote = "api_key_digest = next_key_digest, api_key_ciphertext = next_key_ciphertext, \
        api_key_last4 = next_key_last4";
    bench.set(&format!("{promote}, {NO_ROTATION}")).await;
    assert_eq!(bench.retired().await, ["CANCELLED", "ROTATED"]);
    expect_retired(&bench.gateway.beat().await);
    bench.gateway.key = new;
    expect_plain(&bench.gateway.beat().await, "ACTIVE");

    // The present key alone: the rotation goes on from the one that took its place.
    let new = bench.hand_over().await;
    let another = LicenseKey::from_random_bytes([9; 32]);
    bench.set("api_key_digest = sha256('x')").await;
    expect_retired(&bench.gateway.beat().await);
    assert_eq!(bench.retired().await, ["CANCELLED", "REGENERATED", "ROTATED"]);
    let update = format!("api_key_digest = sha256('{}')", another.expose());
    bench.set(&update).await;
    assert_eq!(handed(&bench.beat_with(&another).await), new);

    // Both at once.
    bench.set(&format!("api_key_digest = sha256('y'), {NO_ROTATION}")).await;
    expect_retired(&bench.beat_with(&another).await);
    expect_retired(&bench.beat_with(&new).await);
    assert_eq!(bench.retired().await.len(), 6);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn what_is_no_rotation_is_refused_by_the_database(db: PgPool) {
    let bench = Bench::new(db).await;
    bench.begin().await;
    bench.app.customer("bob").await;
    let bob = "(SELECT s.api_key_digest FROM servers s WHERE s.name = 'bob''s Server')";
    let alice = "(SELECT s.next_key_digest FROM servers s WHERE s.name = 'alice''s Server')";
    let whole = "next_key_ciphertext = '-', next_key_last4 = '-', rotation_started_at = now(), \
        rotation_started_by = '-', rotation_limit_at = now()";
    for (change, of, code) in [
        ("next_key_digest = NULL".to_owned(), "alice", "23514"),
        ("rotation_limit_at = NULL".to_owned(), "alice", "23514"),
        ("rotation_limit_at = 'infinity'".to_owned(), "alice", "23514"),
        ("next_key_digest = 'short'".to_owned(), "alice", "23514"),
        ("next_key_digest = api_key_digest".to_owned(), "alice", "23514"),
        ("api_key_digest = next_key_digest".to_owned(), "alice", "23514"),
        ("last_rotation_started_at = now()".to_owned(), "alice", "23514"),
        ("last_rotation_adopted_at = now()".to_owned(), "alice", "23514"),
        ("next_key_digest = sha256('x')".to_owned(), "bob", "23514"),
        // A key of two servers.
        (format!("next_key_digest = {bob}"), "alice", "23505"),
        (format!("api_key_digest = {bob}"), "alice", "23505"),
        (format!("api_key_digest = {alice}"), "bob", "23505"),
        (format!("next_key_digest = {alice}, {whole}"), "bob", "23505"),
    ] {
        let refused = sql(&bench, &format!("UPDATE servers SET {change} WHERE name = '{of}''s Server'")).await;
        let error = refused.expect_err(&change).into_database_error().expect("of the database");
        assert_eq!(error.code().as_deref(), Some(code), "{of}: {change}: {error}");
    }
}
