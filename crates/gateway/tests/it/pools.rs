//! Several backends, routes among them, and backends that speak TLS.

use crate::support::backend::Backend;
use crate::support::gateway::{Served, serve_config};
use crate::support::http::{exchange, field, get, ok, read_head, read_response, status};
use crate::support::tls::{certificate, serve_tls};
use crate::support::{connect, free_port, wait_for};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

fn desired(number: u64, config: Value) -> Value {
    json!({ "generation": { "incarnation": 1, "number": number }, "config": config })
}

fn pool(name: &str, backends: &[(&str, u16)], more: &Value) -> Value {
    let backends: Vec<Value> = backends.iter().map(|(url, weight)| json!({ "url": url, "weight": weight })).collect();
    let mut pool = json!({ "name": name, "backends": backends });
    for (key, value) in more.as_object().into_iter().flatten() {
        pool[key] = value.clone();
    }
    pool
}

fn serve_pool(backends: &[(&str, u16)], more: &Value) -> Served {
    let pools = [pool("web", backends, more)];
    serve_config(
        |port| desired(1, json!({ "listeners": [{ "port": port, "pool": "web" }], "pools": pools })),
        &["--threads", "1"],
    )
}

/// How often each answer came.
fn answers(port: u16, count: usize) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for _ in 0..count {
        let answer = get(port, "/");
        *found.entry(answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned()).or_default() += 1;
    }
    found
}

#[test]
fn requests_are_shared_by_weight() {
    let (one, two) = (Backend::saying("one"), Backend::saying("two"));
    let served = serve_pool(&[(&one.url(), 3), (&two.url(), 1)], &Value::Null);
    assert_eq!(answers(served.port, 40), BTreeMap::from([("one".to_owned(), 30), ("two".to_owned(), 10)]));
}

#[test]
fn the_least_busy_gets_the_next_one() {
    let slow = Backend::new(|_, _| {
        std::thread::sleep(std::time::Duration::from_secs(3));
        ok("slow")
    });
    let quick = Backend::saying("quick");
    let served = serve_pool(&[(&slow.url(), 1), (&quick.url(), 1)], &json!({ "balance": "LEAST_CONNECTIONS" }));
    let mut waiting = connect(served.port);
    waiting.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut other = connect(served.port);
    other.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    wait_for("both", || (slow.connections() + quick.connections() == 2).then_some(()));
    assert_eq!(answers(served.port, 20), BTreeMap::from([("quick".to_owned(), 20)]));
    assert_eq!(read_response(&mut waiting).1.len() + read_response(&mut other).1.len(), 9, "one of each");
}

#[test]
fn a_backend_that_cannot_be_reached_is_nobodys_error() {
    let well = Backend::saying("well");
    let dead = free_port();
    let served = serve_pool(&[(&format!("http://127.0.0.1:{dead}"), 1), (&well.url(), 1)], &Value::Null);
    for _ in 0..20 {
        // Also for a POST: nothing of it was sent.
        let answer =
            exchange(served.port, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
        assert!(answer.ends_with("well"), "{answer}");
    }
    served.gateway.wait_log("it gets no requests for a while");
}

#[test]
fn a_backend_that_breaks_off_is_replaced_for_what_may_be_repeated() {
    let broken = Backend::raw(|mut stream| drop(read_head(&mut stream)));
    let well = Backend::saying("well");
    let served = serve_pool(&[(&broken.url(), 1), (&well.url(), 1)], &Value::Null);
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
    let statuses: Vec<u16> = (0..2).map(|_| status(&exchange(served.port, post))).collect();
    assert!(statuses.contains(&502) && statuses.contains(&200), "a POST is not sent twice: {statuses:?}");
    for _ in 0..6 {
        assert!(get(served.port, "/").ends_with("well"));
    }
    assert!(broken.connections() <= 4, "three failures in a row eject it, whoever they met");
}

#[test]
fn a_resting_connection_of_a_backend_that_has_gone_leads_to_another_one() {
    // Answers once on each connection, and is gone when the second request comes on it.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (gone, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        drop(listener);
        read_head(&mut stream).unwrap();
        stream.write_all(ok("once").as_bytes()).unwrap();
        read_head(&mut stream);
        gone.send(()).unwrap();
    });
    let well = Backend::saying("well");
    let served = serve_pool(&[(&url, 1), (&well.url(), 1)], &Value::Null);
    let answers: Vec<String> = (0..6).map(|_| get(served.port, "/")).collect();
    assert!(answers.iter().all(|answer| status(answer) == 200), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.ends_with("once")).count(), 1);
    told.recv_timeout(crate::support::PATIENCE).expect("the resting connection was used again");
}

