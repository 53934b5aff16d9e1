use super::*;
use proxima_test_support::{audited, dump};

/// Sealed with this master key.
async fn sealed_with(db: &PgPool, key: i64) -> i64 {
    let mut connection = db.acquire().await.unwrap();
    proxima_db::sealed::count_by_key(&mut connection).await.unwrap().get(&key).copied().unwrap_or_default()
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_new_master_key_seals_everything_while_the_dashboard_runs(db: PgPool) {
    let house = House::new(db).await;
    let admin = house.admin().await;
    let alice = house.gateway(&admin, "alice").await;
    let license = format!("/api/v1/servers/{}/license", alice.server_id);
    admin.post(&format!("{license}/rotate"), &json!({ "limitSeconds": 3600 })).await.expect_status(200);
    let said = house.run(&["rotate-master-key"]).await;
    assert!(said.contains("3 secrets were sealed anew"), "key, secret and next key: {said}");
    assert_eq!((sealed_with(&house.db, 1).await, sealed_with(&house.db, 2).await), (0, 3));
    // The dashboard that ran all the time opens them, and seals with the new key.
    let key = admin.post(&reveal(alice.server_id), &json!({})).await.expect(200);
    assert_eq!(key["apiKey"].as_str(), Some(alice.key.expose()));
    house.gateway(&admin, "bob").await;
    assert_eq!((sealed_with(&house.db, 1).await, sealed_with(&house.db, 2).await), (0, 5));
    house.run(&["rotate-master-key", "--retire-old"]).await;
    let file = std::fs::read_to_string(house.key_file()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&file).unwrap()["masterKeys"].as_array().unwrap().len(), 1);
    let house = house.restart().await;
    house.admin().await.post(&reveal(alice.server_id), &json!({})).await.expect_status(200);
    for action in ["keys.master.create", "keys.master.activate", "keys.master.retire"] {
        assert_eq!(audited(&house.db, action).await.len(), 1, "{action}");
    }
    assert!(!dump(&house.db).await.contains(alice.key.expose()));
}

/// A dashboard that slept through the rotation cannot store anything under the old key.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn nothing_is_stored_under_a_retired_key(db: PgPool) {
    let house = House::new(db).await;
    let admin = house.admin().await;
    let alice = house.gateway(&admin, "alice").await;
    let old: Vec<u8> = sqlx::query_scalar("SELECT api_key_ciphertext FROM servers").fetch_one(&house.db).await.unwrap();
    house.run(&["rotate-master-key"]).await;
    let refused = house.command(&["rotate-master-key", "--retire-old", "--status"]).await;
    assert_eq!(refused.code, Some(2), "one thing at a time");
    let store = |content: Vec<u8>| {
        sqlx::query("UPDATE servers SET api_key_ciphertext = $1 WHERE id = $2").bind(content).bind(alice.server_id.0)
    };
    store(old.clone()).execute(&house.db).await.unwrap();
    let refused = house.command(&["rotate-master-key", "--retire-old"]).await;
    assert!(refused.stderr.contains("1 secrets are sealed with master key 1 still"), "{refused:?}");
    assert!(house.run(&["rotate-master-key"]).await.contains("1 secrets were sealed anew"), "it goes on where it was");
    house.run(&["rotate-master-key", "--retire-old"]).await;
    let error = store(old).execute(&house.db).await.unwrap_err().to_string();
    assert!(error.contains("sealed with master key 1, which is RETIRED"), "{error}");
}

/// Two hosts, each with its own copy of the key file.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_dashboard_that_has_not_the_new_key_holds_the_rotation_up(db: PgPool) {
    let house = House::new(db).await;
    let other = Folder::new();
    std::fs::copy(house.key_file(), other.join("keys.json")).unwrap();
    let second = DashboardProcess::start(PROGRAM, &house.url, &other, &[]).await;
    let held_up = house.command(&["rotate-master-key", "--wait", "0"]).await;
    assert_eq!(held_up.code, Some(1), "{held_up:?}");
    assert!(held_up.stderr.contains("do not hold master key 2 yet: copy the key file there"), "{held_up:?}");
    std::fs::copy(house.key_file(), other.join("keys.json")).unwrap();
    second.signal("HUP").await;
    assert!(house.run(&["rotate-master-key"]).await.contains("Master key 2 seals from now on"));
}

/// Every sealed column is in the list that a rotation walks through, and nothing else is binary without a reason.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn no_sealed_column_is_forgotten(db: PgPool) {
    let mut connection = db.acquire().await.unwrap();
    let columns = proxima_db::sealed::binary_columns(&mut connection).await.unwrap();
    for (table, column) in &columns {
        let listed = proxima_db::sealed::COLUMNS.iter().any(|sealed| (sealed.table, sealed.column) == (table, column));
        let digest = ["digest", "hash", "public_key", "credential_id"].iter().any(|end| column.ends_with(end));
        // Digests of what was tried, keyed by the pepper.
        let throttle = (table.as_str(), column.as_str()) == ("throttles", "key");
        let canary = (table.as_str(), column.as_str()) == ("master_keys", "canary_ciphertext");
        assert!(
            listed || canary || throttle || (digest && !column.ends_with("_ciphertext")),
            "{table}.{column}: see proxima_db::sealed"
        );
    }
    for sealed in proxima_db::sealed::COLUMNS {
        assert!(columns.contains(&(sealed.table.to_owned(), sealed.column.to_owned())), "{sealed:?}");
        let guarded: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid \
             WHERE t.tgrelid = $1::regclass AND p.proname = 'sealed_with_a_living_key' \
             AND position($2 in encode(t.tgargs, 'escape')) > 0)",
        )
        .bind(sealed.table)
        .bind(sealed.column)
        .fetch_one(&mut *connection)
        .await
        .unwrap();
        assert!(guarded, "{sealed:?} has no trigger sealed_with_a_living_key");
    }
}
