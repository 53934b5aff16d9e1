//! Updates to other versions: one that works, one that runs and never gets an answer, one that does not run.

use super::real_box::{Owner, RealBox, gateway, put_release, world_and_box};
use proxima_test_support::LabOptions;
use proxima_types::heartbeat::HEARTBEAT_PATH;
use serde_json::json;
use sqlx::PgPool;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The same program with another text of the same length wherever it has this one.
fn patched(program: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut program = program.to_vec();
    let places: Vec<usize> = program
        .windows(from.len())
        .enumerate()
        .filter(|(_, text)| *text == from.as_bytes())
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty(), "{from} is nowhere in the program");
    for at in places {
        program[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    program
}

/// As this version, with another last digit.
fn version(last: char) -> String {
    let kept = &VERSION[..VERSION.len() - 1];
    assert!(!VERSION.ends_with(last));
    format!("{kept}{last}")
}

async fn sums(target: &RealBox) -> String {
    target.run("cd /usr/local/lib/proxima-gateway && sha256sum proxima-gateway proxima-gateway.previous; ls").await
}

async fn updates(owner: &Owner) -> String {
    owner.queues("UPDATE").await
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn another_version_stays_when_it_reports_and_goes_when_it_does_not(db: PgPool) {
    let (world, target, owner, releases) = world_and_box(db, LabOptions::default()).await;
    owner.connects(&target, &target.lab.root).await;
    let before = target.snapshot().await;
    owner.installs(&target).await;
    let first = gateway();
    assert!(target.version().await.contains(VERSION));
    let old = target.run("sha256sum </usr/local/lib/proxima-gateway/proxima-gateway").await;

    let newer = patched(&first, VERSION, &version('8'));
    put_release(releases.path(), &newer);
    let job = updates(&owner).await;
    let done = owner.succeeds(&job).await;
    assert_eq!(done["result"]["update"]["state"], "CONFIRMED", "{done:#}");
    assert!(target.version().await.contains(&version('8')));
    let previous = target.run("sha256sum </usr/local/lib/proxima-gateway/proxima-gateway.previous").await;
    assert_eq!(previous, old, "the one before is kept");
    target.serves().await;
    let wanted = version('8');
    owner.until_reports(&wanted).await;

    // It runs, and asks where nobody answers.
    let confirmed = sums(&target).await;
    let mute = patched(&patched(&first, VERSION, &version('9')), HEARTBEAT_PATH, "/api/v1/nosuchway");
    put_release(releases.path(), &mute);
    let job = updates(&owner).await;
    owner.fails(&job, "ROLLED_BACK", "the one before runs again").await;
    assert_eq!(sums(&target).await, confirmed, "put back by the box itself");
    assert!(target.version().await.contains(&wanted));
    target.serves().await;

    // It does not even run.
    put_release(releases.path(), &first[..100_000]);
    let job = updates(&owner).await;
    let done = owner.ends(&job).await;
    assert_eq!((&done["state"], &done["remains"]), (&json!("FAILED"), &json!([])), "{done:#}");
    assert!(!done["problem"]["sentence"].as_str().unwrap().is_empty());
    assert_eq!(sums(&target).await, confirmed);
    target.serves().await;

    put_release(releases.path(), &first);
    let job = updates(&owner).await;
    owner.succeeds(&job).await;
    assert!(target.version().await.contains(VERSION));
    target.serves().await;
    owner.uninstalls(&target, &before).await;
    drop(world);
}
