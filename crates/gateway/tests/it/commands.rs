//! `check`, `status`, metrics, logs.

use crate::support::backend::Backend;
use crate::support::dashboard::{Dashboard, key};
use crate::support::gateway::{Home, serve, serve_with};
use crate::support::http::{exchange, get};
use crate::support::{free_port, wait_for, wait_open};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned()
}

#[test]
fn check_says_ok_without_secrets() {
    let home = Home::of(&Dashboard::start());
    let output = home.run(&["check"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.starts_with("OK") && text.contains("0192f0c1-1111-7333-8444-555566667777"), "{text}");
    assert!(!text.contains(key(1).expose()) && !text.contains("sk_"), "{text}");
}

#[test]
fn check_names_every_problem_at_once() {
    let mut home = Home::of(&Dashboard::start());
    home.identity["surprise"] = json!(1);
    home.identity["apiKey"] = json!("pk_hunter2");
    home.set("dashboardUrl", json!("http://panel.example.com"));
    std::fs::set_permissions(home.config(), std::fs::Permissions::from_mode(0o640)).unwrap();
    for command in ["check", "run"] {
        let output = home.run(&[command]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        for part in ["surprise", "apiKey", "dashboardUrl", "chmod 600", "0640"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
    }
    std::fs::remove_file(home.config()).unwrap();
    let output = home.run(&["check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("cannot read"), "{}", said(&output));
}

#[test]
fn status_tells_serving_closed_and_not_running() {
    let dashboard = Dashboard::start();
    let home = Home::of(&dashboard);
    assert_eq!(home.run(&["status"]).status.code(), Some(3), "never started");
    let mut gateway = home.start();
    gateway.wait_log("ports stay closed until");
    let output = home.run(&["status"]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));

    let (backend, port) = (Backend::saying("x"), free_port());
    dashboard.grants(crate::support::dashboard::desired(1, &[(port, backend.url())]));
    wait_open(port);
    wait_for("exit code 0", || (home.run(&["status"]).status.code() == Some(0)).then_some(()));
    let text = said(&home.run(&["status"]));
    assert!(text.contains("serving") && text.contains(&port.to_string()) && text.contains("ACTIVE"), "{text}");
    let json: Value = serde_json::from_slice(&home.run(&["status", "--json"]).stdout).unwrap();
    assert_eq!(json["running"], true);
    assert_eq!(json["status"]["process"]["pid"], gateway.pid());

    gateway.signal(rustix::process::Signal::KILL);
    gateway.wait_exit();
    let output = home.run(&["status"]);
    assert_eq!(output.status.code(), Some(3), "killed: {}", said(&output));
}

#[test]
fn status_tells_why_a_gateway_stopped() {
    let mut served = serve(&Backend::saying("x"));
    served.gateway.terminate();
    served.gateway.wait_exit();
    let output = served.home.run(&["status"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains("stopped by a signal"), "{}", said(&output));
}

#[test]
fn metrics_are_served_where_asked() {
    let metrics = free_port();
    let served = serve_with(&Backend::saying("hello").url(), &["--metrics-listen", &format!("127.0.0.1:{metrics}")]);
    get(served.port, "/");
    let text = get(metrics, "/metrics");
    for line in
        ["proxima_gateway_requests_total 1", "proxima_gateway_body_bytes_out_total 5", "proxima_gateway_serving 1"]
    {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(get(metrics, "/").starts_with("HTTP/1.1 404"));
}

#[test]
fn the_access_log_has_the_path_without_its_query_and_can_be_off() {
    let served = serve(&Backend::saying("hello"));
    get(served.port, "/page?token=hunter2");
    served.gateway.wait_log("path=\"/page\"");
    let log = served.gateway.log();
    let line = log.lines().find(|line| line.contains("/page")).unwrap();
    for part in
        ["access", "client=127.0.0.1", "method=GET", "host=\"shop.test\"", "status=200", "bytes_out=5", "complete"]
    {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert!(!log.contains("hunter2"), "{log}");

    let quiet = serve_with(&Backend::saying("hello").url(), &["--access-log", "off"]);
    get(quiet.port, "/page");
    exchange(quiet.port, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(!quiet.gateway.log().contains("/page"));
}

#[test]
fn no_secret_is_ever_logged() {
    let served = serve_with(&Backend::saying("hello").url(), &["--log", "trace"]);
    served.dashboard.wait_beats(2);
    let log = served.gateway.log();
    assert!(!log.contains(key(1).expose()) && !log.contains("sk_A"), "a secret is in the log");
}
