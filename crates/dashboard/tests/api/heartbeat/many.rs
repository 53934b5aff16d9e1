//! A whole fleet at once: batches mix nobody up.

use proxima_test_support::{TestApp, TestGateway};
use proxima_types::{LicenseKey, ServerId};
use sqlx::PgPool;
use std::collections::BTreeMap;
use uuid::Uuid;

const FLEET: u32 = 500;

/// What a gateway of the fleet must hear, by its number.
fn expected(number: u32) -> (u16, &'static str) {
    match number % 5 {
        0 | 1 => (200, "ACTIVE"),
        2 => (200, "GRACE"),
        3 => (200, "EXPIRED"),
        _ => (401, "license_key_retired"),
    }
}

fn key(number: u32) -> LicenseKey {
    let mut bytes = [7; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    LicenseKey::from_random_bytes(bytes)
}

/// Customers by the hundred, written as provisioning writes them.
async fn fleet(db: &PgPool) -> Vec<(ServerId, LicenseKey)> {
    let keys: Vec<LicenseKey> = (0..FLEET).map(key).collect();
    let digests: Vec<Vec<u8>> = keys.iter().map(|key| key.digest().as_bytes().to_vec()).collect();
    sqlx::query(
        "WITH n AS (SELECT digest, position - 1 AS i, gen_random_uuid() AS id \
                    FROM UNNEST($1::bytea[]) WITH ORDINALITY AS k(digest, position)), \
              u AS (INSERT INTO users (id, username, password_hash, role) \
                    SELECT id, 'fleet' || i, '-', 'CUSTOMER' FROM n) \
         INSERT INTO servers (id, owner_id, name, api_key_digest, api_key_ciphertext, api_key_last4, \
                              api_secret_ciphertext, license_status, grace_expires_at) \
         SELECT gen_random_uuid(), id, i::text, digest, '-', '-', '-', \
                CASE i % 5 WHEN 2 THEN 'GRACE' WHEN 3 THEN 'GRACE' ELSE 'ACTIVE' END, \
                CASE i % 5 WHEN 2 THEN now() + interval '1 hour' WHEN 3 THEN now() - interval '1 hour' END FROM n",
    )
    .bind(&digests)
    .execute(db)
    .await
    .unwrap();
    let ids: Vec<(String, Uuid)> = sqlx::query_as("SELECT name, id FROM servers").fetch_all(db).await.unwrap();
    let ids: BTreeMap<String, Uuid> = ids.into_iter().collect();
    // Every fifth is deleted by hand.
    sqlx::query("DELETE FROM servers WHERE name ~ '^[0-9]+$' AND right(name, 1) IN ('4', '9')")
        .execute(db)
        .await
        .unwrap();
    keys.into_iter().enumerate().map(|(i, key)| (ServerId(ids[&i.to_string()]), key)).collect()
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn five_hundred_gateways_at_once_hear_each_its_own_verdict(db: PgPool) {
    let app = TestApp::start(db).await;
    let customer = app.customer("alice").await;
    let first = app.gateway(&customer).await;
    let gateways: Vec<TestGateway> =
        fleet(&app.db).await.into_iter().map(|(id, key)| first.on_another_host(id, key)).collect();
    let mut beats = tokio::task::JoinSet::new();
    for (number, mut gateway) in (0..).zip(gateways) {
        beats.spawn(async move {
            let beat = gateway.beat().await;
            let (status, word) = expected(number);
            assert_eq!(beat.signature, Ok(()), "{number}: bound to its own key, server and nonce: {beat:?}");
            assert_eq!(beat.status, status, "{number}");
            assert_eq!(beat.body[if status == 200 { "status" } else { "code" }], word, "{number}");
        });
    }
    let done = beats.join_all().await.len();
    assert_eq!(done, FLEET as usize);
    let (installs, expiries): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM gateway_installs), \
                (SELECT count(*) FROM audit_log WHERE action = 'server.license.expire')",
    )
    .fetch_one(&app.db)
    .await
    .unwrap();
    assert_eq!((installs, expiries), (400, 100), "each recorded, each expiry audited once");
    assert_eq!(proxima_test_support::first_broken(&app.db).await.unwrap(), None);
}
