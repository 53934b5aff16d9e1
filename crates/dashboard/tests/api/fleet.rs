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

/// Every combination of license, key, gateways and jobs that a server can have.
const ALL_KINDS: &str = "
    WITH made AS (
        INSERT INTO users (id, username, password_hash, role)
        SELECT gen_random_uuid(), 'kind' || n, '-', 'CUSTOMER' FROM generate_series(0, 647) n RETURNING id, username),
    kinds AS (SELECT id, substr(username, 5)::int AS n FROM made),
    servers AS (
        INSERT INTO servers (id, owner_id, name, api_key_digest, api_key_ciphertext, api_key_last4, api_secret_ciphertext,
                             config_generation, license_status, grace_expires_at, key_cut_at, key_shared_since)
        SELECT id, id, 'kind', sha256(n::text::bytea), '-', '-', '-', 1, (ARRAY['ACTIVE', 'GRACE', 'GRACE', 'EXPIRED'])[1 + n % 4],
               CASE n % 4 WHEN 1 THEN now() + interval '1 day' WHEN 2 THEN now() - interval '1 day' END,
               CASE n / 4 % 3 WHEN 1 THEN now() - interval '2 days' WHEN 2 THEN now() END,
               CASE WHEN n / 12 % 2 = 1 THEN now() END
        FROM kinds RETURNING id)
    SELECT count(*) FROM servers";
const THEIR_GATEWAYS: &str = "
    INSERT INTO gateway_installs (server_id, install_id, boot_id, sequence, phase, version, uptime_seconds, os, architecture,
        hostname, counters, rejected_incarnation, rejected_number, rejected_reason, first_seen_at, last_heartbeat_at)
    SELECT id, gen_random_uuid(), gen_random_uuid(), 1, CASE WHEN n / 24 % 9 = 3 THEN 'starting' ELSE 'serving' END, '1', 1, '-', '-', '-',
        '{}', CASE WHEN n / 24 % 9 = 4 THEN 1 END, CASE WHEN n / 24 % 9 = 4 THEN 1 END, CASE WHEN n / 24 % 9 = 4 THEN 'no' END, now(),
        now() - CASE WHEN n / 24 % 9 IN (2, 5, 6) THEN interval '1 day' ELSE interval '0' END
    FROM (SELECT id, substr(username, 5)::int AS n FROM users WHERE username LIKE 'kind%') kinds WHERE n / 24 % 9 > 0";
/// Others beside them: one that is heard, one that is not.
const THEIR_OTHER_GATEWAYS: &str = "
    INSERT INTO gateway_installs (server_id, install_id, boot_id, sequence, phase, version, uptime_seconds, os, architecture,
        hostname, counters, first_seen_at, last_heartbeat_at)
    SELECT id, gen_random_uuid(), gen_random_uuid(), 1, 'serving', '1', 1, '-', '-', '-', '{}', now(),
        now() - CASE WHEN n / 24 % 9 = 6 THEN interval '1 minute' ELSE interval '2 days' END
    FROM (SELECT id, substr(username, 5)::int AS n FROM users WHERE username LIKE 'kind%') kinds WHERE n / 24 % 9 IN (6, 7)";
const THEIR_JOBS: &str = "
    INSERT INTO jobs (id, server_id, kind, requested_by)
    SELECT gen_random_uuid(), id, 'INSTALL', 'alice'
    FROM (SELECT id, substr(username, 5)::int AS n FROM users WHERE username LIKE 'kind%') kinds WHERE n / 216 = 1";
/// Looked up for one server after the other.
const ONE_BY_ONE: &str = "
    SELECT status, license, count(*) FROM (
        SELECT license, server_status_at(license, last_heartbeat_at, phase, installing, reinstall_needed, interval '1 minute', now()) AS status
        FROM (SELECT *, license_status_at(license_status, grace_expires_at, now()) AS license FROM server_overview) licensed) derived
    GROUP BY status, license";

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn counts_are_those_of_looking_at_one_server_after_the_other(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    for query in [ALL_KINDS, THEIR_GATEWAYS, THEIR_OTHER_GATEWAYS, THEIR_JOBS] {
        sql(&app.db, query.to_owned()).await;
    }
    let truth: Vec<(String, String, i64)> = sqlx::query_as(ONE_BY_ONE).fetch_all(&app.db).await.unwrap();
    let fleet = admin.get("/api/v1/fleet").await.expect(200);
    let count = |name: &str| fleet["counts"][name].as_i64().unwrap();
    let of = |is: &dyn Fn(&str, &str) -> bool| {
        truth.iter().filter(|(status, license, _)| is(status, license)).map(|(.., count)| count).sum::<i64>()
    };
    for (name, status) in [
        ("online", "ONLINE"),
        ("offline", "OFFLINE"),
        ("stopped", "STOPPED_BY_LICENSE"),
        ("keyRetired", "KEY_RETIRED"),
        ("notInstalled", "NOT_INSTALLED"),
        ("installing", "INSTALLING"),
    ] {
        assert!(count(name) > 0, "{name} is among them");
        assert_eq!(count(name), of(&|one, _| one == status), "{name}: {truth:?}");
    }
    assert_eq!(count("grace"), of(&|_, license| license == "GRACE"));
    assert_eq!(count("expired"), of(&|_, license| license == "EXPIRED"));
    assert_eq!(count("total"), 648);
    // The lists are filtered in other ways than the counts are counted.
    for (status, license, count) in &truth {
        for query in [format!("users?serverStatus={status}&"), format!("servers?status={status}&")] {
            let (mut listed, mut cursor) = (0, String::new());
            loop {
                let path = format!("/api/v1/{query}licenseStatus={license}&limit=200{cursor}");
                let page = admin.get(&path).await.expect(200);
                listed += page["items"].as_array().unwrap().len();
                let Some(next) = page["nextCursor"].as_str() else { break };
                cursor = format!("&cursor={next}");
            }
            assert_eq!(listed, usize::try_from(*count).unwrap(), "{query} {license}");
        }
    }
}
