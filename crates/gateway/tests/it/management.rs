//! The management API on a port of its own: TLS, secret, limits, status, nudge, drain.

use crate::support::backend::Backend;
use crate::support::dashboard::{Dashboard, Reply, desired, signed, terms};
use crate::support::gateway::{Home, Served, serve_with};
use crate::support::http::{get, status};
use crate::support::management::{Management, exchange, tcp_from, tls_from};
use crate::support::{connect, free_port, is_open, wait_closed, wait_for, wait_open};
use proxima_types::ApiSecret;
use proxima_types::manage::CertificateFingerprint;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};

const PEER: [u8; 4] = [127, 0, 0, 1];
const STRANGER: [u8; 4] = [127, 0, 0, 2];
const HALF_HEAD: &[u8] = b"GET /v1/status HTTP/1.1\r\nHost: a\r\nX-Slow: ";

fn management(port: u16) -> Management {
    Management { port, secret: ApiSecret::from_random_bytes([3; 32]).expose().to_owned() }
}

/// A serving gateway with a management API.
fn managed(backend: &Backend, flags: &[&str]) -> (Served, Management) {
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let served = serve_with(&backend.url(), &[&["--management-listen", &address], flags].concat());
    wait_open(port);
    (served, management(port))
}

fn fingerprint(home: &Home, arguments: &[&str]) -> CertificateFingerprint {
    let output = home.run(&[&["management-fingerprint"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    CertificateFingerprint::parse(String::from_utf8(output.stdout).unwrap().trim_end()).unwrap()
}

#[test]
fn status_is_that_of_the_command_and_names_the_certificate() {
    let (served, management) = managed(&Backend::saying("hello"), &[]);
    let pinned = fingerprint(&served.home, &[]);
    let answer = wait_for("the management's own row", || {
        let answer = management.ask("GET", "/v1/status", "");
        assert_eq!(answer.status, 200, "{answer:?}");
        (!answer.json()["status"]["management"].is_null()).then_some(answer)
    });
    assert!(answer.head.to_lowercase().contains("cache-control: no-store"), "{}", answer.head);
    let over_the_wire = answer.json();
    assert_eq!(over_the_wire["running"], true);
    assert_eq!(over_the_wire["status"]["process"]["pid"], served.gateway.pid());
    assert_eq!(over_the_wire["status"]["openPorts"], json!([served.port]));
    assert_eq!(over_the_wire["status"]["management"]["certificateFingerprint"], pinned.to_string());
    assert_eq!(over_the_wire["status"]["management"]["address"], format!("127.0.0.1:{}", management.port));
    let told: Value = serde_json::from_slice(&served.home.run(&["status", "--json"]).stdout).unwrap();
    let keys = |value: &Value| value["status"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&told), keys(&over_the_wire));
    let text = String::from_utf8(served.home.run(&["status"]).stdout).unwrap();
    assert!(text.contains(&pinned.to_string()), "{text}");
    assert!(tls_from(PEER, management.port, Some(pinned)).is_ok());
    let other = CertificateFingerprint::of_der(b"another");
    assert!(tls_from(PEER, management.port, Some(other)).is_err(), "a dashboard refuses another certificate");
}

#[test]
fn the_certificate_is_private_stays_over_restarts_and_changes_on_request_only() {
    let home = Home::of(&Dashboard::start());
    assert_eq!(home.run(&["management-fingerprint"]).status.code(), Some(3), "not made yet");
    let port = free_port();
    let flags = ["--management-listen", &format!("127.0.0.1:{port}")];
    let start = || {
        let gateway = home.start_with(&flags);
        wait_open(port);
        gateway
    };
    let mut gateway = start();
    let first = fingerprint(&home, &[]);
    let mode = std::fs::metadata(home.state("management.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    gateway.signal(rustix::process::Signal::KILL);
    gateway.wait_exit();
    gateway = start();
    assert!(tls_from(PEER, port, Some(first)).is_ok());
    let second = fingerprint(&home, &["--renew"]);
    assert_ne!(second, first);
    assert!(tls_from(PEER, port, Some(first)).is_ok(), "the running one goes on with its own");
    gateway.terminate();
    gateway.wait_exit();
    let _gateway = start();
    assert!(tls_from(PEER, port, Some(first)).is_err());
    assert!(tls_from(PEER, port, Some(second)).is_ok());
}

#[test]
fn missing_malformed_and_wrong_secrets_are_told_the_same_and_unknown_paths_too() {
    let (_served, management) = managed(&Backend::saying("hello"), &[]);
    let wrong = ApiSecret::from_random_bytes([4; 32]);
    let ask = |fields: &str, path: &str| {
        let answer = management.ask_with("GET", path, "", fields);
        assert_eq!(answer.status, 401, "{answer:?}");
        assert!(answer.head.to_lowercase().contains("www-authenticate: bearer"), "{}", answer.head);
        answer.body
    };
    let first = ask("", "/v1/status");
    let problem: Value = serde_json::from_str(&first).unwrap();
    assert_eq!((&problem["code"], &problem["status"]), (&json!("unauthenticated"), &json!(401)));
    for (fields, path) in [
        (format!("Authorization: Bearer {}\r\n", wrong.expose()), "/v1/status"),
        ("Authorization: Bearer\r\n".to_owned(), "/v1/status"),
        (format!("Authorization: Basic {}\r\n", management.secret), "/v1/drain"),
        (String::new(), "/nowhere"),
        (String::new(), "/"),
    ] {
        assert_eq!(ask(&fields, path), first, "{path}");
    }
}

#[test]
fn paths_and_methods_are_named_to_whoever_has_the_secret() {
    let (served, management) = managed(&Backend::saying("hello"), &[]);
    for (method, path, body, expected) in [
        ("GET", "/nowhere", "", 404),
        ("GET", "/v1/status/", "", 404),
        ("POST", "/v1/status", "", 405),
        ("GET", "/v1/nudge", "", 405),
        ("GET", "/v1/drain", "", 405),
        ("POST", "/healthz", "", 405),
        ("POST", "/v1/drain", "", 422),
        ("POST", "/v1/drain", "{\"seconds\":0}", 422),
        ("POST", "/v1/drain", "{\"seconds\":601}", 422),
        ("POST", "/v1/drain", "{\"seconds\":5,\"force\":true}", 422),
        ("POST", "/v1/drain", &format!("{{\"seconds\":{}}}", " ".repeat(2000)), 413),
    ] {
        let answer = management.ask(method, path, body);
        assert_eq!(answer.status, expected, "{method} {path}: {answer:?}");
        assert!(answer.head.to_lowercase().contains("content-type: application/problem+json"), "{}", answer.head);
    }
    let alive = management.ask_with("GET", "/healthz", "", "");
    assert_eq!((alive.status, alive.body.as_str()), (204, ""), "without the secret");
    assert_eq!(status(&get(served.port, "/")), 200, "no drain has begun");
}

#[test]
fn too_many_wrong_secrets_make_that_peer_wait_and_nobody_else() {
    let (served, management) = managed(&Backend::saying("hello"), &[]);
    let codes: Vec<u16> = (0..14)
        .map(|_| management.ask_from(STRANGER, "GET", "/v1/status", "", "Authorization: Bearer x\r\n").unwrap().status)
        .collect();
    assert_eq!(codes[..10], [401; 10], "{codes:?}");
    assert!(codes.ends_with(&[429]), "{codes:?}");
    let right = format!("Authorization: Bearer {}\r\n", management.secret);
    let refused = management.ask_from(STRANGER, "GET", "/v1/status", "", &right).unwrap();
    assert_eq!(refused.status, 429, "also the right one, from there: {refused:?}");
    assert!(refused.head.to_lowercase().contains("retry-after: "), "{}", refused.head);
    assert_eq!(management.ask("GET", "/v1/status", "").status, 200);
    assert!(!served.gateway.log().contains(&management.secret));
    served.gateway.wait_log("a request without the secret refused");
}

#[test]
fn the_allow_list_of_nobody_closes_every_connection_and_serving_goes_on() {
    let backend = Backend::saying("hello");
    for (list, allowed, refused) in [
        (json!([]), None, Some(PEER)),
        (json!(["127.0.0.1"]), Some(PEER), Some(STRANGER)),
        (json!(["127.0.0.0/8"]), Some(STRANGER), None),
        (Value::Null, Some(STRANGER), None),
    ] {
        let dashboard = Dashboard::start();
        let (visitors, port) = (free_port(), free_port());
        dashboard.grants(desired(1, &[(visitors, backend.url())]));
        let mut home = Home::of(&dashboard);
        home.set("managementAllow", list.clone());
        let _gateway = home.start_with(&["--management-listen", &format!("127.0.0.1:{port}")]);
        wait_open(visitors);
        wait_open(port);
        let management = management(port);
        if let Some(peer) = allowed {
            assert_eq!(management.ask_from(peer, "GET", "/healthz", "", "").unwrap().status, 204, "{list}");
        }
        if let Some(peer) = refused {
            assert!(management.ask_from(peer, "GET", "/healthz", "", "").is_err(), "{list}");
        }
        assert_eq!(status(&get(visitors, "/")), 200, "{list}");
    }
}

/// From now on the next heartbeat would be an hour away.
fn goes_quiet(dashboard: &Dashboard) {
    let mut hourly = terms("ACTIVE", None, None);
    hourly["nextHeartbeatSeconds"] = json!(3600);
    let (server_id, told) = (dashboard.server_id, Arc::new(AtomicBool::new(false)));
    let tell = Arc::clone(&told);
    dashboard.plays(move |beat| {
        tell.store(true, Ordering::SeqCst);
        Reply::Bytes(signed(1, server_id, beat, 200, &hourly.to_string()))
    });
    wait_for("the last heartbeat", || told.load(Ordering::SeqCst).then_some(()));
}

#[test]
fn a_nudge_brings_a_heartbeat_that_sees_what_was_committed_before_it() {
    let (served, management) = managed(&Backend::saying("hello"), &[]);
    goes_quiet(&served.dashboard);
    let mut grace = terms("GRACE", Some(3600), None);
    grace["nextHeartbeatSeconds"] = json!(3600);
    served.dashboard.answers(grace);
    let answer = management.ask("POST", "/v1/nudge", "");
    assert_eq!((answer.status, answer.json()["outcome"].as_str()), (200, Some("ANSWERED")), "{answer:?}");
    assert_eq!(management.ask("GET", "/v1/status", "").json()["status"]["license"], "GRACE");

    served.dashboard.plays(|_| Reply::Close);
    let answer = management.ask("POST", "/v1/nudge", "").json();
    assert_eq!(answer["outcome"], "SILENT");
    assert!(answer["silence"].is_string(), "{answer}");
    assert_eq!(status(&get(served.port, "/")), 200, "a nudge has no authority of its own");
}

#[test]
fn many_nudges_are_few_heartbeats() {
    let (served, management) = managed(&Backend::saying("hello"), &[]);
    goes_quiet(&served.dashboard);
    let before = served.dashboard.count();
    let nudges: Vec<_> = (0..6)
        .map(|_| {
            let management = management.clone();
            std::thread::spawn(move || management.ask("POST", "/v1/nudge", "").json()["outcome"].clone())
        })
        .collect();
    for nudge in nudges {
        assert_eq!(nudge.join().unwrap(), "ANSWERED");
    }
    let beats = served.dashboard.count() - before;
    assert!((1..6).contains(&beats), "{beats}");
}

#[test]
fn a_nudge_that_ends_service_says_so() {
    let (mut served, management) = managed(&Backend::saying("hello"), &[]);
    goes_quiet(&served.dashboard);
    served.dashboard.answers(terms("EXPIRED", None, None));
    assert_eq!(management.ask("POST", "/v1/nudge", "").json()["outcome"], "STOPPING");
    assert_eq!(served.gateway.wait_exit(), 0);
}

#[test]
fn a_drain_lets_requests_end_says_why_and_exits_with_0() {
    let (half, released) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (at_half, go) = (Arc::clone(&half), Arc::clone(&released));
    let backend = Backend::raw(move |mut stream| {
        crate::support::http::read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst").unwrap();
        at_half.wait();
        go.wait();
        stream.write_all(b"-last").unwrap();
    });
    let (mut served, management) = managed(&backend, &[]);
    let mut visitor = connect(served.port);
    visitor.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    half.wait();
    let answer = management.ask("POST", "/v1/drain", "{\"seconds\":60}");
    assert_eq!((answer.status, answer.json()), (202, json!({ "seconds": 60 })));
    wait_closed(served.port);
    assert!(served.gateway.is_running(), "it drains");
    let again = management.ask("POST", "/v1/drain", "{\"seconds\":1}");
    assert_eq!((again.status, again.json()["code"].as_str()), (409, Some("already_draining")));
    released.wait();
    let mut response = String::new();
    visitor.read_to_string(&mut response).unwrap();
    assert!(response.ends_with("first-last"), "{response}");
    assert_eq!(served.gateway.wait_exit(), 0);
    let why = served.home.state_json("status.json").unwrap()["stopped"].clone();
    assert_eq!(why, "drained at the dashboard's request");
}

#[test]
fn a_drains_time_is_bounded_as_asked() {
    let backend = Backend::raw(|mut stream| {
        crate::support::http::read_head(&mut stream);
        std::thread::sleep(crate::support::PATIENCE * 2);
    });
    let (mut served, management) = managed(&backend, &["--drain-seconds", "80000"]);
    let mut stuck = connect(served.port);
    stuck.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    wait_for("the request at the backend", || (backend.connections() == 1).then_some(()));
    assert_eq!(management.ask("POST", "/v1/drain", "{\"seconds\":1}").status, 202);
    assert_eq!(served.gateway.wait_exit(), 0);
    served.gateway.wait_log("the drain's time is over");
}

#[test]
fn a_taken_port_never_stops_serving_and_is_tried_again() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let metrics = free_port();
    let flags = ["--management-listen", &format!("127.0.0.1:{port}"), "--metrics-listen"];
    let served =
        serve_with(&Backend::saying("hello").url(), &[flags.as_slice(), &[&format!("127.0.0.1:{metrics}")]].concat());
    assert_eq!(status(&get(served.port, "/")), 200);
    served.gateway.wait_log("the management API cannot listen");
    wait_for("the reason in the status", || {
        let problem = served.home.state_json("status.json")?["management"]["problem"].clone();
        problem.as_str()?.contains("in use").then_some(())
    });
    let text = get(metrics, "/metrics");
    assert!(text.contains("proxima_gateway_management_listening 0"), "{text}");
    assert!(!text.contains("proxima_gateway_management_open_failures_total 0"), "{text}");
    drop(taken);
    served.gateway.wait_log("management API listens");
    assert_eq!(management(port).ask("GET", "/v1/status", "").status, 200);
    assert_eq!(served.home.run(&["status"]).status.code(), Some(0), "it was serving all along");
}

#[test]
fn off_is_off_and_a_damaged_certificate_is_not_replaced() {
    let served = serve_with(&Backend::saying("hello").url(), &["--management-listen", "off"]);
    assert!(!served.home.state("management.pem").exists());
    assert_eq!(served.home.state_json("status.json").unwrap()["management"], Value::Null);

    let dashboard = Dashboard::start();
    let (visitors, port) = (free_port(), free_port());
    dashboard.grants(desired(1, &[(visitors, Backend::saying("hello").url())]));
    let home = Home::of(&dashboard);
    std::fs::create_dir(home.path.join("state")).unwrap();
    std::fs::write(home.state("management.pem"), "damaged").unwrap();
    let gateway = home.start_with(&["--management-listen", &format!("127.0.0.1:{port}")]);
    wait_open(visitors);
    gateway.wait_log("management-fingerprint --renew");
    assert!(!is_open(port));
    let renewed = fingerprint(&home, &["--renew"]);
    wait_open(port);
    assert!(tls_from(PEER, port, Some(renewed)).is_ok());
}

#[test]
fn slow_clients_hold_up_neither_visitors_nor_the_dashboard() {
    let (served, management) = managed(&Backend::saying("hello"), &[]);
    // From many addresses, more than there are turns for handshakes: none of them says a word.
    let silent: Vec<_> = (10..60).map(|n| tcp_from([127, 0, 1, n], management.port).unwrap()).collect();
    // From one address, more than it may have: heads that never end.
    let slow: Vec<_> = (0..10)
        .filter_map(|_| {
            let mut stream = tls_from([127, 0, 2, 1], management.port, None).ok()?;
            stream.write_all(HALF_HEAD).ok()?;
            Some(stream)
        })
        .collect();
    assert_eq!(status(&get(served.port, "/")), 200, "a visitor");
    wait_for("the dashboard's turn", || {
        management.ask_from(PEER, "GET", "/healthz", "", "").ok().filter(|answer| answer.status == 204)
    });
    let mut first = slow.into_iter().next();
    if let Some(stream) = &mut first {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(!String::from_utf8_lossy(&rest).starts_with("HTTP/1.1 2"), "it was ended, not answered");
    }
    drop(silent);
}

#[test]
fn a_request_that_is_too_large_or_no_tls_at_all_is_ended() {
    let (served, management) = managed(&Backend::saying("hello"), &[]);
    let head = format!("GET /healthz HTTP/1.1\r\nHost: a\r\nX-Large: {}\r\n\r\n", "x".repeat(20_000));
    let answer = exchange(tls_from(PEER, management.port, None).unwrap(), &head);
    assert!(answer.map_or(true, |answer| answer.status == 431));
    let many: String = (0..100).map(|n| format!("X-{n}: y\r\n")).collect();
    let answer = management.ask_with("GET", "/healthz", "", &many);
    assert_eq!(answer.status, 431, "{answer:?}");
    let mut plain = tcp_from(PEER, management.port).unwrap();
    plain.write_all(b"GET /v1/status HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut rest = Vec::new();
    let _ = plain.read_to_end(&mut rest);
    assert!(!rest.starts_with(b"HTTP"), "nothing in clear");
    assert_eq!(management.ask("GET", "/v1/status", "").status, 200);
    assert_eq!(status(&get(served.port, "/")), 200);
}

#[test]
fn by_default_visitors_may_not_have_its_port_and_both_families_reach_it() {
    let port = free_port();
    let served = serve_with(&Backend::saying("x").url(), &["--management-listen", &format!("[::]:{port}")]);
    wait_open(port);
    assert_eq!(management(port).ask("GET", "/v1/status", "").status, 200);
    assert!(served.gateway.log().contains("management API listens"));
}
