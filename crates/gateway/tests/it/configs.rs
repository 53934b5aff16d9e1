//! Configurations: applied whole or rejected whole, kept across restarts.

use crate::support::backend::Backend;
use crate::support::dashboard::{Reply, desired, signed, terms};
use crate::support::gateway::{serve, serve_with};
use crate::support::http::{get, read_response, status};
use crate::support::{connect, free_port, is_open, local, wait_closed, wait_for, wait_open};
use proxima_types::heartbeat::Phase;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

#[test]
fn a_port_moves_and_the_others_connections_stay() {
    let (first, second) = (Backend::saying("first"), Backend::saying("second"));
    let served = serve(&first);
    let mut kept = connect(served.port);
    kept.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!(read_response(&mut kept).1, b"first");

    let (added, moved) = (free_port(), free_port());
    served.dashboard.grants(desired(2, &[(served.port, second.url()), (added, first.url())]));
    wait_open(added);
    assert!(get(added, "/").ends_with("first"));
    kept.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!(read_response(&mut kept).1, b"second", "the same connection, the new backend");

    served.dashboard.grants(desired(3, &[(served.port, second.url()), (moved, first.url())]));
    wait_open(moved);
    wait_closed(added);
    kept.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!(read_response(&mut kept).1, b"second");
}

#[test]
fn a_removed_port_drains() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let slow = Backend::new(move |_, _| {
        wait.lock().unwrap().recv().unwrap();
        crate::support::http::ok("late")
    });
    let served = serve(&slow);
    let mut visitor = connect(served.port);
    visitor.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    wait_for("the request at the backend", || (slow.connections() == 1).then_some(()));
    served.dashboard.grants(desired(2, &[]));
    wait_closed(served.port);
    go.send(()).unwrap();
    let mut response = String::new();
    visitor.read_to_string(&mut response).unwrap();
    assert!(response.ends_with("late"), "{response}");
}

#[test]
fn a_taken_port_rejects_the_whole_config_until_it_is_free() {
    let backend = Backend::saying("hello");
    let served = serve(&backend);
    let (taken, free) = (free_port(), free_port());
    let holder = TcpListener::bind(local(taken)).unwrap();
    served.dashboard.grants(desired(2, &[(free, backend.url()), (taken, backend.url())]));
    let beat = served.dashboard.wait_beat("the rejection", |beat| beat.request.rejected_config.is_some());
    let rejected = beat.request.rejected_config.unwrap();
    assert_eq!(rejected.generation.number, 2);
    assert!(rejected.reason.contains(&format!("Port {taken} is already in use")), "{}", rejected.reason);
    assert_eq!(beat.request.applied_config.map(|generation| generation.number), Some(1));
    assert!(!is_open(free), "nothing of it is applied");
    assert_eq!(status(&get(served.port, "/")), 200);
    drop(holder);
    wait_open(free);
    wait_open(taken);
    served.dashboard.wait_beat("the application", |beat| {
        beat.request.rejected_config.is_none() && beat.request.applied_config.is_some_and(|applied| applied.number == 2)
    });
}

#[test]
fn invalid_unknown_and_older_configs_change_nothing() {
    let backend = Backend::saying("hello");
    let mut served = serve_with(&backend.url(), &[]);
    served.dashboard.grants(desired(5, &[(served.port, backend.url())]));
    served.dashboard.wait_beat("5", |beat| beat.request.applied_config.is_some_and(|applied| applied.number == 5));
    let other = free_port();
    let broken = [
        (6, desired(6, &[(6060, backend.url())]), "6060"),
        (7, desired(7, &[(other, backend.url()), (other, backend.url())]), "already used"),
        (8, desired(8, &[(other, "ftp://x".to_owned())]), "ftp"),
        (
            9,
            json!({ "generation": { "incarnation": 1, "number": 9 }, "config": { "listeners": [], "novelty": 1 } }),
            "novelty",
        ),
    ];
    for (number, config, reason) in broken {
        served.dashboard.grants(config);
        let beat = served.dashboard.wait_beat(reason, |beat| {
            beat.request.rejected_config.as_ref().is_some_and(|rejected| rejected.generation.number == number)
        });
        let rejected = beat.request.rejected_config.unwrap();
        assert!(rejected.reason.contains(reason), "{}", rejected.reason);
        assert_eq!(beat.request.applied_config.map(|generation| generation.number), Some(5));
        assert_eq!(status(&get(served.port, "/")), 200);
    }
    let server_id = served.dashboard.server_id;
    let older = terms("ACTIVE", None, Some(desired(4, &[(other, backend.url())])));
    served.dashboard.plays(move |beat| Reply::Bytes(signed(1, server_id, beat, 200, &older.to_string())));
    served.dashboard.wait_beats(3);
    assert!(!is_open(other), "an older generation is ignored");
    served.dashboard.plays(|_| Reply::Close);
    served.gateway.terminate();
    assert_eq!(served.gateway.wait_exit(), 0);
    let _restarted = served.home.start();
    wait_open(served.port);
    assert_eq!(status(&get(served.port, "/")), 200, "the last good one, from disk");
}

#[test]
fn a_new_incarnation_supersedes_every_number() {
    let backend = Backend::saying("hello");
    let served = serve(&backend);
    let port = free_port();
    let mut config = desired(1, &[(port, backend.url())]);
    config["generation"] = json!({ "incarnation": 2, "number": 0 });
    served.dashboard.grants(config);
    wait_open(port);
    wait_closed(served.port);
}

#[test]
fn a_restart_with_a_taken_port_serves_the_rest_and_keeps_trying() {
    let backend = Backend::saying("hello");
    let mut served = serve(&backend);
    let second = free_port();
    served.dashboard.grants(desired(2, &[(served.port, backend.url()), (second, backend.url())]));
    wait_open(second);
    served.gateway.terminate();
    assert_eq!(served.gateway.wait_exit(), 0);
    let holder = TcpListener::bind(local(second)).unwrap();
    let mut restarted = served.home.start();
    wait_open(served.port);
    let beat = served.dashboard.wait_beat("the report", |beat| {
        beat.request.boot_id != served.dashboard.beats()[0].request.boot_id && beat.request.rejected_config.is_some()
    });
    assert!(beat.request.rejected_config.unwrap().reason.contains(&second.to_string()));
    let code = served.home.run(&["status"]).status.code();
    assert_eq!(code, Some(4), "running, with a closed port");
    assert!(restarted.is_running());
    drop(holder);
    wait_open(second);
    assert!(get(second, "/").ends_with("hello"));
}

#[test]
fn an_embedded_config_serves_until_the_dashboard_delivers_one() {
    let backend = Backend::saying("hello");
    let dashboard = crate::support::dashboard::Dashboard::start();
    let (bench, delivered) = (free_port(), free_port());
    dashboard.answers(terms("ACTIVE", None, None));
    let mut home = crate::support::gateway::Home::of(&dashboard);
    home.set("config", json!({ "listeners": [{ "port": bench, "backendUrl": backend.url() }] }));
    let _gateway = home.start();
    wait_open(bench);
    dashboard.wait_beat("serving", |beat| beat.request.phase == Phase::Serving);
    dashboard.grants(desired(1, &[(delivered, backend.url())]));
    wait_open(delivered);
    wait_closed(bench);
}