#[test]
fn when_nobody_is_well_somebody_is_tried() {
    let (one, two) = (free_port(), free_port());
    let urls = [one, two].map(|port| format!("http://127.0.0.1:{port}"));
    let served = serve_pool(&[(&urls[0], 1), (&urls[1], 1)], &Value::Null);
    for _ in 0..8 {
        assert_eq!(status(&get(served.port, "/")), 502);
    }
    let listener = std::net::TcpListener::bind(("127.0.0.1", two)).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            read_head(&mut stream);
            let _ = stream.write_all(ok("back").as_bytes());
        }
    });
    assert!(get(served.port, "/").ends_with("back"), "although it was ejected a moment ago");
}

#[test]
fn checks_take_a_backend_out_and_bring_it_back() {
    let (ill, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (is_ill, counted) = (Arc::clone(&ill), Arc::clone(&asked));
    let moody = Backend::new(move |head, _| {
        if !head.starts_with("GET /health?deep=1 ") {
            return ok("moody");
        }
        counted.fetch_add(1, Ordering::SeqCst);
        if is_ill.load(Ordering::SeqCst) { "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n".to_owned() } else { ok("") }
    });
    let well = Backend::saying("well");
    let check = json!({ "healthCheck": { "path": "/health?deep=1", "intervalSeconds": 1, "unhealthyAfter": 2, "healthyAfter": 2 } });
    let served = serve_pool(&[(&moody.url(), 1), (&well.url(), 1)], &check);
    assert_eq!(answers(served.port, 10).len(), 2);
    ill.store(true, Ordering::SeqCst);
    served.gateway.wait_log("the backend is ill");
    assert_eq!(answers(served.port, 10), BTreeMap::from([("well".to_owned(), 10)]));
    ill.store(false, Ordering::SeqCst);
    served.gateway.wait_log("the backend is well again");
    assert_eq!(answers(served.port, 10).len(), 2);

    // Without checks it is judged by requests again, also when its last check was bad; and it is asked no more.
    ill.store(true, Ordering::SeqCst);
    wait_for("it to be ill again", || (answers(served.port, 4).len() == 1).then_some(()));
    let pools = [pool("web", &[(&moody.url(), 1), (&well.url(), 1)], &Value::Null)];
    served
        .dashboard
        .grants(desired(2, json!({ "listeners": [{ "port": served.port, "pool": "web" }], "pools": pools })));
    wait_for("both", || (answers(served.port, 4).len() == 2).then_some(()));
    let before = asked.load(Ordering::SeqCst);
    std::thread::sleep(std::time::Duration::from_millis(1500));
    assert_eq!(asked.load(Ordering::SeqCst), before);
}

#[test]
fn routes_by_host_and_path_and_to_https() {
    let (site, api, blog) = (Backend::saying("site"), Backend::saying("api"), Backend::saying("blog"));
    let redirecting = free_port();
    let served = serve_config(
        |port| {
            desired(
                1,
                json!({
                    "listeners": [
                        { "port": port, "backendUrl": site.url(), "routes": [
                            { "path": "/api", "backendUrl": api.url() },
                            { "host": "*.blog.test", "pool": "blog" },
                        ] },
                        { "port": redirecting, "redirectToHttps": 443, "routes": [{ "path": "/plain", "backendUrl": site.url() }] },
                    ],
                    "pools": [pool("blog", &[(&blog.url(), 1)], &Value::Null)],
                }),
            )
        },
        &[],
    );
    let goes = |port: u16, host: &str, path: &str| {
        let answer = exchange(port, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        (status(&answer), answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned(), answer)
    };
    for (host, path, expected) in [
        ("a", "/", "site"),
        ("a", "/api/x", "api"),
        ("a", "/apis", "site"),
        ("www.blog.test:80", "/", "blog"),
        ("www.blog.test", "/api", "api"),
        ("a", "http://www.blog.test/", "blog"),
    ] {
        assert_eq!(goes(served.port, host, path).1, expected, "{host} {path}");
    }
    crate::support::wait_open(redirecting);
    assert_eq!(goes(redirecting, "a", "/plain").1, "site");
    let (code, _, answer) = goes(redirecting, "shop.test:8080", "/a?b=c");
    assert_eq!((code, field(&answer, "location")), (308, Some("https://shop.test/a?b=c")));
    let mut kept = connect(redirecting);
    for _ in 0..2 {
        kept.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert_eq!(status(&read_response(&mut kept).0), 308, "on a connection that stays");
    }
    assert_eq!(status(&exchange(redirecting, "GET / HTTP/1.0\r\n\r\n")), 400, "nobody knows where to");
}

#[test]
fn backends_by_tls_are_checked_unless_it_is_said_that_they_are_not() {
    let made = certificate(&["inner.test", "127.0.0.1"]);
    let (port, seen) = serve_tls(&made, "secret");
    let url = format!("https://127.0.0.1:{port}");
    let served = serve_pool(&[(&url, 1)], &json!({ "tls": { "ca": made.chain } }));
    for _ in 0..3 {
        assert!(get(served.port, "/").ends_with("secret"));
    }
    assert_eq!(seen.load(Ordering::SeqCst), 1, "the connection is used again, also with the session's tickets on it");
    let try_with = |number: u64, tls: Value| {
        let pools = [pool("web", &[(&url, 1)], &json!({ "tls": tls }))];
        served
            .dashboard
            .grants(desired(number, json!({ "listeners": [{ "port": served.port, "pool": "web" }], "pools": pools })));
        served
            .dashboard
            .wait_beat("it", |beat| beat.request.applied_config.is_some_and(|applied| applied.number == number));
        status(&get(served.port, "/"))
    };
    assert_eq!(try_with(2, json!({})), 502, "the host's own authorities do not know it");
    assert!(
        served.gateway.log().contains("UnknownIssuer") || served.gateway.log().contains("invalid peer certificate")
    );
    assert_eq!(try_with(3, json!({ "insecureSkipVerify": true })), 200);
    assert_eq!(try_with(4, json!({ "ca": made.chain, "serverName": "inner.test" })), 200);
    assert_eq!(try_with(5, json!({ "ca": made.chain, "serverName": "other.test" })), 502);
}

#[test]
fn an_https_backend_that_cannot_be_trusted_rejects_the_configuration() {
    let backend = Backend::saying("hello");
    let served =
        serve_config(|port| desired(1, json!({ "listeners": [{ "port": port, "backendUrl": backend.url() }] })), &[]);
    let ca = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let pools = [pool("web", &[("https://10.0.0.1", 1)], &json!({ "tls": { "ca": ca } }))];
    served
        .dashboard
        .grants(desired(2, json!({ "listeners": [{ "port": served.port, "pool": "web" }], "pools": pools })));
    let beat = served.dashboard.wait_beat("the rejection", |beat| beat.request.rejected_config.is_some());
    let reason = beat.request.rejected_config.unwrap().reason;
    assert!(reason.contains("https://10.0.0.1") && reason.contains("authority"), "{reason}");
    assert!(get(served.port, "/").ends_with("hello"));
    let mut rest = String::new();
    let _ = connect(served.port).read_to_string(&mut rest);
}
