//! Clocks that are set and a disk without a byte left: neither stops a gateway, nor keeps a verdict from it.

use crate::support::backend::Backend;
use crate::support::dashboard::{Dashboard, Reply, desired, terms};
use crate::support::gateway::Home;
use crate::support::http::{get, status};
use crate::support::{free_port, is_open, wait_for, wait_open};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Debian's libfaketime, which answers in the wall clock's place, and nowhere else.
fn library() -> String {
    let folders = std::fs::read_dir("/usr/lib").expect("/usr/lib");
    let library = folders
        .filter_map(|folder| Some(folder.ok()?.path().join("faketime/libfaketimeMT.so.1")))
        .find(|library| library.exists());
    library.expect("libfaketime: apt-get install faketime").display().to_string()
}

fn set(clock: &Path, offset: &str) {
    let new = clock.with_extension("new");
    std::fs::write(&new, format!("{offset}\n")).unwrap();
    std::fs::rename(new, clock).unwrap();
}

#[test]
fn a_wall_clock_that_is_set_neither_stops_a_gateway_nor_lengthens_its_time() {
    let (dashboard, backend, port) = (Dashboard::start(), Backend::saying("hello"), free_port());
    let mut home = Home::of(&dashboard);
    let clock = home.path.join("clock");
    set(&clock, "+0");
    home.environment = vec![
        ("LD_PRELOAD", library()),
        ("FAKETIME_TIMESTAMP_FILE", clock.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    // The operator's limit: a day of silence.
    let mut day = terms("ACTIVE", None, Some(desired(1, &[(port, backend.url())])));
    day["offlineLimitDays"] = json!(1);
    dashboard.answers(day.clone());
    let mut gateway = home.start();
    wait_open(port);

    for offset in ["+10y", "-10y"] {
        dashboard.answers(day.clone());
        dashboard.wait_beats(2);
        dashboard.plays(|_| Reply::Close);
        dashboard.wait_beats(1);
        set(&clock, offset);
        dashboard.wait_beats(2);
        assert!(gateway.is_running() && status(&get(port, "/")) == 200, "{offset}");
        // The next process, too: it counts from the kernel's boot.
        gateway.signal(rustix::process::Signal::KILL);
        gateway.wait_exit();
        gateway = home.start();
        wait_open(port);
        assert_eq!(status(&get(port, "/")), 200, "{offset}");
    }
    // The log is dated by that clock: the steps have reached the process.
    let dates = |gateway: &crate::support::gateway::Gateway| -> Vec<String> {
        gateway.log().lines().filter_map(|line| Some(line.get(..4)?.to_owned())).collect()
    };
    let years: Vec<i32> = dates(&gateway).iter().filter_map(|year| year.parse().ok()).collect();
    let (first, last) = (years.iter().max().unwrap(), years.iter().min().unwrap());
    assert!(first - last >= 19, "the clock was not set: {years:?}");

    // A clock set back lengthens nothing: three seconds of silence are left of this GRACE.
    dashboard.answers(terms("GRACE", Some(3 - 24 * 3600), None));
    wait_for("GRACE in the status", || (home.state_json("status.json")?["license"] == "GRACE").then_some(()));
    dashboard.plays(|_| Reply::Close);
    set(&clock, "-20y");
    gateway.wait_exit();
    assert!(gateway.log().contains("silent for longer than"));
}

/// A file system of a megabyte over a folder, until dropped. Needs root.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn over(folder: &Path) -> Self {
        let mount = ["-t", "tmpfs", "-o", "size=1m,mode=0700", "proxima-faults"];
        let mounted = Command::new("mount").args(mount).arg(folder).status();
        assert!(mounted.is_ok_and(|status| status.success()), "a small file system needs root");
        Self(folder.to_owned())
    }

    fn fill(&self) {
        let to = format!("of={}", self.0.join("ballast").display());
        let filled = Command::new("dd").args(["if=/dev/zero", &to, "bs=4k"]).output().unwrap();
        assert!(!filled.status.success(), "the disk has no end");
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn kill_matrix_a_full_state_directory_stops_nobody_and_keeps_no_verdict_from_a_gateway() {
    if std::env::var_os("PROXIMA_TEST_FULL").is_none_or(|value| value != "1") {
        return;
    }
    let (dashboard, backend, port) = (Dashboard::start(), Backend::saying("hello"), free_port());
    let home = Home::of(&dashboard);
    let state = home.path.join("state");
    std::fs::create_dir(&state).unwrap();
    let disk = SmallDisk::over(&state);
    dashboard.grants(desired(1, &[(port, backend.url())]));
    let mut gateway = home.start();
    wait_open(port);
    wait_for("the stored answer", || home.state_json("verdict.json"));

    disk.fill();
    dashboard.wait_beats(3);
    gateway.wait_log("state not saved");
    assert!(gateway.is_running() && status(&get(port, "/")) == 200);

    // What was stored before the disk was full still carries a start without the dashboard.
    dashboard.plays(|_| Reply::Close);
    gateway.signal(rustix::process::Signal::KILL);
    gateway.wait_exit();
    gateway = home.start();
    wait_open(port);
    assert_eq!(status(&get(port, "/")), 200);

    // A verdict needs no disk.
    dashboard.answers(terms("EXPIRED", None, None));
    gateway.wait_exit();
    assert!(!is_open(port));

    // Room again: all is stored as ever.
    disk.free();
    let before = std::fs::read(home.state("verdict.json")).unwrap();
    dashboard.grants(desired(1, &[(port, backend.url())]));
    let _gateway = home.start();
    wait_open(port);
    wait_for("a new stored answer", || (std::fs::read(home.state("verdict.json")).ok()? != before).then_some(()));
}
