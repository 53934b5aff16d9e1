//! Rotate without downtime (product.md section 3): a new license key is handed over in an answer.

use crate::support::backend::Backend;
use crate::support::dashboard::{Beat, Dashboard, Reply, desired, key, signed, terms, unsigned};
use crate::support::gateway::{Home, Served, serve};
use crate::support::http::{get, status};
use crate::support::{free_port, is_open, wait_for, wait_open};
use proxima_types::heartbeat::Phase;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a dashboard makes of one key.
#[derive(Clone, Copy)]
enum Says {
    Active,
    /// ACTIVE, and the key of this seed.
    Hands(u8),
    Expired,
    /// EXPIRED, and the key of this seed.
    ExpiredHands(u8),
    Retired,
    Unknown,
    Close,
    Unsigned401,
    Busy,
}

fn reply(dashboard: proxima_types::ServerId, beat: &Beat, says: Says) -> Reply {
    let sign = |status: u16, body: &Value| Reply::Bytes(signed(1, dashboard, beat, status, &body.to_string()));
    let with = |status: &str, next: Option<u8>| {
        let mut body = terms(status, None, None);
        if let Some(next) = next {
            body["nextApiKey"] = json!(key(next));
        }
        body
    };
    match says {
        Says::Active => sign(200, &with("ACTIVE", None)),
        Says::Hands(next) => sign(200, &with("ACTIVE", Some(next))),
        Says::Close => Reply::Close,
        Says::Expired => sign(200, &with("EXPIRED", None)),
        Says::ExpiredHands(next) => sign(200, &with("EXPIRED", Some(next))),
        Says::Retired => sign(401, &json!({ "code": "license_key_retired", "detail": "regenerated" })),
        Says::Unknown => sign(401, &json!({ "code": "license_key_unknown" })),
        Says::Unsigned401 => Reply::Bytes(unsigned(401, "", r#"{"code":"license_key_retired"}"#)),
        Says::Busy => sign(503, &json!({ "code": "unavailable" })),
    }
}

/// What the dashboard says to each key from now on; to any other key: unknown.
fn says(dashboard: &Dashboard, table: &[(u8, Says)]) {
    let (server_id, table) = (dashboard.server_id, table.to_vec());
    dashboard.plays(move |beat| {
        let found = table.iter().find(|(seed, _)| beat.key == key(*seed).expose());
        reply(server_id, beat, found.map_or(Says::Unknown, |(_, says)| *says))
    });
}

fn wait_key(dashboard: &Dashboard, seed: u8) {
    let after = dashboard.count();
    wait_for(&format!("a heartbeat with key {seed}"), || {
        dashboard.beats().into_iter().skip(after).find(|beat| beat.key == key(seed).expose())
    });
}

/// The seeds of the keys of the heartbeats after so many.
fn seeds(dashboard: &Dashboard, after: usize) -> Vec<u8> {
    let seed = |beat: Beat| (0..=9).find(|seed| beat.key == key(*seed).expose()).unwrap();
    dashboard.beats().into_iter().skip(after).map(seed).collect()
}

fn hello() -> Backend {
    Backend::saying("hello")
}

fn visits(served: &Served) -> u16 {
    status(&get(served.port, "/"))
}

/// A gateway with key 1 that was handed key 2 and uses it.
fn rotated() -> Served {
    let served = serve(&hello());
    says(&served.dashboard, &[(1, Says::Hands(2)), (2, Says::Active)]);
    wait_key(&served.dashboard, 2);
    served
}

fn kill(served: &mut Served) {
    served.gateway.signal(rustix::process::Signal::KILL);
    served.gateway.wait_exit();
}

#[test]
fn a_handed_over_key_is_stored_used_and_kept_and_the_old_ones_end_changes_nothing() {
    let mut served = rotated();
    let mode = std::fs::metadata(served.home.state("handover.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    wait_for("the status", || {
        let told = served.home.state_json("status.json")?["licenseKey"].clone();
        (told["handedOver"] == true && told["answered"] == true).then_some(())
    });
    says(&served.dashboard, &[(1, Says::Retired), (2, Says::Active)]);
    let before = served.dashboard.count();
    served.dashboard.wait_beats(2);
    assert!(seeds(&served.dashboard, before).iter().all(|seed| *seed == 2), "the old key is not used any more");
    assert_eq!(visits(&served), 200);

    kill(&mut served);
    let before = served.dashboard.count();
    let _again = served.home.start();
    wait_open(served.port);
    assert_eq!(seeds(&served.dashboard, before)[0], 2, "from the first heartbeat on");
    assert_eq!(served.home.identity["apiKey"], json!(key(1)), "config.json is as it was");
    for seed in [1, 2] {
        assert!(!served.gateway.log().contains(key(seed).expose()), "a key is in the log");
    }
}

#[test]
fn a_second_rotation_follows_the_first() {
    let mut served = rotated();
    says(&served.dashboard, &[(1, Says::Retired), (2, Says::Hands(3)), (3, Says::Active)]);
    wait_key(&served.dashboard, 3);
    says(&served.dashboard, &[(1, Says::Retired), (2, Says::Retired), (3, Says::Active)]);
    kill(&mut served);
    let before = served.dashboard.count();
    let _again = served.home.start();
    wait_open(served.port);
    assert_eq!(seeds(&served.dashboard, before)[0], 3);
}

#[test]
fn killed_between_storing_and_using_it_uses_it_after_the_restart() {
    let mut served = serve(&hello());
    // The heartbeat with the new key is never answered, and so never used to any effect.
    says(&served.dashboard, &[(1, Says::Hands(2)), (2, Says::Close)]);
    wait_for("the stored key", || served.home.state("handover.json").exists().then_some(()));
    kill(&mut served);
    says(&served.dashboard, &[(1, Says::Retired), (2, Says::Active)]);
    let before = served.dashboard.count();
    let _again = served.home.start();
    wait_open(served.port);
    assert_eq!(seeds(&served.dashboard, before)[0], 2);
}

#[test]
fn killed_before_storing_it_is_handed_the_key_again() {
    let mut served = serve(&hello());
    kill(&mut served);
    // Killed while it wrote: half a file, under the name that is renamed at last.
    std::fs::write(served.home.state(".handover.json.tmp"), "{\"links\": [{\"non").unwrap();
    says(&served.dashboard, &[(1, Says::Hands(2)), (2, Says::Active)]);
    let before = served.dashboard.count();
    let _again = served.home.start();
    wait_key(&served.dashboard, 2);
    assert_eq!(seeds(&served.dashboard, before)[0], 1);
}

#[test]
fn a_lost_answer_is_handed_over_again() {
    let served = serve(&hello());
    let (server_id, lost) = (served.dashboard.server_id, Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&lost);
    served.dashboard.plays(move |beat| {
        let says = match (beat.key == key(2).expose(), count.fetch_add(1, Ordering::SeqCst)) {
            (true, _) => Says::Active,
            // It was handed over, but the answer never arrives.
            (false, 0..2) => Says::Close,
            (false, _) => Says::Hands(2),
        };
        reply(server_id, beat, says)
    });
    wait_key(&served.dashboard, 2);
    assert!(lost.load(Ordering::SeqCst) > 2);
    assert_eq!(visits(&served), 200);
}

#[test]
fn while_the_new_key_is_not_answered_the_old_one_keeps_the_license_in_the_same_beat() {
    let mut served = serve(&hello());
    for refusal in [Says::Unknown, Says::Close, Says::Unsigned401, Says::Busy, Says::Retired] {
        says(&served.dashboard, &[(1, Says::Hands(2)), (2, refusal)]);
        wait_key(&served.dashboard, 2);
        wait_key(&served.dashboard, 1);
        wait_key(&served.dashboard, 2);
        assert!(served.gateway.is_running());
        assert_eq!(visits(&served), 200);
        let told = served.home.state_json("status.json").unwrap();
        assert_eq!((&told["silence"], &told["license"]), (&Value::Null, &json!("ACTIVE")), "{told}");
    }
    let sequences: Vec<u64> = served.dashboard.beats().iter().map(|beat| beat.request.sequence).collect();
    assert!(sequences.windows(2).all(|pair| pair[0] < pair[1]), "every attempt counts: {sequences:?}");
    says(&served.dashboard, &[(1, Says::Active), (2, Says::Active)]);
    served.gateway.wait_log("the new license key is in use");
    let before = served.dashboard.count();
    served.dashboard.wait_beats(2);
    assert!(seeds(&served.dashboard, before).iter().all(|seed| *seed == 2));
}

#[test]
fn the_old_keys_end_never_stops_a_gateway_that_has_a_newer_one() {
    for silence in [Says::Busy, Says::Close, Says::Unknown] {
        let mut served = serve(&hello());
        says(&served.dashboard, &[(1, Says::Hands(2)), (2, Says::Busy)]);
        wait_key(&served.dashboard, 2);
        says(&served.dashboard, &[(1, Says::Retired), (2, silence)]);
        wait_key(&served.dashboard, 2);
        wait_key(&served.dashboard, 2);
        assert!(served.gateway.is_running());
        assert_eq!(visits(&served), 200);
        says(&served.dashboard, &[(1, Says::Retired), (2, Says::Active)]);
        served.gateway.wait_log("the new license key is in use");
    }
}

#[test]
fn regenerate_during_a_rotation_stops_and_a_reinstall_wins() {
    let mut served = serve(&hello());
    says(&served.dashboard, &[(1, Says::Hands(2)), (2, Says::Busy)]);
    wait_key(&served.dashboard, 2);
    says(&served.dashboard, &[(1, Says::Retired), (2, Says::Retired), (3, Says::Active)]);
    assert_eq!(served.gateway.wait_exit(), 0);
    assert!(served.gateway.log().contains("retired (regenerated)"));
    assert!(!is_open(served.port));
    let mut again = served.home.start();
    assert_eq!(again.wait_exit(), 0, "in its restart loop");

    served.home.set("apiKey", json!(key(3)));
    let before = served.dashboard.count();
    let _reinstalled = served.home.start();
    wait_open(served.port);
    assert!(seeds(&served.dashboard, before).iter().all(|seed| *seed == 3));
}

#[test]
fn the_new_keys_own_verdicts_stop_as_ever() {
    for end in [Says::Retired, Says::Expired] {
        let mut served = rotated();
        served.gateway.wait_log("the new license key is in use");
        says(&served.dashboard, &[(1, Says::Active), (2, end)]);
        assert_eq!(served.gateway.wait_exit(), 0);
    }
}

#[test]
fn a_stored_verdict_of_either_key_starts_a_gateway_in_silence() {
    // Of the old key: it brought the new one, which nobody has answered.
    let mut served = serve(&hello());
    says(&served.dashboard, &[(1, Says::Hands(2)), (2, Says::Close)]);
    wait_for("the stored key", || served.home.state("handover.json").exists().then_some(()));
    served.dashboard.plays(|_| Reply::Close);
    kill(&mut served);
    served.gateway = served.home.start();
    wait_open(served.port);
    assert_eq!(visits(&served), 200);
    let first = served.dashboard.wait_beat("a serving heartbeat", |beat| beat.request.phase == Phase::Serving);
    assert!([key(1).expose(), key(2).expose()].contains(&first.key.as_str()));

    // Of the new key.
    kill(&mut served);
    says(&served.dashboard, &[(1, Says::Retired), (2, Says::Active)]);
    served.gateway = served.home.start();
    served.gateway.wait_log("the new license key is in use");
    served.dashboard.plays(|_| Reply::Close);
    kill(&mut served);
    served.gateway = served.home.start();
    wait_open(served.port);

    // A hand-over that is gone takes the new key's verdict with it.
    kill(&mut served);
    std::fs::remove_file(served.home.state("handover.json")).unwrap();
    served.gateway = served.home.start();
    served.gateway.wait_log("the stored answer does not verify");
    assert!(!is_open(served.port));
}

#[test]
fn a_dashboard_that_has_lost_the_new_key_is_answered_with_the_old_one() {
    let served = rotated();
    served.gateway.wait_log("the new license key is in use");
    // Restored from a backup of before the rotation; it has a new configuration to deliver.
    let (backend, port, server_id) = (hello(), free_port(), served.dashboard.server_id);
    let config = desired(2, &[(port, backend.url())]);
    served.dashboard.plays(move |beat| {
        if beat.key == key(1).expose() {
            let body = terms("ACTIVE", None, Some(config.clone()));
            return Reply::Bytes(signed(1, server_id, beat, 200, &body.to_string()));
        }
        let unknown = json!({ "code": "license_key_unknown" }).to_string();
        Reply::Bytes(signed(1, server_id, beat, 401, &unknown))
    });
    wait_open(port);
    assert_eq!(status(&get(port, "/")), 200);
}

#[test]
fn a_gateway_that_cannot_read_the_hand_over_goes_on_with_its_own_key() {
    let mut served = rotated();
    kill(&mut served);
    std::fs::write(served.home.state("handover.json"), "{\"version\":2,\"sealed\":\"x\"}").unwrap();
    let before = served.dashboard.count();
    let _older = served.home.start();
    wait_key(&served.dashboard, 2);
    assert_eq!(seeds(&served.dashboard, before)[0], 1, "and is handed the key again");
}

#[test]
fn only_an_authentic_answer_hands_over_a_key() {
    let served = serve(&hello());
    let server_id = served.dashboard.server_id;
    let mut body = terms("ACTIVE", None, None);
    body["nextApiKey"] = json!(key(2));
    let text = body.to_string();
    let plain = unsigned(200, "", &text);
    served.dashboard.plays(move |_| Reply::Bytes(plain.clone()));
    served.dashboard.wait_beats(2);
    let other = text.clone();
    served.dashboard.plays(move |beat| Reply::Bytes(signed(2, server_id, beat, 200, &other)));
    served.dashboard.wait_beats(2);
    let earlier = text.clone();
    served.dashboard.plays(move |beat| {
        let asked_with_another = Beat { key: key(7).expose().to_owned(), ..beat.clone() };
        Reply::Bytes(signed(1, server_id, &asked_with_another, 200, &earlier))
    });
    served.dashboard.wait_beats(2);
    body["nextApiKey"] = json!("pk_hunter2");
    served.dashboard.answers(body);
    served.gateway.wait_log("nextApiKey is no license key");
    assert_eq!(visits(&served), 200);
    assert!(!served.home.state("handover.json").exists());
    assert!(seeds(&served.dashboard, 0).iter().all(|seed| *seed == 1));
    assert!(!served.gateway.log().contains("hunter2"));
}

#[test]
fn a_key_handed_over_with_expired_is_kept_for_the_reinstatement() {
    let mut served = serve(&hello());
    says(&served.dashboard, &[(1, Says::ExpiredHands(2)), (2, Says::Expired)]);
    assert_eq!(served.gateway.wait_exit(), 0);
    says(&served.dashboard, &[(1, Says::Retired), (2, Says::Active)]);
    let before = served.dashboard.count();
    let _reinstated = served.home.start();
    wait_open(served.port);
    assert_eq!(seeds(&served.dashboard, before)[0], 2);
}

#[test]
fn a_folder_that_cannot_be_written_keeps_the_old_key() {
    let home = {
        let dashboard = Dashboard::start();
        let home = Home::of(&dashboard);
        std::fs::create_dir_all(home.state("handover.json").join("in the way")).unwrap();
        (dashboard, home)
    };
    let (dashboard, home) = home;
    says(&dashboard, &[(1, Says::Hands(2)), (2, Says::Active)]);
    let mut gateway = home.start();
    gateway.wait_log("it cannot be stored");
    dashboard.wait_beats(2);
    assert!(gateway.is_running());
    assert!(seeds(&dashboard, 0).iter().all(|seed| *seed == 1), "never used before it is stored");
}
