//! A disk without a byte left under the dashboard's own folder: its keys and its anchor (invariant 13) lie there.

use crate::full;
use crate::postgres::Postgres;
use crate::stand::{Stand, Told};
use proxima_test_support::Folder;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// A file system of so many megabytes over a folder, until dropped. Needs root.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    pub fn over(folder: &Path, megabytes: u32) -> Self {
        let size = format!("size={megabytes}m,mode=0700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "proxima-faults"]).arg(folder).status();
        assert!(mounted.is_ok_and(|status| status.success()), "a small file system needs root");
        Self(folder.to_owned())
    }

    /// Leaves no free space.
    pub fn fill(&self) {
        let to = format!("of={}", self.ballast().display());
        let filled = Command::new("dd").args(["if=/dev/zero", &to, "bs=4k"]).output().expect("dd runs");
        assert!(!filled.status.success(), "the disk has no end");
    }

    pub fn free(&self) {
        std::fs::remove_file(self.ballast()).expect("it was there");
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // At once for everybody, and for good when the last process is gone.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

async fn integrity(stand: &Stand) -> Value {
    stand.admin.get("/api/v1/audit/integrity").await.expect(200)
}

/// Heartbeats and changes go on, a restart included; what is not durable is said, and made durable when there is room.
#[tokio::test]
async fn kill_matrix_a_full_data_folder_costs_no_verdict_and_no_change() {
    if !full() {
        return;
    }
    let postgres = Postgres::start_new().await;
    let data = Folder::new();
    let disk = SmallDisk::over(data.path(), 4);
    let mut stand = Stand::on(&postgres, postgres.port, data, &[]).await;
    disk.fill();

    // A customer, and a key that is retired: both move the anchor, which cannot be written.
    let mut marks = vec![stand.leave_a_mark().await];
    let server = crate::stand::create(&stand.admin, "newer").await;
    stand.admin.post(&format!("/api/v1/servers/{server}/license/regenerate"), &json!({})).await.expect_status(200);
    assert_eq!(stand.beats().await, [Told::Truth; 3]);
    let told = integrity(&stand).await;
    assert_eq!((&told["state"], &told["anchorDurable"]), (&json!("CURRENT"), &json!(false)), "{told}");
    assert!(told["anchorProblem"].as_str().expect("a reason").contains("Make room"), "{told}");

    // What was durable is behind the database: that is no reason not to start.
    stand = stand.killed_and_started().await;
    assert_eq!(stand.beats().await, [Told::Truth; 3]);
    marks.push(stand.leave_a_mark().await);

    disk.free();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        assert_eq!(stand.beats().await, [Told::Truth; 3]);
        let told = integrity(&stand).await;
        if told["anchorDurable"] == true && told["anchored"]["id"] == told["head"]["id"] {
            break;
        }
        assert!(Instant::now() < deadline, "the anchor is not written: {told}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stand = stand.killed_and_started().await;
    assert_eq!(integrity(&stand).await["state"], "CURRENT");
    stand.recovers(&marks).await;
    drop(disk);
}
