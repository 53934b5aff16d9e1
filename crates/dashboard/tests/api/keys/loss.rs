use super::*;
use proxima_test_support::{audited, rows_matching};

/// The master key and the signing key of a key file, apart.
fn without(text: &str, kind: &str) -> String {
    let mut file: Value = serde_json::from_str(text).unwrap();
    file[kind] = json!([]);
    file.to_string()
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn without_the_master_key_gateways_and_licenses_go_on_and_the_rest_says_why_not(db: PgPool) {
    let house = House::new(db).await;
    let admin = house.admin().await;
    let gateway = house.gateway(&admin, "alice").await;
    let text = std::fs::read_to_string(house.key_file()).unwrap();
    std::fs::write(house.key_file(), without(&text, "masterKeys")).unwrap();
    let house = house.restart().await;
    let admin = house.admin().await;
    let mut gateway = TestGateway::new(&house.process.url, gateway.public_key(), gateway.server_id, gateway.key);
    TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
    let license = format!("/api/v1/servers/{}/license", gateway.server_id);
    admin.post(&format!("{license}/revoke"), &json!({})).await.expect_status(200);
    TestGateway::expect_status(&gateway.beat().await, "GRACE");
    admin.post(&format!("{license}/reinstate"), &json!({})).await.expect_status(200);
    let problem = admin.post(&reveal(gateway.server_id), &json!({})).await.problem(503, "master_key_missing");
    assert!(problem["detail"].as_str().unwrap().contains("put the key file back"), "{problem}");
    let form = json!({ "username": "bob", "password": PASSWORD, "role": "CUSTOMER" });
    admin.post("/api/v1/users", &form).await.problem(503, "master_key_missing");
    assert_eq!(rows_matching(&house.db, "servers", "true").await.len(), 1, "nothing half made");
    let keys = admin.get("/api/v1/keys").await.expect(200);
    assert!(keys["problems"][0].as_str().unwrap().contains("master key 1"), "{keys}");
    // It comes back while the dashboard runs.
    std::fs::write(house.key_file(), &text).unwrap();
    house.process.signal("HUP").await;
    until(&admin, "/api/v1/keys", |keys| keys["problems"].as_array().unwrap().is_empty()).await;
    admin.post(&reveal(gateway.server_id), &json!({})).await.expect_status(200);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn without_the_signing_key_gateways_hear_no_verdict_and_people_work_on(db: PgPool) {
    let house = House::new(db).await;
    let admin = house.admin().await;
    let gateway = house.gateway(&admin, "alice").await;
    let text = std::fs::read_to_string(house.key_file()).unwrap();
    std::fs::write(house.key_file(), without(&text, "signingKeys")).unwrap();
    let house = house.restart().await;
    let admin = house.admin().await;
    let mut gateway = TestGateway::new(&house.process.url, gateway.public_key(), gateway.server_id, gateway.key);
    let beat = gateway.beat().await;
    assert_eq!((beat.status, beat.body["code"].as_str()), (503, Some("signing_key_missing")), "{beat:?}");
    assert!(beat.signature.is_err());
    admin.post(&reveal(gateway.server_id), &json!({})).await.expect_status(200);
    let doctor = house.command(&["doctor"]).await;
    assert_eq!(doctor.code, Some(1));
    assert!(doctor.stdout.contains("PROBLEM  key file: this dashboard has no signing key"), "{doctor:?}");
    // Lost for good: a new one, which the old gateways do not take.
    let said = house.run(&["rotate-signing-key", "--replace-lost"]).await;
    assert!(said.contains("takes no verdict until it is installed again"), "{said}");
    house.process.signal("HUP").await;
    until(&admin, "/api/v1/keys", |keys| keys["problems"].as_array().unwrap().is_empty()).await;
    // The anchor was signed with the lost key: nothing vouches for the database but whoever accepts it.
    assert_eq!(gateway.beat().await.status, 503);
    house.run(&["accept-restore", "--yes"]).await;
    let beat = gateway.beat().await;
    assert_eq!(beat.status, 200);
    assert!(beat.signature.is_err(), "silence to it: it goes on");
    let public = Keyring::load(&house.key_file()).unwrap().public_key().unwrap();
    let mut installed = TestGateway::new(&house.process.url, public, gateway.server_id, gateway.key);
    TestGateway::expect_status(&installed.beat().await, "ACTIVE");
    assert_eq!(audited(&house.db, "keys.signing.lost").await.len(), 1);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn without_the_key_file_it_starts_says_so_and_makes_no_other(db: PgPool) {
    let house = House::new(db).await;
    let admin = house.admin().await;
    let gateway = house.gateway(&admin, "alice").await;
    let aside = house.data.join("aside");
    std::fs::rename(house.key_file(), &aside).unwrap();
    let house = house.restart().await;
    assert!(!house.key_file().exists(), "it makes no other one in its place");
    assert!(house.process.output().contains("the keys are not complete"), "the log is loud");
    let admin = house.admin().await;
    assert_eq!(admin.get("/api/v1/keys").await.expect(200)["problems"].as_array().unwrap().len(), 2);
    // Both lost for good: the gateways' keys are known by digest, so licenses go on after a re-install.
    house.run(&["rotate-master-key", "--replace-lost"]).await;
    house.run(&["rotate-signing-key", "--replace-lost"]).await;
    house.process.signal("HUP").await;
    until(&admin, "/api/v1/keys", |keys| keys["problems"].as_array().unwrap().is_empty()).await;
    house.run(&["accept-restore", "--yes"]).await;
    let admin = house.admin().await;
    admin.post(&reveal(gateway.server_id), &json!({})).await.problem(503, "master_key_missing");
    let license = format!("/api/v1/servers/{}/license", gateway.server_id);
    let answer = admin.post(&format!("{license}/regenerate"), &json!({})).await;
    assert_eq!(answer.status, 200, "{}", house.process.output());
    admin.post(&reveal(gateway.server_id), &json!({})).await.expect_status(200);
    let refused = house.command(&["rotate-master-key", "--replace-lost"]).await;
    assert!(refused.stderr.contains("has every master key in use"), "{refused:?}");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn another_installations_key_file_is_told_from_the_right_one(db: PgPool) {
    let house = House::new(db).await;
    let admin = house.admin().await;
    let gateway = house.gateway(&admin, "alice").await;
    std::fs::remove_file(house.key_file()).unwrap();
    Keyring::create(&house.key_file(), &proxima_dashboard::entropy::OsEntropy).unwrap();
    let house = house.restart().await;
    let admin = house.admin().await;
    let problem = admin.post(&reveal(gateway.server_id), &json!({})).await.problem(503, "master_key_missing");
    assert!(problem["detail"].as_str().unwrap().contains("is not the one"), "{problem}");
    let mut gateway = TestGateway::new(&house.process.url, gateway.public_key(), gateway.server_id, gateway.key);
    assert_eq!(gateway.beat().await.status, 503, "no verdict is signed with a foreign key");
    let form = json!({ "username": "bob", "password": PASSWORD, "role": "CUSTOMER" });
    admin.post("/api/v1/users", &form).await.problem(503, "master_key_missing");
}
