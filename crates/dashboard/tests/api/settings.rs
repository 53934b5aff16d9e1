//! Platform settings: an allowlist for customers' firewalls, and the limit without a signed answer.

use proxima_test_support::{PASSWORD, TestApp, audited};
use serde_json::{Value, json};
use sqlx::PgPool;

const SETTINGS: &str = "/api/v1/settings";

fn input(allowlist: &[&str], days: Value) -> Value {
    json!({ "dashboardIpAllowlist": allowlist, "offlineLimitDays": days })
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn settings_are_saved_in_canonical_form_and_shown_to_customers(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    app.customer("alice").await;
    let own = app.sign_in("alice", PASSWORD).await;
    let first = admin.get(SETTINGS).await.expect(200);
    let empty = json!(
        { "dashboardIpAllowlist": [], "outboundAllowlist": [], "offlineLimitDays": null, "updatedAt": null });
    assert_eq!(first, empty);
    let given = [" 203.0.113.7 ", "203.0.113.9/24", "2001:DB8::/32", "::ffff:1.2.3.4", "203.0.113.7", "fd12::1"];
    let saved = admin.put(SETTINGS, &input(&given, json!(30))).await.expect(200);
    let canonical = json!(["203.0.113.7", "203.0.113.0/24", "2001:db8::/32", "1.2.3.4", "fd12::1"]);
    assert_eq!((&saved["dashboardIpAllowlist"], &saved["offlineLimitDays"]), (&canonical, &json!(30)));
    assert!(saved["updatedAt"].is_string());
    assert_eq!(admin.get(SETTINGS).await.expect(200), saved);
    let platform = own.get("/api/v1/platform").await.expect(200);
    assert_eq!(platform["dashboardIpAllowlist"], canonical);
    let refusal = platform["installRefusal"].as_str().expect("gateways have no address here");
    assert!(refusal.contains("--public-url"), "{refusal}");
    assert_eq!(platform.as_object().unwrap().len(), 3, "customers see no more of it: {platform}");
    let row = audited(&app.db, "settings.update").await.pop().unwrap();
    assert_eq!((row.username.as_str(), row.target_type.as_deref()), ("admin", Some("settings")));
    assert_eq!(row.metadata["dashboardIpAllowlist"], json!({ "from": [], "to": canonical }));
    assert_eq!(row.metadata["offlineLimitDays"], json!({ "from": null, "to": 30 }));
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn every_bad_entry_is_named(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let given = ["example.com", "203.0.113.7", "203.0.113.7/33", "", "1.2.3.4 5.6.7.8", "010.0.0.1", "::/129"];
    admin.put(SETTINGS, &input(&given, json!(0))).await.refuses(&[
        ("dashboardIpAllowlist[0]", "invalid"),
        ("dashboardIpAllowlist[2]", "invalid"),
        ("dashboardIpAllowlist[3]", "invalid"),
        ("dashboardIpAllowlist[4]", "invalid"),
        ("dashboardIpAllowlist[5]", "invalid"),
        ("dashboardIpAllowlist[6]", "invalid"),
        ("offlineLimitDays", "out_of_range"),
    ]);
    admin.put(SETTINGS, &input(&[], json!(3651))).await.refuses(&[("offlineLimitDays", "out_of_range")]);
    let many: Vec<String> = (0..257).map(|i| format!("10.0.{}.{}", i / 256, i % 256)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    admin.put(SETTINGS, &input(&many, Value::Null)).await.refuses(&[("dashboardIpAllowlist", "too_many")]);
    admin.put(SETTINGS, &input(&many[..256], json!(3650))).await.expect_status(200);
    admin.put(SETTINGS, &input(&[], json!(1))).await.expect_status(200);
    assert_eq!(audited(&app.db, "settings.update").await.len(), 2);
}

/// Its states are `app::certificates`' own tests; what is served, the authority's.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_dashboard_without_a_certificate_of_its_own_says_so(db: PgPool) {
    let app = TestApp::start(db).await;
    let said = app.admin().await.get("/api/v1/settings/certificate").await.expect(200);
    assert_eq!((&said["state"], &said["problems"], &said["notAfter"]), (&json!("NOT_HERE"), &json!([]), &Value::Null));
}

/// Which private ranges the dashboard may connect to is the operator's, and no customer's business.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn outbound_ranges_stay_unless_they_are_given(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let mut given = input(&["203.0.113.7"], Value::Null);
    given["outboundAllowlist"] = json!(["10.1.2.3/16", "fd12::1", "10.1.0.0/16", "::ffff:10.1.0.0/112"]);
    let saved = admin.put(SETTINGS, &given).await.expect(200);
    assert_eq!(saved["outboundAllowlist"], json!(["10.1.0.0/16", "fd12::1"]));
    let again = admin.put(SETTINGS, &input(&[], json!(7))).await.expect(200);
    assert_eq!(
        (&again["outboundAllowlist"], &again["dashboardIpAllowlist"]),
        (&json!(["10.1.0.0/16", "fd12::1"]), &json!([]))
    );
    given["outboundAllowlist"] = json!(["everything", "10.0.0.0/33"]);
    admin
        .put(SETTINGS, &given)
        .await
        .refuses(&[("outboundAllowlist[0]", "invalid"), ("outboundAllowlist[1]", "invalid")]);
    given["outboundAllowlist"] = json!([]);
    assert_eq!(admin.put(SETTINGS, &given).await.expect(200)["outboundAllowlist"], json!([]));
    let row = &audited(&app.db, "settings.update").await[0];
    assert_eq!(row.metadata["outboundAllowlist"], json!({ "from": [], "to": ["10.1.0.0/16", "fd12::1"] }));
}
