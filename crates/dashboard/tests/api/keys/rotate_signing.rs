use super::*;
use proxima_signing::key_id;
use proxima_types::identity::DashboardPublicKey;

/// What the answer names, as a gateway that takes it says from then on.
fn follow(gateway: &mut TestGateway, answer: &Value) {
    let keys = answer["dashboardPublicKeys"].as_array().expect("named");
    let keys: Vec<_> = keys.iter().map(|key| DashboardPublicKey::parse(key.as_str().unwrap()).unwrap()).collect();
    gateway.trusted_keys = Some(keys.into_iter().map(key_id).collect());
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn gateways_follow_a_new_signing_key_one_by_one(db: PgPool) {
    let house = House::new(db).await;
    let admin = house.admin().await;
    let (mut alice, mut bob) = (house.gateway(&admin, "alice").await, house.gateway(&admin, "bob").await);
    let old = alice.public_key();
    for gateway in [&mut alice, &mut bob] {
        gateway.trusted_keys = Some(vec![key_id(old)]);
        let beat = gateway.beat().await;
        TestGateway::expect_status(&beat, "ACTIVE");
        assert_eq!(beat.body.get("dashboardPublicKeys"), None, "nothing new");
    }
    house.run(&["rotate-signing-key"]).await;
    house.process.signal("HUP").await;
    until(&admin, "/api/v1/keys", |keys| keys["signingKeys"][1]["held"] == true).await;
    // Announced under the key that it trusts …
    let beat = alice.beat().await;
    TestGateway::expect_status(&beat, "ACTIVE");
    follow(&mut alice, &beat.body);
    let keys = admin.get("/api/v1/keys").await.expect(200);
    assert_eq!((&keys["gateways"], &keys["following"]), (&json!(2), &json!(0)), "its next heartbeat says it");
    // … and from then on it is answered with the new one, which alone it is never cut off from.
    let new = Keyring::load(&house.key_file()).unwrap().public_key_of(2).unwrap();
    let mut follower = TestGateway::new(&house.process.url, new, alice.server_id, alice.key.clone());
    (follower.install_id, follower.trusted_keys) = (alice.install_id, alice.trusted_keys.clone());
    TestGateway::expect_status(&follower.beat().await, "ACTIVE");
    let status = house.run(&["rotate-signing-key", "--status"]).await;
    assert!(status.contains("1 of 2 gateways follow signing key 2"), "{status}");
    assert!(status.contains("behind: bob") && !status.contains("behind: alice"), "{status}");
    let refused = house.command(&["rotate-signing-key", "--finish"]).await;
    assert!(refused.stderr.contains("1 of 2 gateways do not follow yet"), "{refused:?}");
    let again = house.command(&["rotate-signing-key"]).await;
    assert!(again.stderr.contains("finish it first"), "{again:?}");
    house.run(&["rotate-signing-key", "--finish", "--leave-behind"]).await;
    house.process.signal("HUP").await;
    until(&admin, "/api/v1/keys", |keys| keys["signingKeys"][0]["held"] == false).await;
    // The one that follows forgets the old key; the one left behind hears nothing that counts, and goes on.
    let beat = follower.beat().await;
    TestGateway::expect_status(&beat, "ACTIVE");
    assert_eq!(beat.body["dashboardPublicKeys"], json!([new.to_string()]));
    assert!(bob.beat().await.signature.is_err());
    let file: Value = serde_json::from_str(&std::fs::read_to_string(house.key_file()).unwrap()).unwrap();
    assert_eq!(file["signingKeys"].as_array().unwrap().len(), 1);
    assert_eq!(file["formerSigningKeys"][0]["publicKey"], json!(old.to_string()));
}

/// A version that does not say what it trusts is answered with the key that it was installed with, and told nothing.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_older_gateway_goes_on_until_the_old_key_ends(db: PgPool) {
    let house = House::new(db).await;
    let admin = house.admin().await;
    let mut alice = house.gateway(&admin, "alice").await;
    TestGateway::expect_status(&alice.beat().await, "ACTIVE");
    house.run(&["rotate-signing-key"]).await;
    house.process.signal("HUP").await;
    until(&admin, "/api/v1/keys", |keys| keys["signingKeys"][1]["held"] == true).await;
    let beat = alice.beat().await;
    TestGateway::expect_status(&beat, "ACTIVE");
    assert_eq!(beat.body.get("dashboardPublicKeys"), None);
    let status = house.run(&["rotate-signing-key", "--status"]).await;
    assert!(status.contains("its version does not say: update it"), "{status}");
}
