//! A host key, and a login with what is stored.

use super::fake_box::{BOX_PASSWORD, FakeBox};
use crate::world::{PIN, World};
use proxima_test_support::{audited, dump};
use serde_json::{Value, json};
use sqlx::PgPool;

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn nothing_goes_on_until_the_host_key_is_confirmed(db: PgPool) {
    let fake = FakeBox::start();
    let world = World::new(db, fake.releases.path()).await;
    let (probe, confirm) = (world.path("/connection/host-key"), world.path("/connection/host-key/confirm"));
    let (test, jobs) = (world.path("/connection/test"), world.path("/jobs"));
    let (nothing, install) = (json!({}), json!({ "kind": "INSTALL" }));
    for path in [&probe, &test] {
        world.own.post(path, &nothing).await.problem(409, "not_connected");
    }
    world.own.put(&world.path("/connection"), &fake.form("root", BOX_PASSWORD)).await.expect_status(200);
    world.own.post(&test, &nothing).await.problem(409, "host_key_unconfirmed");
    world.own.post(&jobs, &install).await.problem(409, "host_key_unconfirmed");
    let seen = world.own.post(&probe, &nothing).await.expect(200);
    let shown = &seen["connection"]["shownHostKey"];
    assert_eq!((&shown["algorithm"], &shown["fingerprint"]), (&json!("ssh-ed25519"), &json!(fake.fingerprint())));
    assert_eq!(seen["connection"]["hostKeyState"], "UNCONFIRMED");
    assert!(!fake.sshd.log().contains("root"), "not even the user's name was sent: {}", fake.sshd.log());
    let wrong = json!({ "fingerprint": "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" });
    world.own.post(&confirm, &wrong).await.problem(409, "host_key_other");
    let right = json!({ "fingerprint": fake.fingerprint() });
    let confirmed = world.own.post(&confirm, &right).await.expect(200);
    let by = &confirmed["hostKey"]["confirmedBy"];
    assert_eq!((&confirmed["hostKeyState"], by), (&json!("CONFIRMED"), &json!("alice")));
    let rows = audited(&world.app.db, "server.connection.host_key.confirm").await;
    let outcomes: Vec<_> = rows.iter().map(|row| row.outcome.as_str()).collect();
    assert_eq!(outcomes, ["FAILURE", "SUCCESS"]);
    let tested = world.own.post(&test, &nothing).await.expect(200);
    assert_eq!((&tested["problem"], &tested["facts"]["systemdRunning"]), (&Value::Null, &json!(true)), "{tested:#}");
    assert_eq!(tested["steps"].as_array().unwrap().len(), 5);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_host_key_that_changed_stops_everything_until_it_is_confirmed(db: PgPool) {
    let fake = FakeBox::start();
    let mut world = World::new(db, fake.releases.path()).await;
    world.run_jobs();
    let (test, confirm) = (world.path("/connection/test"), world.path("/connection/host-key/confirm"));
    let (nothing, install) = (json!({}), json!({ "kind": "INSTALL" }));
    let right = json!({ "fingerprint": fake.fingerprint() });
    // Met by a test, and by a job.
    for round in 1..=2 {
        fake.connect(&world, "root", BOX_PASSWORD).await;
        sqlx::query(PIN).execute(&world.app.db).await.unwrap();
        if round == 1 {
            let tested = world.own.post(&test, &nothing).await.expect(200);
            assert_eq!(tested["problem"]["code"], "HOST_KEY_CHANGED", "{tested:#}");
            assert_eq!(tested["connection"]["hostKeyState"], "CHANGED");
        } else {
            let job = world.queue("INSTALL").await;
            let done = world.until_finished(&job).await;
            assert_eq!((&done["state"], &done["problem"]["code"]), (&json!("FAILED"), &json!("HOST_KEY_CHANGED")));
        }
        world.own.post(&test, &nothing).await.problem(409, "host_key_changed");
        world.own.post(&world.path("/jobs"), &install).await.problem(409, "host_key_changed");
        let found = audited(&world.app.db, "server.connection.host_key.changed").await;
        assert_eq!((found.len(), found[0].username.as_str(), found[0].outcome.as_str()), (round, "system", "FAILURE"));
        assert!(!fake.sshd.log().contains("Accepted"), "it got no login: {}", fake.sshd.log());
        // One that the host has, but did not show.
        let other = json!({ "fingerprint": fake.sshd.host_key("rsa").fingerprint });
        world.own.post(&confirm, &other).await.problem(409, "host_key_other");
        let seen = world.own.post(&world.path("/connection/host-key"), &nothing).await.expect(200);
        assert_eq!(seen["connection"]["hostKeyState"], "CHANGED", "a look alone changes nothing");
        assert_eq!(world.own.post(&confirm, &right).await.expect(200)["hostKeyState"], "CONFIRMED");
        let row = audited(&world.app.db, "server.connection.host_key.confirm").await.pop().unwrap();
        assert_eq!(row.metadata["fingerprint"], json!({ "from": "SHA256:before", "to": fake.fingerprint() }));
    }
    world.own.post(&test, &nothing).await.expect_status(200);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_test_says_what_is_wrong_and_tells_no_secret(db: PgPool) {
    let fake = FakeBox::start();
    let world = World::new(db, fake.releases.path()).await;
    let wrong = "wrong-canary-password-3";
    for (user, password, code) in
        [("root", wrong, "PASSWORD_REFUSED"), ("plain", BOX_PASSWORD, "NOT_IN_SUDOERS"), ("joe", BOX_PASSWORD, "")]
    {
        fake.connect(&world, user, password).await;
        let answer = world.own.post(&world.path("/connection/test"), &json!({})).await;
        let tested = answer.expect(200);
        assert_eq!(tested["problem"]["code"].as_str().unwrap_or_default(), code, "{tested:#}");
        assert!(!answer.text.contains(password));
    }
    let text = dump(&world.app.db).await;
    assert!(!text.contains(wrong) && !text.contains(BOX_PASSWORD));
    let outcomes: Vec<_> =
        audited(&world.app.db, "server.connection.test").await.into_iter().map(|row| row.outcome).collect();
    assert_eq!(outcomes, ["FAILURE", "FAILURE", "SUCCESS"]);
}
