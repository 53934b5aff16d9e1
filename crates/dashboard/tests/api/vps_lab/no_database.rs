//! PostgreSQL gone in the middle of an install.

use super::killed::{admin, dashboard, new_server};
use super::real_box::{RealBox, releases};
use crate::full;
use proxima_test_support::{Cable, Folder, LabOptions, TestApp, run_program};
use sqlx::PgPool;
use std::time::Duration;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/dev-postgres");

/// A server of this test's own.
struct Postgres {
    folder: Folder,
}

impl Postgres {
    async fn ask(&self, command: &str) -> String {
        let folder = format!("PROXIMA_DEV_POSTGRES_DIR={}", self.folder.path().display());
        let done = run_program("env", &[&folder, SCRIPT, command], "").await;
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        done.stdout.trim().to_owned()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let folder = format!("PROXIMA_DEV_POSTGRES_DIR={}", self.folder.path().display());
        let _ = std::process::Command::new("env").args([&folder, SCRIPT, "reset"]).output();
    }
}

#[tokio::test]
async fn an_install_waits_for_its_database() {
    let postgres = Postgres { folder: Folder::new() };
    let url = postgres.ask("start").await;
    let db = PgPool::connect(&url).await.unwrap();
    proxima_db::pool::MIGRATOR.run(&db).await.unwrap();
    TestApp::start(db.clone()).await.admin().await;
    db.close().await;
    let (data, releases) = (Folder::new(), releases());
    let target = RealBox::up(LabOptions::default()).await;
    let process = dashboard(&url, &data, releases.path()).await;
    target.reaches(&process.url);
    let server = new_server(&process).await;
    let owner = admin(&process, &server).await;
    owner.connects(&target, &target.lab.root).await;
    let before = target.snapshot().await;
    // Within the lease the same run goes on; beyond it (20 s) the job is taken up anew.
    for seconds in [6, 30].into_iter().filter(|seconds| full() || *seconds == 6) {
        owner.saves(&target, &target.lab.root, None).await;
        target.lab.cable(Cable::Slow(20_000)).await;
        let job = owner.queues("INSTALL").await;
        owner.until_uploading(&job).await;
        postgres.ask("stop").await;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        postgres.ask("start").await;
        target.lab.cable(Cable::Whole).await;
        owner.succeeds(&job).await;
        target.serves().await;
        owner.uninstalls(&target, &before).await;
    }
    process.stop().await;
}
