//! What is read of a gateway that runs.

use super::fake_box::{FakeBox, apply_all};
use crate::status;
use proxima_types::setup::place;
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

/// What the gateway has written down, and a moment later writes down instead.
fn gateway_of(now: &Value, later: Value) -> Option<Value> {
    let fake = FakeBox::new();
    fake.upload();
    apply_all(&fake).expect("applied");
    let path = fake.at(&format!("{}/status.json", place::STATE));
    fs::write(&path, now.to_string()).expect("written");
    let gateway = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        let whole = path.with_extension("new");
        fs::write(&whole, later.to_string()).expect("written");
        fs::rename(whole, path).expect("renamed");
    });
    let found = fake.with_host(status::gather).expect("gathered");
    gateway.join().expect("written");
    found.gateway
}

#[test]
fn a_gateway_that_is_about_to_tell_of_its_management_api_is_waited_for() {
    let told = json!({ "management": { "certificateFingerprint": "sha256:00" } });
    assert_eq!(gateway_of(&json!({ "management": null }), told.clone()), Some(told));
}

#[test]
fn a_gateway_that_has_told_or_never_does_is_not() {
    for now in [json!({ "management": { "problem": "taken" } }), json!({ "version": "0.0.1" })] {
        assert_eq!(gateway_of(&now, json!({ "later": true })), Some(now));
    }
}
