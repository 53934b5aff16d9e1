//! Two who want the same box.

use super::real_box::{Owner, RealBox, world_and_box};
use crate::world::World;
use proxima_test_support::{LabOptions, PASSWORD, assert_same_box};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::collections::BTreeMap;

async fn another_owner(world: &World) -> Owner {
    let bob = world.app.customer("bob").await;
    let browser = world.app.sign_in("bob", PASSWORD).await;
    Owner { browser, server: format!("/api/v1/servers/{}", bob.server_id) }
}

/// Without what a gateway that runs writes.
async fn at_rest(target: &RealBox) -> BTreeMap<String, String> {
    let mut snapshot = target.snapshot().await;
    snapshot.retain(|name, _| !name.starts_with("/var/lib/proxima-gateway/"));
    snapshot
}

/// Whose gateway it is, by its server's path in the API.
async fn belongs_to(target: &RealBox) -> String {
    let config: Value = serde_json::from_str(&target.run("cat /etc/proxima-gateway/config.json").await).unwrap();
    format!("/api/v1/servers/{}", config["serverId"].as_str().unwrap())
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_second_install_of_the_same_server_or_box(db: PgPool) {
    let (world, target, alice, _releases) = world_and_box(db, LabOptions::default()).await;
    let bob = another_owner(&world).await;
    let clean = target.snapshot().await;
    alice.connects(&target, &target.lab.root).await;
    bob.connects(&target, &target.lab.nopasswd).await;

    let job = alice.queues("INSTALL").await;
    for kind in ["INSTALL", "UNINSTALL"] {
        alice.browser.post(&alice.path("/jobs"), &json!({ "kind": kind })).await.problem(409, "job_unfinished");
    }
    alice.succeeds(&job).await;
    target.serves().await;

    let before = at_rest(&target).await;
    let job = bob.queues("INSTALL").await;
    bob.fails(&job, "OTHER_SERVER", "another server").await;
    assert_same_box(&at_rest(&target).await, &before, "another server's box");
    assert_eq!(belongs_to(&target).await, alice.server);
    target.serves().await;
    let job = bob.asks(&json!({ "kind": "INSTALL", "replaceOtherServer": true })).await;
    bob.succeeds(&job).await;
    target.serves().await;
    assert_eq!(belongs_to(&target).await, bob.server);
    bob.uninstalls(&target, &clean_but_alices_key(&clean, &target).await).await;

    // At the same moment: whoever wins has a gateway that stays, also through a restart, and the other one is told.
    let form = json!({ "kind": "INSTALL" });
    for _ in 0..4 {
        bob.saves(&target, &target.lab.nopasswd, None).await;
        let (a, b) = tokio::join!(alice.asks(&form), bob.asks(&form));
        let (a, b) = (alice.ends(&a).await, bob.ends(&b).await);
        let won: Vec<_> =
            [(&a, &alice), (&b, &bob)].into_iter().filter(|(job, _)| job["state"] == "SUCCEEDED").collect();
        for job in [&a, &b].into_iter().filter(|job| job["state"] != "SUCCEEDED") {
            assert!(!job["problem"]["sentence"].as_str().unwrap().is_empty(), "{job:#}");
            assert_eq!(job["remains"], json!([]), "{job:#}");
        }
        assert_eq!(won.len(), 1, "{:#} {:#}", a["problem"], b["problem"]);
        let winner = won[0].1;
        assert_eq!(belongs_to(&target).await, winner.server);
        target.run("systemctl restart proxima-gateway").await;
        target.serves().await;
        let job = winner.queues("UNINSTALL").await;
        winner.succeeds(&job).await;
        alice.saves(&target, &target.lab.root, None).await;
    }
}

/// A claim of somebody who never came back is over after half an hour.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_box_that_another_install_has_claimed(db: PgPool) {
    let (world, target, owner, _releases) = world_and_box(db, LabOptions::default()).await;
    let clean = target.snapshot().await;
    owner.connects(&target, &target.lab.root).await;
    target.run("mkdir /usr/local/lib/proxima-gateway; echo another >/usr/local/lib/proxima-gateway/claim").await;
    let before = target.snapshot().await;
    let job = owner.queues("INSTALL").await;
    owner.fails(&job, "BUSY", "Another server of this or another dashboard is being installed").await;
    target.is_as(&before, "another's claim").await;
    target.run("touch -d '31 minutes ago' /usr/local/lib/proxima-gateway/claim").await;
    owner.installs(&target).await;
    owner.uninstalls(&target, &clean).await;
    drop(world);
}

/// Bob replaced Alice's gateway; the key by which she logs in is still hers.
async fn clean_but_alices_key(clean: &BTreeMap<String, String>, target: &RealBox) -> BTreeMap<String, String> {
    let now = target.snapshot().await;
    let mut expected = clean.clone();
    expected.extend(now.into_iter().filter(|(name, _)| name.starts_with("/root/.ssh")));
    expected
}
