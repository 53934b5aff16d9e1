//! Jobs from the click to their end, on a box with a real sshd.

use super::fake_box::{BOX_PASSWORD, FakeBox};
use crate::world::World;
use proxima_test_support::{TestGateway, audited, dump, rows_matching};
use serde_json::{Value, json};
use sqlx::PgPool;

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_install_brings_a_server_online_and_an_uninstall_ends_that(db: PgPool) {
    let fake = FakeBox::start();
    let mut world = World::new(db, fake.releases.path()).await;
    fake.connect(&world, "root", BOX_PASSWORD).await;
    assert_eq!(world.status().await, "NOT_INSTALLED");
    let secret_before = rows_matching(&world.app.db, "servers", "true").await[0]["api_secret_ciphertext"].clone();
    let job = world.queue("INSTALL").await;
    assert_eq!(world.status().await, "INSTALLING", "from when it is queued");
    assert_eq!(world.own.get(&job).await.expect(200)["state"], "QUEUED");
    world.run_jobs();
    let running = world.until_step(&job, "HEARTBEAT", "RUNNING").await;
    assert_eq!((&running["state"], world.status().await.as_str()), (&json!("RUNNING"), "INSTALLING"));
    assert_eq!(running["steps"].as_array().unwrap().len(), 14);
    fake.heartbeat(&world).await;
    let done = world.until_finished(&job).await;
    assert_eq!((&done["state"], &done["problem"]), (&json!("SUCCEEDED"), &Value::Null), "{done:#}");
    assert!(done["steps"].as_array().unwrap().iter().all(|step| step["state"] == "DONE"), "{done:#}");
    assert!(done["result"]["facts"]["architecture"].is_string());
    assert_eq!(world.status().await, "ONLINE");

    // What the box was given is what the dashboard has now, and only sealed.
    let identity = fake.identity().unwrap();
    let server = rows_matching(&world.app.db, "servers", "true").await.remove(0);
    assert_ne!(server["api_secret_ciphertext"], secret_before, "a new secret with every install");
    let connection = world.own.get(&world.path("/connection")).await.expect(200);
    assert_eq!(connection["credential"]["kind"], "ACCESS_KEY", "the password was traded");
    let text = format!("{}{}", dump(&world.app.db).await, done);
    for secret in [BOX_PASSWORD, identity.api_key.expose(), identity.api_secret.expose(), "BEGIN OPENSSH"] {
        assert!(!text.contains(secret), "a secret is in clear");
    }
    let log = done["log"].as_array().unwrap();
    assert!(log.iter().any(|line| line["line"].as_str().unwrap().contains("Logged in as root")), "{log:?}");
    let after = world.own.get(&format!("{job}?after={}", done["logCursor"])).await.expect(200);
    assert_eq!((&after["log"], &after["logCursor"]), (&json!([]), &done["logCursor"]));

    // The key alone is enough from here on; forgotten, it is off the box too.
    let keys = |fake: &FakeBox| fake.sshd.read("/root/.ssh/authorized_keys").unwrap_or_default();
    assert_eq!(keys(&fake).lines().count(), 1);
    let forgotten = world.own.delete(&world.path("/connection")).await.expect(200);
    assert_eq!((&forgotten["keyRemoved"], keys(&fake).as_str()), (&json!(true), ""), "{forgotten}");
    // Installed again it has a key of its own again.
    fake.connect(&world, "root", BOX_PASSWORD).await;
    let job = world.queue("INSTALL").await;
    world.until_step(&job, "HEARTBEAT", "RUNNING").await;
    assert_ne!(fake.identity().unwrap().install_id, identity.install_id);
    let mut gateway = fake.heartbeat(&world).await;
    assert_eq!(world.until_finished(&job).await["state"], "SUCCEEDED");
    let job = world.queue("UNINSTALL").await;
    let done = world.until_finished(&job).await;
    assert_eq!(done["state"], "SUCCEEDED", "{done:#}");
    assert_eq!(world.status().await, "NOT_INSTALLED");
    let connection = world.own.get(&world.path("/connection")).await.expect(200);
    assert_eq!(connection["credential"], Value::Null, "the key is off the box: nothing logs in any more");
    world.own.post(&world.path("/jobs"), &json!({ "kind": "RESTART" })).await.problem(409, "no_credential");
    // A gateway that lives on elsewhere is seen again.
    TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
    assert_eq!(world.status().await, "ONLINE");
    for (action, user, outcome) in [
        ("server.install", "alice", "SUCCESS"),
        ("server.connection.trade", "system", "SUCCESS"),
        ("server.uninstall", "alice", "SUCCESS"),
        ("server.job.end", "system", "SUCCESS"),
    ] {
        let row = audited(&world.app.db, action).await.pop().expect(action);
        assert_eq!((row.username.as_str(), row.outcome.as_str()), (user, outcome), "{action}");
        assert_eq!(row.target, Some(world.customer.server_id.0));
    }
    assert_eq!(audited(&world.app.db, "server.job.end").await.len(), 3);
    let list = world.own.get(&world.path("/jobs?limit=1")).await.expect(200);
    assert_eq!(list["items"][0]["kind"], "UNINSTALL");
    let next = format!("/jobs?limit=1&cursor={}", list["nextCursor"].as_str().unwrap());
    let list = world.own.get(&world.path(&next)).await.expect(200);
    assert_eq!((&list["items"][0]["kind"], list["nextCursor"].is_string()), (&json!("INSTALL"), true));
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_failed_install_says_why_keeps_the_login_and_may_be_run_again(db: PgPool) {
    let fake = FakeBox::start();
    let mut world = World::new(db, fake.releases.path()).await;
    world.run_jobs();
    fake.connect(&world, "root", "wrong-canary-password-4").await;
    let job = world.queue("INSTALL").await;
    let done = world.until_finished(&job).await;
    assert_eq!((&done["state"], &done["problem"]["code"]), (&json!("FAILED"), &json!("PASSWORD_REFUSED")), "{done:#}");
    assert!(!done["problem"]["remedy"].as_str().unwrap().is_empty());
    let failed: Vec<_> = done["steps"].as_array().unwrap().iter().filter(|step| step["state"] == "FAILED").collect();
    assert_eq!((failed.len(), &failed[0]["id"]), (1, &json!("LOGIN")));
    assert_eq!(world.status().await, "NOT_INSTALLED");
    let connection = world.own.get(&world.path("/connection")).await.expect(200);
    assert_eq!(connection["credential"]["kind"], "PASSWORD", "for the next try");
    let end = audited(&world.app.db, "server.job.end").await.pop().unwrap();
    assert_eq!((end.outcome.as_str(), &end.metadata["problem"]), ("FAILURE", &json!("PASSWORD_REFUSED")));
    world.own.put(&world.path("/connection"), &fake.form("root", BOX_PASSWORD)).await.expect_status(200);
    let job = world.queue("INSTALL").await;
    world.until_step(&job, "HEARTBEAT", "RUNNING").await;
    // What a job runs with is not changed under it.
    world.own.put(&world.path("/connection"), &fake.form("root", BOX_PASSWORD)).await.problem(409, "job_unfinished");
    world.own.delete(&world.path("/connection")).await.problem(409, "job_unfinished");
    let asked = world.own.post(&format!("{job}/cancel"), &json!({})).await.expect(200);
    assert_eq!(asked["cancelRequested"], true);
    let done = world.until_finished(&job).await;
    assert_eq!((&done["state"], &done["problem"]["code"]), (&json!("CANCELLED"), &json!("CANCELLED")), "{done:#}");
    assert_eq!(done["remains"], json!([]));
    assert!(done["steps"].as_array().unwrap().iter().any(|step| step["state"] == "UNDONE"), "{done:#}");
    world.own.post(&format!("{job}/cancel"), &json!({})).await.problem(409, "job_finished");
}
