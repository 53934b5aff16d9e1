//! The fleet at a glance: counts that agree with the lists, and what needs attention.

use proxima_test_support::{TestApp, TestGateway};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};

async fn sql(db: &PgPool, query: String) {
    sqlx::query(AssertSqlSafe(query)).execute(db).await.unwrap();
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn counts_agree_with_the_lists_and_attention_names_what_is_wrong(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    for name in ["online", "offline", "grace", "stopped", "retired", "new", "expired-new"] {
        let customer = app.customer(name).await;
        if !name.ends_with("new") {
            app.gateway(&customer).await.beat().await;
        }
        let (of, id) = (format!("server_id = '{}'", customer.server_id), format!("id = '{}'", customer.server_id));
        match name {
            "offline" => sql(&app.db, format!("UPDATE gateway_installs SET last_heartbeat_at = now() - interval '1 hour' WHERE {of}")).await,
            "retired" => {
                let path = format!("/api/v1/servers/{}/license/regenerate", customer.server_id);
                admin.post(&path, &json!({})).await.expect_status(200);
            }
            "grace" => sql(&app.db, format!("UPDATE servers SET license_status = 'GRACE', grace_expires_at = now() + interval '1 day' WHERE {id}")).await,
            "stopped" | "expired-new" => sql(&app.db, format!("UPDATE servers SET license_status = 'EXPIRED' WHERE {id}")).await,
            _ => {}
        }
    }
    let fleet = admin.get("/api/v1/fleet").await.expect(200);
    let counts = &fleet["counts"];
    let count = |name: &str| counts[name].as_i64().unwrap_or_else(|| panic!("{name}: {counts}"));
    assert_eq!(
        (count("total"), count("online"), count("offline"), count("stopped"), count("keyRetired")),
        (7, 2, 1, 1, 1)
    );
    assert_eq!((count("notInstalled"), count("grace"), count("expired")), (2, 1, 2));
    for (filter, name) in [
        ("status=ONLINE", "online"),
        ("status=OFFLINE", "offline"),
        ("status=STOPPED_BY_LICENSE", "stopped"),
        ("status=KEY_RETIRED", "keyRetired"),
        ("status=NOT_INSTALLED", "notInstalled"),
        ("licenseStatus=GRACE", "grace"),
        ("licenseStatus=EXPIRED", "expired"),
    ] {
        let list = admin.get(&format!("/api/v1/servers?{filter}")).await.expect(200);
        assert_eq!(list["items"].as_array().unwrap().len(), usize::try_from(count(name)).unwrap(), "{name}");
        // The page of users looks its filters up in another way.
        let users =
            admin.get(&format!("/api/v1/users?{}", filter.replace("status=", "serverStatus="))).await.expect(200);
        assert_eq!(users["items"].as_array().unwrap().len(), list["items"].as_array().unwrap().len(), "{name}");
    }
    let attention: Vec<(Value, Value)> = fleet["attention"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["kind"].clone(), item["username"].clone()))
        .collect();
    let expected = [
        ("OFFLINE", "offline"),
        ("KEY_RETIRED", "retired"),
        ("GRACE_ENDING", "grace"),
        ("STOPPED_BY_LICENSE", "stopped"),
    ];
    assert_eq!(attention, expected.map(|(kind, name)| (json!(kind), json!(name))));
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_empty_fleet_needs_nothing_and_a_large_one_shows_a_hundred(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let fleet = admin.get("/api/v1/fleet").await.expect(200);
    assert_eq!((&fleet["counts"]["total"], &fleet["attention"]), (&json!(0), &json!([])));
    let customer = app.customer("alice").await;
    let mut gateway: TestGateway = app.gateway(&customer).await;
    gateway.beat().await;
    sql(&app.db, "INSERT INTO users (id, username, password_hash, role) SELECT gen_random_uuid(), 'many' || i, '-', 'CUSTOMER' FROM generate_series(1, 150) i".to_owned()).await;
    sql(&app.db, "INSERT INTO servers (id, owner_id, name, api_key_digest, api_key_ciphertext, api_key_last4, api_secret_ciphertext, license_status, grace_expires_at) \
         SELECT gen_random_uuid(), id, username, sha256(username::bytea), '-', '-', '-', 'GRACE', now() + interval '1 day' FROM users WHERE username LIKE 'many%'".to_owned()).await;
    let fleet = admin.get("/api/v1/fleet").await.expect(200);
    assert_eq!((&fleet["counts"]["total"], &fleet["counts"]["grace"]), (&json!(151), &json!(150)));
    assert_eq!(fleet["attention"].as_array().unwrap().len(), 100);
}
