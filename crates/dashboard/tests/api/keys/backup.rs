use super::*;
use proxima_test_support::{audited, dump, rows_matching, wait_until};
use proxima_types::ConfigGeneration;
use sqlx::migrate::Migrate as _;
use std::os::unix::fs::PermissionsExt as _;
use tokio::process::Command;

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_backup_of_a_running_dashboard_is_restored_whole_and_opens_with_its_key_file_only(db: PgPool) {
    let house = House::new(db).await;
    let admin = house.admin().await;
    let alice = house.gateway(&admin, "alice").await;
    let file = house.data.join("first.backup");
    let path = file.to_str().unwrap();
    let said = house.run(&["backup", "--output", path]).await;
    assert!(said.contains("The key file is NOT in it"), "{said}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let again = house.command(&["backup", "--output", path]).await;
    assert!(again.stderr.contains("exists"), "never replaces one: {again:?}");
    let bytes = std::fs::read(&file).unwrap();
    let keys: Value = serde_json::from_str(&std::fs::read_to_string(house.key_file()).unwrap()).unwrap();
    for secret in [keys["masterKeys"][0]["key"].as_str().unwrap(), keys["signingKeys"][0]["key"].as_str().unwrap()] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
    house.gateway(&admin, "bob").await;
    let refused = house.command(&["restore", path, "--replace", "--confirm", "x"]).await;
    assert!(refused.stderr.contains("a dashboard runs"), "{refused:?}");
    let House { db, url, data, process } = house;
    process.stop().await;
    let command = async |args: &[&str]| {
        let folder = ["--data-dir", data.path().to_str().unwrap(), "--database-url", &url];
        run_program(PROGRAM, &[args, &folder].concat(), "").await
    };
    let before = dump(&db).await;
    let refused = command(&["restore", path]).await;
    assert!(refused.stderr.contains("is not empty"), "{refused:?}");
    let refused = command(&["restore", path, "--replace", "--confirm", "another"]).await;
    assert!(refused.stderr.contains("nothing was changed"), "{refused:?}");
    // A damaged one touches nothing.
    let damaged = data.join("damaged.backup");
    let mut broken = bytes.clone();
    let middle = broken.len() / 2;
    broken[middle] ^= 1;
    std::fs::write(&damaged, broken).unwrap();
    let name: String = sqlx::query_scalar("SELECT current_database()::text").fetch_one(&db).await.unwrap();
    let refused = command(&["restore", damaged.to_str().unwrap(), "--replace", "--confirm", &name]).await;
    assert!(refused.stderr.contains("damaged or was changed"), "{refused:?}");
    assert_eq!(dump(&db).await, before);
    let restored = command(&["restore", path, "--replace", "--confirm", &name]).await;
    assert_eq!(restored.code, Some(0), "{restored:?}");
    assert!(restored.stdout.contains("accept-restore"), "{restored:?}");
    assert_eq!(rows_matching(&db, "users", "role = 'CUSTOMER'").await.len(), 1, "bob came after it");
    assert_eq!(audited(&db, "database.backup").await.len(), 1);
    assert_eq!(audited(&db, "database.restore").await.len(), 1);
    let accepted = command(&["accept-restore", "--yes"]).await;
    assert_eq!(accepted.code, Some(0), "{accepted:?}");
    let process = DashboardProcess::start(PROGRAM, &url, &data, &[]).await;
    let house = House { db, url, data, process };
    house.admin().await.post(&reveal(alice.server_id), &json!({})).await.expect_status(200);
}

#[sqlx::test(migrations = false)]
async fn a_file_that_is_no_backup_is_refused(db: PgPool) {
    let (url, data) = (database_url(&db), Folder::new());
    std::fs::write(data.join("no.backup"), "nonsense").unwrap();
    let file = data.join("no.backup");
    let args = ["restore", file.to_str().unwrap(), "--data-dir", data.path().to_str().unwrap(), "--database-url", &url];
    let refused = run_program(PROGRAM, &args, "").await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("is not restored"), "{refused:?}");
}

/// Replaces what the server listens on; the generation that it has then.
async fn listen_on(admin: &Client, server: ServerId, port: u16) -> Value {
    let path = format!("/api/v1/servers/{server}/config");
    let generation = admin.get(&path).await.expect(200)["generation"].clone();
    let listeners = json!([{ "port": port, "backendUrl": "http://127.0.0.1:9000" }]);
    admin.put(&path, &json!({ "generation": generation, "listeners": listeners })).await.expect(200)["generation"]
        .clone()
}

