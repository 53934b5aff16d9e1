//! Time, and hands in the database: the grace that passes while nobody looks (product.md section 3).

use chrono::{DateTime, Duration, Utc};
use proxima_dashboard::jobs;
use proxima_db::servers::interval;
use proxima_test_support::{Client, Customer, TestApp, TestGateway, audited};
use proxima_types::{License, LicenseStatus, ServerStatus};
use serde_json::json;
use sqlx::PgPool;

async fn set(db: &PgPool, customer: &Customer, change: &str) {
    let query = format!("UPDATE servers SET {change} WHERE id = $1");
    sqlx::query(sqlx::AssertSqlSafe(query)).bind(customer.server_id.0).execute(db).await.unwrap();
}

async fn status(client: &Client, customer: &Customer) -> String {
    let license = client.get(&format!("/api/v1/servers/{}/license", customer.server_id)).await.expect(200);
    license["status"].as_str().unwrap().to_owned()
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn dates_edited_by_hand_simply_work(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let mut gateway = app.gateway(&customer).await;
    for (change, expected) in [
        ("license_status = 'GRACE', grace_expires_at = now() + interval '5 days'", "GRACE"),
        ("grace_expires_at = now() - interval '1 minute'", "EXPIRED"),
        ("grace_expires_at = now() + interval '1 minute'", "GRACE"),
        ("grace_expires_at = '9999-12-31 23:59:59+00'", "GRACE"),
        ("grace_expires_at = '0001-01-01 00:00:00+00'", "EXPIRED"),
        ("license_status = 'EXPIRED'", "EXPIRED"),
        ("license_status = 'ACTIVE'", "ACTIVE"),
        ("license_status = 'GRACE', grace_expires_at = now() + interval '1 hour'", "GRACE"),
        ("license_status = 'ACTIVE', grace_expires_at = now() - interval '1 hour'", "ACTIVE"),
    ] {
        set(&app.db, &customer, change).await;
        TestGateway::expect_status(&gateway.beat().await, expected);
        assert_eq!(status(&admin, &customer).await, expected, "{change}");
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn grace_without_a_date_and_unknown_words_are_refused_by_the_database(db: PgPool) {
    let app = TestApp::start(db).await;
    let customer = app.customer("alice").await;
    for change in [
        "license_status = 'GRACE'",
        "license_status = 'GRACE', grace_expires_at = NULL",
        "license_status = 'active'",
        "license_status = 'SUSPENDED'",
        "license_status = NULL",
        "api_key_digest = 'short'",
        // No reader could show these.
        "license_status = 'GRACE', grace_expires_at = 'infinity'",
        "license_status = 'GRACE', grace_expires_at = '-infinity'",
        "license_status = 'GRACE', grace_expires_at = '200000-01-01'",
    ] {
        let query = format!("UPDATE servers SET {change} WHERE id = $1");
        let refused = sqlx::query(sqlx::AssertSqlSafe(query)).bind(customer.server_id.0).execute(&app.db).await;
        let error = refused.expect_err(change).into_database_error().expect("of the database");
        assert!(["23514", "23502"].contains(&error.code().unwrap().as_ref()), "{change}: {error}");
    }
    set(&app.db, &customer, "license_status = 'GRACE', grace_expires_at = now() + interval '1 day'").await;
    let refused = sqlx::query("UPDATE servers SET grace_expires_at = NULL").execute(&app.db).await;
    assert!(refused.is_err(), "a grace cannot lose its date");
}

async fn expiries(db: &PgPool) -> usize {
    let rows = audited(db, "server.license.expire").await;
    for row in &rows {
        assert_eq!((row.username.as_str(), row.user_id, row.ip.as_deref()), ("system", None, None));
        assert_eq!((row.outcome.as_str(), row.target_type.as_deref()), ("SUCCESS", Some("server")));
    }
    rows.len()
}

/// Everybody looks at once: heartbeats, pages, and the sweeps of several dashboards.
async fn everybody_looks(app: &TestApp, admin: &Client, customer: &Customer, gateway: &mut TestGateway) {
    let mut looks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let report = serde_json::to_vec(&gateway.report()).unwrap();
        let gateway = gateway.clone();
        looks.spawn(async move {
            let beat = gateway.send(report).await;
            TestGateway::expect_status(&beat, "EXPIRED");
        });
        let (admin, path) = (admin.clone(), format!("/api/v1/servers/{}", customer.server_id));
        looks.spawn(async move {
            assert_eq!(admin.get(&path).await.expect(200)["license"]["status"], "EXPIRED");
        });
        let app = std::sync::Arc::clone(&app.app);
        looks.spawn(async move { jobs::sweep(&app).await.unwrap() });
    }
    looks.join_all().await;
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn the_passing_into_expired_is_audited_once_however_many_look(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let license = format!("/api/v1/servers/{}/license", customer.server_id);
    let mut gateway = app.gateway(&customer).await;
    for round in 1..=3 {
        admin.post(&format!("{license}/revoke"), &json!({ "graceSeconds": 3600 })).await.expect_status(200);
        TestGateway::expect_status(&gateway.beat().await, "GRACE");
        jobs::sweep(&app.app).await.unwrap();
        assert_eq!(expiries(&app.db).await, round - 1, "not before it is so");
        set(&app.db, &customer, "grace_expires_at = now()").await;
        everybody_looks(&app, &admin, &customer, &mut gateway).await;
        jobs::sweep(&app.app).await.unwrap();
        assert_eq!(expiries(&app.db).await, round, "once, and again after it was reinstated and expired again");
        admin.post(&format!("{license}/reinstate"), &json!({})).await.expect_status(200);
    }
    let rows = audited(&app.db, "server.license.expire").await;
    assert!(rows.iter().all(|row| row.target == Some(customer.server_id.0)));
    assert!(rows[0].metadata["graceExpiresAt"].is_string());
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_expiry_that_only_the_reinstating_admin_saw_is_audited_before_it(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    set(&app.db, &customer, "license_status = 'GRACE', grace_expires_at = now() - interval '1 hour'").await;
    let license = format!("/api/v1/servers/{}/license", customer.server_id);
    admin.post(&format!("{license}/reinstate"), &json!({})).await.expect_status(200);
    let (expired, reinstated) =
        (audited(&app.db, "server.license.expire").await, audited(&app.db, "server.license.reinstate").await);
    assert_eq!((expired.len(), reinstated.len()), (1, 1));
    assert!(expired[0].id < reinstated[0].id);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_expired_date_moved_forwards_and_back_is_an_expiry_of_its_own(db: PgPool) {
    let app = TestApp::start(db).await;
    let customer = app.customer("alice").await;
    for expected in 1..=2 {
        set(&app.db, &customer, "license_status = 'GRACE', grace_expires_at = now() + interval '1 hour'").await;
        set(&app.db, &customer, "grace_expires_at = now() - interval '1 hour'").await;
        jobs::sweep(&app.app).await.unwrap();
        // Moved within the past, it is the same expiry.
        set(&app.db, &customer, "grace_expires_at = now() - interval '2 hours'").await;
        jobs::sweep(&app.app).await.unwrap();
        assert_eq!(expiries(&app.db).await, expected);
    }
    set(&app.db, &customer, "license_status = 'ACTIVE', grace_expires_at = NULL").await;
    set(&app.db, &customer, "license_status = 'EXPIRED'").await;
    jobs::sweep(&app.app).await.unwrap();
    assert_eq!(expiries(&app.db).await, 3, "a hand-set EXPIRED is observed too");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn the_license_is_derived_alike_in_sql_and_in_rust(db: PgPool) {
    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let offsets = [-86_400_000_000, -1_000_000, -1, 0, 1, 1_000_000, 86_400_000_000_i64];
    let mut dates: Vec<Option<DateTime<Utc>>> = offsets.map(|offset| Some(now + Duration::microseconds(offset))).into();
    dates.push(None);
    let mut compared = 0;
    for stored in [LicenseStatus::Active, LicenseStatus::Grace, LicenseStatus::Expired] {
        for date in &dates {
            let sql: String = sqlx::query_scalar("SELECT license_status_at($1, $2, $3)")
                .bind(stored.as_str())
                .bind(date)
                .bind(now)
                .fetch_one(&db)
                .await
                .unwrap();
            let rust = License { stored, grace_expires_at: *date }.status_at(now);
            assert_eq!(sql, rust.as_str(), "{stored} {date:?}");
            compared += 1;
        }
    }
    assert_eq!(compared, 24);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_servers_status_is_derived_alike_in_sql_and_in_rust(db: PgPool) {
    let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for seconds in [1, 60, 3600] {
        let every = Duration::seconds(seconds);
        // Around three intervals to the microsecond, long ago, and from a clock that was set back.
        let edge = every.num_microseconds().unwrap() * 3;
        for age in [None, Some(-5_000_000), Some(0), Some(edge - 1), Some(edge), Some(edge + 1), Some(edge * 100)] {
            for phase in ["starting", "serving"] {
                for license in [LicenseStatus::Active, LicenseStatus::Grace, LicenseStatus::Expired] {
                    for (installing, retired) in [(false, false), (true, false), (false, true), (true, true)] {
                        let last = age.map(|age| now - Duration::microseconds(age));
                        let sql: String = sqlx::query_scalar("SELECT server_status_at($1, $2, $3, $4, $5, $6, $7)")
                            .bind(license.as_str())
                            .bind(last)
                            .bind(last.map(|_| phase))
                            .bind(installing)
                            .bind(retired)
                            .bind(interval(every))
                            .bind(now)
                            .fetch_one(&db)
                            .await
                            .unwrap();
                        let rust =
                            ServerStatus::derive(license, last, phase == "serving", installing, retired, every, now);
                        assert_eq!(sql, rust.as_str(), "{license} {age:?} {phase} {installing} {retired} {seconds}");
                        seen.insert(sql);
                    }
                }
            }
        }
    }
    assert_eq!(seen.len(), 6, "{seen:?}");
}
