//! The clock of the dashboard's host is set, by years, while it works. PostgreSQL's clock, on another host, is not: it
//! alone judges licenses, sessions and fresh proofs (invariant 3).

use crate::postgres::Postgres;
use crate::stand::{Stand, Told, create, reveal, sign_in};
use chrono::Datelike as _;
use proxima_test_support::{Folder, TestGateway};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Debian's libfaketime, which answers in the wall clock's place.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("/usr/lib");
    let library = folders
        .filter_map(|folder| Some(folder.ok()?.path().join("faketime/libfaketimeMT.so.1")))
        .find(|library| library.exists());
    library.expect("libfaketime: apt-get install faketime")
}

fn set(clock: &Path, offset: &str) {
    // Replaced, not rewritten: it is read at every look at the clock.
    let new = clock.with_extension("new");
    std::fs::write(&new, format!("{offset}\n")).expect("written");
    std::fs::rename(new, clock).expect("in its place");
}

#[tokio::test]
async fn the_clock_of_the_dashboards_host_decides_nothing() {
    let postgres = Postgres::start_new().await;
    let folder = Folder::new();
    let clock = folder.join("clock");
    set(&clock, "+0");
    let (preload, file) = (library().display().to_string(), clock.display().to_string());
    let env = [
        ("LD_PRELOAD", preload.as_str()),
        ("FAKETIME_TIMESTAMP_FILE", file.as_str()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let mut stand = Stand::on(&postgres, postgres.port, Folder::new(), &env).await;
    let mut marks = vec![stand.leave_a_mark().await];
    let server = create(&stand.admin, "grace").await;
    let key = reveal(&stand.admin, server).await;
    let revoke = json!({ "graceSeconds": 3600 });
    stand.admin.post(&format!("/api/v1/servers/{server}/license/revoke"), &revoke).await.expect_status(200);
    let mut gateway = TestGateway::new(&stand.process.url, stand.gateways[0].0.public_key(), server, key);
    let first = gateway.beat().await;
    TestGateway::expect_status(&first, "GRACE");

    let year = proxima_db::now(&postgres.pool()).await.expect("PostgreSQL's clock").year();
    for (offset, years) in [("+10y", 10), ("-10y", -10), ("+0", 0)] {
        set(&clock, offset);
        // A refusal of what is no heartbeat has the host's date: the step has reached the process.
        let authorization = format!("Bearer {}", gateway.key.expose());
        let refused = gateway.exchange(Some(&TestGateway::nonce()), Some(&authorization), b"{".to_vec()).await;
        let date = refused.headers["date"].to_str().expect("a date");
        assert!((year + years - 1..=year + years + 1).any(|year| date.contains(&year.to_string())), "{date}");

        assert_eq!(stand.beats().await, [Told::Truth; 3], "{offset}");
        let beat = gateway.beat().await;
        TestGateway::expect_status(&beat, "GRACE");
        assert_eq!(beat.body["graceExpiresAt"], first.body["graceExpiresAt"], "{offset}");
        assert!(beat.body["serverTime"].as_str() > first.body["serverTime"].as_str(), "{offset}");
        // The session of before, with its proof of a moment ago, and a new one.
        marks.push(stand.leave_a_mark().await);
        sign_in(&stand.process.url).await.get("/api/v1/users").await.expect_status(200);
    }
    stand.recovers(&marks).await;
}
