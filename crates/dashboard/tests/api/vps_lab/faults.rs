//! What goes wrong between the click and the end, one after the other on a box: each is told in a sentence, leaves the box as
//! it was, and once it is gone the next try ends with visitors who get the website.

use super::real_box::{Owner, RealBox, step_of, world_and_box};
use proxima_test_support::{Cable, LabOptions, LabUser, Reboot};
use serde_json::json;
use sqlx::PgPool;
use std::time::Duration;

/// Kilobits a second at which the upload takes some seconds.
const SLOW: Cable = Cable::Slow(20_000);

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn wrong_logins_and_another_host_key(db: PgPool) {
    let (world, target, owner, _releases) = world_and_box(db, LabOptions::default()).await;
    let lab = &target.lab;
    let before = target.snapshot().await;

    let wrong = LabUser { password: "wrong-password".into(), ..lab.root.clone() };
    owner.connects(&target, &wrong).await;
    let job = owner.queues("INSTALL").await;
    owner.fails(&job, "PASSWORD_REFUSED", "refused the password of root").await;
    target.is_as(&before, "a wrong password").await;
    owner.saves(&target, &lab.root, None).await;
    owner.installs(&target).await;
    owner.uninstalls(&target, &before).await;

    owner.saves(&target, &lab.sudo, Some("wrong-sudo-password")).await;
    let before = target.snapshot().await;
    let job = owner.queues("INSTALL").await;
    owner.fails(&job, "SUDO_PASSWORD_WRONG", "sudo refused the password of asker").await;
    target.is_as(&before, "a wrong password of sudo").await;
    owner.saves(&target, &lab.sudo, None).await;
    owner.installs(&target).await;
    owner.uninstalls(&target, &before).await;

    let before = target.snapshot().await;
    owner.saves(&target, &lab.plain, None).await;
    let job = owner.queues("INSTALL").await;
    owner.fails(&job, "NOT_IN_SUDOERS", "may not become root").await;
    target.is_as(&before, "no way to be root").await;

    // Another key: nothing goes on until a person has compared it.
    owner.saves(&target, &lab.nopasswd, None).await;
    target.run("rm /etc/ssh/ssh_host_*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key; ssh-keygen -q -t ecdsa -N '' -f /etc/ssh/ssh_host_ecdsa_key; systemctl restart ssh").await;
    let before = target.snapshot().await;
    let job = owner.queues("INSTALL").await;
    let done = owner.fails(&job, "HOST_KEY_CHANGED", "identifies itself by another key").await;
    assert!(done["problem"]["sentence"].as_str().unwrap().contains(&lab.host_key_ed25519), "{done:#}");
    let form = json!({ "kind": "INSTALL" });
    owner.browser.post(&owner.path("/jobs"), &form).await.problem(409, "host_key_changed");
    target.is_as(&before, "another host key").await;
    owner.confirms(&target).await;
    owner.installs(&target).await;
    owner.uninstalls(&target, &before).await;
    drop(world);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_line_that_breaks_and_a_disk_that_fills(db: PgPool) {
    let (world, target, owner, _releases) =
        world_and_box(db, LabOptions { small_disk: Some(400), ..LabOptions::default() }).await;
    owner.connects(&target, &target.lab.root).await;
    let before = target.snapshot().await;

    // The session dies; the server takes new ones.
    target.lab.cable(SLOW).await;
    let job = owner.queues("INSTALL").await;
    owner.until_uploading(&job).await;
    target
        .run("ss -Htnp state established '( sport = :22 )' | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -u | xargs kill -KILL")
        .await;
    owner.fails(&job, "CONNECTION_LOST", "ended in the middle").await;
    target.is_as(&before, "SSH dropped in the upload").await;

    // No room from the beginning, and none any more in the middle.
    target.run("fallocate -l $(($(stat -f -c '%a*%S' /var) - 50000000)) /var/fill").await;
    target.lab.cable(Cable::Whole).await;
    let job = owner.queues("INSTALL").await;
    owner.fails(&job, "DISK_FULL", "MiB free at /").await;
    target.run("rm /var/fill").await;
    target.is_as(&before, "a full disk").await;
    target.lab.cable(SLOW).await;
    let job = owner.queues("INSTALL").await;
    owner.until_uploading(&job).await;
    target.run("cat /dev/zero >/var/fill 2>/dev/null; true").await;
    owner.fails(&job, "UPLOAD_FAILED", "No space left on device").await;
    target.run("rm /var/fill").await;
    target.is_as(&before, "a disk that filled in the upload").await;

    // A power cut in the upload: what was written of it is found and deleted.
    let job = owner.queues("INSTALL").await;
    owner.until_uploading(&job).await;
    target.lab.reboot(Reboot::PowerCut).await;
    owner.fails(&job, "CONNECTION_LOST", "ended in the middle").await;
    target.is_as(&before, "a power cut in the upload").await;

    // A cable that is out for a moment is no fault at all, and neither is a slow and lossy one.
    target.lab.cable(SLOW).await;
    let job = owner.queues("INSTALL").await;
    owner.until_uploading(&job).await;
    target.lab.cable(Cable::Cut).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    target.lab.cable(Cable::Loss(3)).await;
    owner.succeeds(&job).await;
    target.lab.cable(Cable::Whole).await;
    target.serves().await;
    owner.uninstalls(&target, &before).await;
    drop(world);
}

/// The longest story a power cut can tell: the gateway runs, and nobody has said that it stays.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_box_that_reboots_before_the_first_heartbeat(db: PgPool) {
    let (world, target, owner, _releases) = world_and_box(db, LabOptions::default()).await;
    owner.connects(&target, &target.lab.root).await;
    let before = target.snapshot().await;
    for how in [Reboot::Clean, Reboot::PowerCut] {
        let job = until_heartbeat_is_awaited(&owner, &target).await;
        target.lab.reboot(how).await;
        target.lab.cable(Cable::Whole).await;
        let done = owner.ends(&job).await;
        if done["state"] == "SUCCEEDED" {
            // It came up by itself, as an enabled service does, and reported in time.
            target.serves().await;
            owner.uninstalls(&target, &before).await;
        } else {
            owner.fails(&job, "CONNECTION_LOST", "ended in the middle").await;
            target.is_as(&before, "a reboot before the heartbeat").await;
        }
        owner.saves(&target, &target.lab.root, None).await;
    }
    owner.installs(&target).await;
    target.lab.reboot(Reboot::PowerCut).await;
    target.serves().await;
    drop(world);
}

/// An install up to its heartbeat, which cannot leave the box.
async fn until_heartbeat_is_awaited(owner: &Owner, target: &RealBox) -> String {
    let job = owner.queues("INSTALL").await;
    owner.until_step(&job, "REACH", "DONE").await;
    target.lab.cable(Cable::NoOutbound).await;
    let seen = owner.until_step(&job, "HEARTBEAT", "RUNNING").await;
    assert_eq!(step_of(&seen, "START").unwrap()["state"], "DONE");
    job
}
