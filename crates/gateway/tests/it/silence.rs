//! Silence: continues service, never starts it; and what a restart makes of the stored answer.

use crate::support::backend::Backend;
use crate::support::dashboard::{Beat, Dashboard, Reply, key, signed, terms, unsigned};
use crate::support::gateway::{Home, Served, serve};
use crate::support::http::{get, status};
use crate::support::{free_port, is_open, wait_for, wait_open};
use proxima_types::ServerId;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const RETIRED: &str = r#"{"code":"license_key_retired","detail":"x"}"#;

/// Makes a dashboard play a scene.
type Play = Box<dyn Fn(&Dashboard)>;

/// Everything that is no verdict, one after another.
fn scenes(dashboard: &Dashboard) -> Vec<(&'static str, Play)> {
    let server_id = dashboard.server_id;
    let expired = terms("EXPIRED", None, None).to_string();
    let old = Arc::new(Mutex::new(None::<Vec<u8>>));
    let play = |script: Arc<dyn Fn(&Beat) -> Reply + Send + Sync>| {
        Box::new(move |dashboard: &Dashboard| {
            let script = Arc::clone(&script);
            dashboard.plays(move |beat| script(beat));
        }) as Box<dyn Fn(&Dashboard)>
    };
    let bytes = |bytes: Vec<u8>| Box::new(move |dashboard: &Dashboard| dashboard.bytes(bytes.clone()));
    let html = "<html>sign in</html>";
    let with = |seed: u8, id: ServerId, status: u16, body: String| {
        play(Arc::new(move |beat| Reply::Bytes(signed(seed, id, beat, status, &body))))
    };
    let changed = {
        let expired = expired.clone();
        play(Arc::new(move |beat| {
            let body = terms("ACTIVE", None, None).to_string();
            let answer = String::from_utf8(signed(1, server_id, beat, 200, &body)).unwrap();
            let head = answer.split_once("\r\n\r\n").unwrap().0;
            let head =
                head.replace(&format!("Content-Length: {}", body.len()), &format!("Content-Length: {}", expired.len()));
            Reply::Bytes(format!("{head}\r\n\r\n{expired}").into_bytes())
        }))
    };
    let replayed = {
        let expired = expired.clone();
        play(Arc::new(move |beat| {
            let mut old = old.lock().unwrap();
            // Signed for another nonce: as if recorded earlier.
            let earlier = Beat { nonce: "b2xkLW9sZC1vbGQtb2xkLW9sZA".to_owned(), ..beat.clone() };
            Reply::Bytes(old.get_or_insert_with(|| signed(1, server_id, &earlier, 200, &expired)).clone())
        }))
    };
    let restatused = play(Arc::new(move |beat| {
        let answer = String::from_utf8(signed(1, server_id, beat, 403, RETIRED)).unwrap();
        Reply::Bytes(answer.replacen("403", "401", 1).into_bytes())
    }));
    vec![
        ("closed connections", play(Arc::new(|_| Reply::Close))),
        ("an unsigned 401 with the right code", bytes(unsigned(401, "", RETIRED))),
        ("an unsigned EXPIRED", bytes(unsigned(200, "", &expired))),
        ("a captive portal's page", bytes(unsigned(200, "Content-Type: text/html\r\n", html))),
        ("a captive portal's redirect", bytes(unsigned(302, "Location: http://127.0.0.1:1/\r\n", html))),
        ("a captive portal's 401", bytes(unsigned(401, "WWW-Authenticate: Basic\r\n", html))),
        ("a 500", bytes(unsigned(500, "", ""))),
        ("a 503 that asks for patience", bytes(unsigned(503, "Retry-After: 1\r\n", ""))),
        ("garbage", bytes(b"\x16\x03\x01garbage".to_vec())),
        ("a signed 503", with(1, server_id, 503, "{}".to_owned())),
        ("a signed unknown key", with(1, server_id, 401, json!({ "code": "license_key_unknown" }).to_string())),
        ("EXPIRED under another key", with(2, server_id, 200, expired.clone())),
        ("EXPIRED for another server", with(1, ServerId(uuid::Uuid::nil()), 200, expired.clone())),
        ("an unreadable signed 200", with(1, server_id, 200, r#"{"status":"PAUSED"}"#.to_owned())),
        ("a changed body", changed),
        ("a replayed EXPIRED", replayed),
        ("a changed status", restatused),
        ("an oversized answer", bytes(unsigned(200, "", &"x".repeat(4 * 1024 * 1024 + 1)))),
    ]
}

/// Plays every second scene, so that two tests share the time.
fn plays_through(which: usize) {
    let mut served = serve(&Backend::saying("hello"));
    for (name, play) in scenes(&served.dashboard).into_iter().skip(which).step_by(2) {
        play(&served.dashboard);
        // The first may have been answered by the scene before.
        served.dashboard.wait_beats(2);
        assert_eq!(status(&get(served.port, "/")), 200, "{name}");
        assert!(served.gateway.is_running(), "{name}");
    }
    let silence = served.home.state_json("status.json").unwrap()["silence"].clone();
    assert!(silence.is_string(), "{silence}");
    served.dashboard.answers(terms("ACTIVE", None, None));
    served.gateway.wait_log("the dashboard answers again");
}

#[test]
fn no_silence_stops_a_gateway() {
    plays_through(0);
}

#[test]
fn no_other_silence_stops_a_gateway_either() {
    plays_through(1);
}

#[test]
fn no_silence_starts_a_gateway() {
    let dashboard = Dashboard::start();
    let mut home = Home::of(&dashboard);
    let port = free_port();
    home.set("config", json!({ "listeners": [{ "port": port, "backendUrl": "http://127.0.0.1:1" }] }));
    let active = terms("ACTIVE", None, None).to_string();
    // An ACTIVE that anybody could have made, then one that another dashboard signed.
    dashboard.bytes(unsigned(200, "", &active));
    let mut gateway = home.start();
    gateway.wait_log("ports stay closed until");
    let server_id = dashboard.server_id;
    dashboard.plays(move |beat| Reply::Bytes(signed(2, server_id, beat, 200, &active)));
    dashboard.wait_beats(1);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(!is_open(port) && gateway.is_running());
    dashboard.answers(terms("ACTIVE", None, None));
    wait_open(port);
}

#[test]
fn refused_connections_and_hanging_answers_are_silence_too() {
    let mut served = serve(&Backend::saying("hello"));
    served.dashboard.plays(|_| Reply::Hang);
    served.dashboard.wait_beats(1);
    assert_eq!(status(&get(served.port, "/")), 200);
    served.home.set("dashboardUrl", json!(format!("http://127.0.0.1:{}", free_port())));
    served.gateway.terminate();
    assert_eq!(served.gateway.wait_exit(), 0);
    let gateway = served.home.start();
    wait_open(served.port);
    gateway.wait_log("service continues");
    assert_eq!(status(&get(served.port, "/")), 200);
    drop(gateway);

    // A plain-text port is a TLS error to whoever speaks TLS to it.
    served.home.set("dashboardUrl", json!(format!("https://localhost:{}", Backend::saying("no TLS").port)));
    let before = served.gateway.log().matches("service continues").count();
    let gateway = served.home.start();
    wait_open(served.port);
    wait_for("the silence", || (gateway.log().matches("service continues").count() > before).then_some(()));
    assert_eq!(status(&get(served.port, "/")), 200);
}

/// A gateway that served on `answer` and was stopped, its dashboard now silent.
fn stopped_after(answer: Option<Value>) -> Served {
    let mut served = serve(&Backend::saying("hello"));
    if let Some(answer) = answer {
        let license = answer["status"].clone();
        served.dashboard.answers(answer);
        wait_for("the license", || (served.home.state_json("status.json")?["license"] == license).then_some(()));
    }
    served.gateway.terminate();
    assert_eq!(served.gateway.wait_exit(), 0);
    served.dashboard.plays(|_| Reply::Close);
    served
}

fn assert_stays_closed(served: &Served, why: &str) {
    let before = served.gateway.log().matches("ports stay closed until").count();
    let mut gateway = served.home.start();
    wait_for("the look at the stored answer", || {
        (gateway.log().matches("ports stay closed until").count() > before).then_some(())
    });
    assert!(gateway.log().contains(why), "{}", gateway.log());
    assert!(!is_open(served.port) && gateway.is_running());
}

#[test]
fn a_restart_without_the_dashboard_serves_from_the_stored_answer() {
    for answer in [None, Some(terms("GRACE", Some(60), None))] {
        let served = stopped_after(answer);
        let _restarted = served.home.start();
        wait_open(served.port);
    }
}

#[test]
fn a_stored_answer_for_others_or_tampered_with_opens_nothing() {
    let mut served = stopped_after(None);
    let (identity, verdict) = (served.home.identity.clone(), served.home.state_json("verdict.json").unwrap());
    served.home.set("apiKey", json!(key(9)));
    assert_stays_closed(&served, "another license key");
    served.home.set("apiKey", identity["apiKey"].clone());

    served.home.set("installId", json!(uuid::Uuid::from_u128(5)));
    assert_stays_closed(&served, "another installation");
    served.home.set("installId", identity["installId"].clone());

    served.home.set("dashboardPublicKeys", json!([crate::support::dashboard::signer(2).public_key().to_string()]));
    assert_stays_closed(&served, "does not verify");
    served.home.set("dashboardPublicKeys", identity["dashboardPublicKeys"].clone());

    served.home.change_state("verdict.json", |stored| stored["body"] = json!("e30="));
    assert_stays_closed(&served, "body is not the signed one");

    std::fs::write(served.home.state("verdict.json"), "{").unwrap();
    assert_stays_closed(&served, "damaged state file ignored");

    std::fs::write(served.home.state("verdict.json"), verdict.to_string()).unwrap();
    let _restarted = served.home.start();
    wait_open(served.port);
}

#[test]
fn grace_and_then_silence_stops_a_day_after_its_end() {
    // Its end was 24 h − 3 s before the server's time: three seconds of silence are left.
    let mut served = serve(&Backend::saying("hello"));
    served.dashboard.answers(terms("GRACE", Some(3 - 24 * 3600), None));
    wait_for("GRACE in the status", || (served.home.state_json("status.json")?["license"] == "GRACE").then_some(()));
    served.dashboard.plays(|_| Reply::Close);
    assert_eq!(served.gateway.wait_exit(), 0);
    assert!(served.gateway.log().contains("silent for longer than"));
    assert_stays_closed(&served, "silent for longer than");
}