/// Also on a machine that knows of nothing newer than the backup.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn gateways_with_a_later_configuration_take_the_restored_one(db: PgPool) {
    let house = House::new(db).await;
    let admin = house.admin().await;
    let mut gateway = house.gateway(&admin, "alice").await;
    let server = gateway.server_id;
    listen_on(&admin, server, 8081).await;
    let file = house.data.join("first.backup");
    house.run(&["backup", "--output", file.to_str().unwrap()]).await;
    listen_on(&admin, server, 8082).await;
    let later = gateway.beat().await.body["config"].clone();
    assert_eq!(later["config"]["listeners"][0]["port"], 8082, "{later}");
    gateway.applied = Some(serde_json::from_value(later["generation"].clone()).unwrap());

    let House { db, url, data, process } = house;
    process.stop().await;
    let elsewhere = Folder::new();
    std::fs::copy(data.join("keys.json"), elsewhere.join("keys.json")).unwrap();
    let name: String = sqlx::query_scalar("SELECT current_database()::text").fetch_one(&db).await.unwrap();
    let folder = elsewhere.path().to_str().unwrap();
    let args = [
        "restore",
        file.to_str().unwrap(),
        "--replace",
        "--confirm",
        &name,
        "--data-dir",
        folder,
        "--database-url",
        &url,
    ];
    let restored = run_program(PROGRAM, &args, "").await;
    assert_eq!(restored.code, Some(0), "{restored:?}");
    assert!(rows_matching(&db, "sessions", "true").await.is_empty(), "who was signed in then is not any more");

    let process = DashboardProcess::start(PROGRAM, &url, &elsewhere, &[]).await;
    let public = gateway.public_key();
    let mut known = TestGateway::new(&process.url, public, server, gateway.key.clone());
    known.applied = gateway.applied;
    let mut takes = async |port: u16| {
        let beat = known.beat().await;
        TestGateway::expect_status(&beat, "ACTIVE");
        let offered: ConfigGeneration = serde_json::from_value(beat.body["config"]["generation"].clone()).unwrap();
        assert!(
            Some(offered) > known.applied,
            "a gateway takes none but a later one: {offered} after {:?}",
            known.applied
        );
        assert_eq!(beat.body["config"]["config"]["listeners"][0]["port"], port);
        known.applied = Some(offered);
    };
    takes(8081).await;
    let house = House { db, url, data: elsewhere, process };
    listen_on(&house.admin().await, server, 8083).await;
    takes(8083).await;
    let said = house.run(&["accept-restore"]).await;
    assert!(said.contains("nothing to accept"), "{said}");
}

/// Killed when `pg_restore` was done, a restore leaves what looks like a good database, with the sign-ins and jobs of the backup.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn nothing_works_with_a_database_whose_restore_was_killed_until_it_is_finished_or_undone(db: PgPool) {
    let house = House::new(db).await;
    let admin = house.admin().await;
    house.gateway(&admin, "alice").await;
    let file = house.data.join("first.backup");
    let path = file.to_str().unwrap();
    house.run(&["backup", "--output", path]).await;
    house.gateway(&admin, "bob").await;
    let House { db, url, data, process } = house;
    process.stop().await;
    let before = dump(&db).await;
    let name: String = sqlx::query_scalar("SELECT current_database()::text").fetch_one(&db).await.unwrap();
    let folder = ["--data-dir", data.path().to_str().unwrap(), "--database-url", &url];
    let command = async |args: &[&str]| run_program(PROGRAM, &[args, &folder].concat(), "").await;
    let killed = async || {
        // The restore waits for this lock when the backup's tables are there.
        let mut migrating = db.acquire().await.unwrap();
        migrating.lock().await.unwrap();
        let args = [&["restore", path, "--replace", "--confirm", &name], &folder[..]].concat();
        let mut restore = Command::new(PROGRAM).args(args).kill_on_drop(true).spawn().unwrap();
        wait_until(&db, "SELECT to_regclass('restore_unfinished') IS NOT NULL AND to_regclass('users') IS NOT NULL")
            .await;
        restore.kill().await.unwrap();
        migrating.unlock().await.unwrap();
    };

    killed().await;
    let left = dump(&db).await;
    assert!(!rows_matching(&db, "sessions", "true").await.is_empty(), "the state that nothing may work with");
    let another = data.join("second.backup");
    for refused in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["migrate"],
        &["create-admin", "--username", "second"],
        &["accept-restore", "--yes"],
        &["backup", "--output", another.to_str().unwrap()],
        &["doctor"],
    ] {
        let ended = command(refused).await;
        assert_eq!(ended.code, Some(1), "{refused:?}: {ended:?}");
        let said = ended.stdout + &ended.stderr;
        assert!(said.contains(&format!("the restore of {path} that began at ")), "{refused:?}: {said}");
        assert!(said.contains("has not finished: run `proxima-dashboard restore FILE` again"), "{refused:?}: {said}");
    }
    assert_eq!(dump(&db).await, left, "none of them has changed anything");
    let undone = command(&["restore", "--undo"]).await;
    assert_eq!(undone.code, Some(0), "{undone:?}");
    assert_eq!(dump(&db).await, before);

    killed().await;
    let restored = command(&["restore", path]).await;
    assert_eq!(restored.code, Some(0), "{restored:?}");
    assert!(rows_matching(&db, "sessions", "true").await.is_empty());
    assert_eq!(rows_matching(&db, "users", "role = 'CUSTOMER'").await.len(), 1, "bob came after the backup");
    assert_eq!(audited(&db, "database.restore").await.len(), 1);
    let nothing = command(&["restore", "--undo"]).await;
    assert!(nothing.stdout.contains("nothing to undo"), "{nothing:?}");
    DashboardProcess::start(PROGRAM, &url, &data, &[]).await.stop().await;
}
