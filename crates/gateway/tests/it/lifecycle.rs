//! From the first heartbeat to SIGTERM (product.md section 4).

use crate::support::backend::Backend;
use crate::support::dashboard::{Dashboard, Reply, desired, signed, terms};
use crate::support::gateway::{Home, serve};
use crate::support::http::{get, read_head, status};
use crate::support::{connect, free_port, is_open, wait_closed, wait_for, wait_open};
use proxima_types::heartbeat::Phase;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};

#[test]
fn ports_stay_closed_until_the_first_signed_answer() {
    let dashboard = Dashboard::start();
    let backend = Backend::saying("hello");
    let port = free_port();
    let release = Arc::new(AtomicBool::new(false));
    let (gate, server_id, url) = (Arc::clone(&release), dashboard.server_id, backend.url());
    dashboard.plays(move |beat| {
        wait_for("the test's release", || gate.load(Ordering::SeqCst).then_some(()));
        let body = terms("ACTIVE", None, Some(desired(1, &[(port, url.clone())])));
        Reply::Bytes(signed(1, server_id, beat, 200, &body.to_string()))
    });
    let home = Home::of(&dashboard);
    let mut gateway = home.start();
    gateway.wait_log("ports stay closed");
    assert!(!is_open(port), "no visitor's port before an answer");
    assert!(gateway.is_running());
    release.store(true, Ordering::SeqCst);
    wait_open(port);
    assert_eq!(status(&get(port, "/")), 200);
}

#[test]
fn heartbeats_tell_the_phase_the_sequence_and_the_config() {
    let served = serve(&Backend::saying("hello"));
    let beat = served.dashboard.wait_beat("a serving heartbeat", |beat| beat.request.phase == Phase::Serving);
    let beats = served.dashboard.beats();
    assert_eq!(beats[0].request.phase, Phase::Starting);
    assert_eq!(beats[0].request.sequence, 1);
    assert_eq!(beats[0].request.applied_config, None);
    assert_eq!(beats[1].request.sequence, 2);
    assert_eq!(beats[1].request.boot_id, beats[0].request.boot_id);
    assert_ne!(beats[1].nonce, beats[0].nonce);
    assert!((22..=64).contains(&beats[0].nonce.len()));
    assert!(beats[0].head.starts_with("POST /api/v1/heartbeat HTTP/1.1"));
    assert_eq!(beat.request.applied_config.map(|generation| generation.number), Some(1));
    assert_eq!(served.home.state_json("config.json").unwrap()["generation"]["number"], 1);
    get(served.port, "/");
    let counted = served.dashboard.wait_beat("the counters", |beat| beat.request.counters.requests > 0);
    assert_eq!(counted.request.counters.bytes_out, 5);
}

#[test]
fn grace_serves() {
    let backend = Backend::saying("hello");
    let served = serve(&backend);
    served.dashboard.answers(terms("GRACE", Some(3600), None));
    served.dashboard.wait_beats(2);
    assert_eq!(status(&get(served.port, "/")), 200);
    wait_for("GRACE in the status", || (served.home.state_json("status.json")?["license"] == "GRACE").then_some(()));
}

#[test]
fn expired_ends_with_0_and_a_restart_stays_closed_until_active() {
    let mut served = serve(&Backend::saying("hello"));
    served.dashboard.answers(terms("EXPIRED", None, None));
    assert_eq!(served.gateway.wait_exit(), 0);
    assert!(!is_open(served.port));
    assert!(served.gateway.log().contains("EXPIRED"));
    let said = served.home.state_json("status.json").unwrap();
    assert!(said["license"] == "EXPIRED" && said["answeredAt"].is_string(), "an update waits for this: {said}");

    let mut restarted = served.home.start();
    assert_eq!(restarted.wait_exit(), 0, "answered EXPIRED again");
    assert!(!is_open(served.port));

    served.dashboard.answers(terms("ACTIVE", None, None));
    let _reinstated = served.home.start();
    wait_open(served.port);
    assert_eq!(status(&get(served.port, "/")), 200, "with the configuration of before");
}

#[test]
fn blocking_the_dashboard_does_not_outlive_expired() {
    let mut served = serve(&Backend::saying("hello"));
    served.dashboard.answers(terms("EXPIRED", None, None));
    assert_eq!(served.gateway.wait_exit(), 0);
    served.dashboard.plays(|_| Reply::Close);
    let mut restarted = served.home.start();
    served.dashboard.wait_beats(3);
    restarted.wait_log("the stored answer ended service");
    assert!(!is_open(served.port));
    assert!(restarted.is_running(), "it keeps asking");
}

#[test]
fn a_signed_retired_key_ends_service() {
    let mut served = serve(&Backend::saying("hello"));
    served.dashboard.signs(401, json!({ "code": "license_key_retired", "detail": "regenerated" }));
    assert_eq!(served.gateway.wait_exit(), 0);
    assert!(served.gateway.log().contains("retired (regenerated)"));
    assert!(!is_open(served.port));
}

#[test]
fn sigterm_lets_a_slow_download_end() {
    let (half, released) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (at_half, go) = (Arc::clone(&half), Arc::clone(&released));
    let backend = Backend::raw(move |mut stream| {
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst").unwrap();
        at_half.wait();
        go.wait();
        stream.write_all(b"-last").unwrap();
    });
    let mut served = serve(&backend);
    let mut visitor = connect(served.port);
    visitor.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    half.wait();
    served.gateway.terminate();
    wait_closed(served.port);
    assert!(served.gateway.is_running(), "it drains");
    released.wait();
    let mut response = String::new();
    visitor.read_to_string(&mut response).unwrap();
    assert!(response.ends_with("first-last"), "{response}");
    assert_eq!(served.gateway.wait_exit(), 0);
}

#[test]
fn a_drain_is_bounded_and_idle_connections_do_not_hold_it() {
    let backend = Backend::raw(|mut stream| {
        read_head(&mut stream);
        std::thread::sleep(crate::support::PATIENCE * 2);
    });
    let mut served = crate::support::gateway::serve_with(&backend.url(), &["--drain-seconds", "0.5"]);
    let _idle = connect(served.port);
    let mut stuck = connect(served.port);
    stuck.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    wait_for("the request at the backend", || (backend.connections() == 1).then_some(()));
    served.gateway.terminate();
    assert_eq!(served.gateway.wait_exit(), 0);
    served.gateway.wait_log("the drain's time is over");
}

#[test]
fn one_gateway_per_state_directory() {
    let served = serve(&Backend::saying("hello"));
    let second = served.home.run(&["run"]);
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("already running"), "{said}");
}
