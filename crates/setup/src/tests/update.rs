//! An update's own program: `setup-update`.

use super::fake_box::{FakeBox, JOB, apply_all, program};
use super::kill_at;
use crate::{receipt, update};
use chrono::DateTime;
use proxima_types::setup::{BoxStep, SetupProblemCode as Code, UpdateState, place};
use sha2::Digest as _;
use std::fs;
use uuid::Uuid;

const UPDATE: Uuid = Uuid::from_u128(8);

/// An installed gateway, and another one asked for.
fn asked() -> FakeBox {
    let mut fake = FakeBox::new();
    fake.answered = true;
    fake.upload();
    apply_all(&fake).expect("applied");
    fake.with_host(|host| receipt::commit(host, JOB, DateTime::UNIX_EPOCH)).expect("committed");
    let newer = program(b"newer");
    fake.put(place::STAGED, &newer, 0o755);
    let wanted = serde_json::json!({
        "job": UPDATE,
        "sha256": hex::encode(sha2::Sha256::digest(&newer)),
        "version": "10.0.0",
        "at": "2026-11-22T00:00:00Z",
        "waitSeconds": 5,
        "state": UpdateState::Requested,
        "problem": null,
    });
    fake.put(&format!("{}/update.json", place::SETUP), wanted.to_string().as_bytes(), 0o600);
    fake
}

fn unit(fake: &FakeBox) -> String {
    fs::read_to_string(fake.at(place::UNIT_FILE)).expect("a unit")
}

#[test]
fn an_update_brings_its_own_unit() {
    let fake = asked();
    fake.with_host(update::finish).expect("updated");
    assert!(unit(&fake).contains(&hex::encode(b"newer")), "{}", unit(&fake));
    let (report, receipt) = fake.with_host(|host| (update::read(host), receipt::read(host)));
    assert_eq!(report.expect("a report").state, UpdateState::Confirmed);
    let steps: Vec<_> = receipt.expect("a receipt").steps.into_iter().map(|step| step.step).collect();
    assert!(steps.contains(&BoxStep::Unit) && steps.contains(&BoxStep::Binary), "{steps:?}");
}

#[test]
fn an_update_without_an_answer_puts_program_and_unit_back() {
    let mut fake = asked();
    let (before, binary) = (unit(&fake), fs::read(fake.at(place::BINARY)).expect("a program"));
    fake.answered = false;
    fake.with_host(update::finish).expect("rolled back");
    assert_eq!((unit(&fake), fs::read(fake.at(place::BINARY)).expect("a program")), (before, binary));
    let report = fake.with_host(update::read).expect("a report");
    assert_eq!(
        (report.state, report.problem.map(|problem| problem.code)),
        (UpdateState::RolledBack, Some(Code::RolledBack))
    );
}

#[test]
fn a_killed_update_goes_on_when_it_is_asked_again() {
    let mut kills = 0;
    loop {
        let fake = asked();
        if !kill_at(kills, || fake.with_host(update::finish).expect("updated")) {
            break;
        }
        fake.with_host(update::finish).expect("updated");
        assert_eq!(fake.with_host(update::read).expect("a report").state, UpdateState::Confirmed, "kill {kills}");
        assert!(unit(&fake).contains(&hex::encode(b"newer")), "kill {kills}");
        let previous = fs::read(fake.at(place::PREVIOUS)).expect("a program");
        assert!(previous == program(b"new"), "kill {kills}");
        kills += 1;
    }
    assert!(kills > 10, "{kills}");
}
