//! What the steps refuse, and what they say.

use super::fake_box::{FakeBox, JOB, apply_all, config, install, program, revert_all};
use crate::steps::apply;
use proxima_types::setup::{
    BoxStep, ConfigText, Done, SetupProblemCode as Code, SetupReply, StepInput, StepOutcome, place,
};
use std::fs;
use uuid::Uuid;

fn refusal(fake: &FakeBox, input: &StepInput) -> Code {
    fake.with_host(|host| apply(host, JOB, input)).expect_err("refused").code
}

#[test]
fn a_second_try_changes_nothing_and_says_so() {
    let fake = FakeBox::new();
    fake.upload();
    apply_all(&fake).expect("applied");
    let (before, starts) = (fake.snapshot(), fake.service().starts);
    for input in install() {
        let (outcome, _) = fake.with_host(|host| apply(host, JOB, &input)).expect("applied");
        assert_eq!(outcome, StepOutcome::Unchanged, "{input:?}");
    }
    assert!(fake.snapshot() == before && fake.service().starts == starts);
}

#[test]
fn the_gateway_that_was_there_runs_again_after_a_revert() {
    let fake = FakeBox::with_another_install();
    fake.upload();
    apply_all(&fake).expect("applied");
    let starts = fake.service().starts;
    revert_all(&fake).expect("reverted");
    assert_eq!((fake.service().runs, fake.service().starts), (true, starts + 1), "restarted once, with its own files");
    assert!(!fake.at(place::SETUP).exists());
}

#[test]
fn an_unknown_job_reverts_nothing() {
    let fake = FakeBox::with_another_install();
    let before = fake.snapshot();
    for step in BoxStep::ALL {
        let outcome = fake.with_host(|host| crate::steps::revert(host, Uuid::nil(), step)).expect("nothing to do");
        assert_eq!(outcome, StepOutcome::Unchanged);
    }
    assert_eq!(fake.snapshot(), before);
}

#[test]
fn a_binary_that_is_missing_damaged_or_foreign_is_refused_before_anything_changes() {
    let fake = FakeBox::new();
    let before = fake.snapshot();
    let input = &install()[0];
    assert_eq!(refusal(&fake, input), Code::BinaryMissing);
    fake.put(place::STAGED, &program(b"damaged on the way"), 0o755);
    assert_eq!(refusal(&fake, input), Code::BinaryDamaged);
    let mut foreign = program(b"");
    foreign[18] = 243;
    fake.put(place::STAGED, &foreign, 0o755);
    use sha2::Digest as _;
    let sha256 = hex::encode(sha2::Sha256::digest(&foreign));
    assert_eq!(refusal(&fake, &StepInput::Binary { sha256, version: String::new() }), Code::UnsupportedArchitecture);
    fs::remove_dir_all(fake.at(place::LIB)).expect("removed");
    assert_eq!(fake.snapshot(), before);
}

#[test]
fn the_configuration_of_another_server_is_not_replaced_unasked() {
    let fake = FakeBox::with_another_install();
    let before = fake.snapshot();
    let ask = |replace_other_server| StepInput::Config { config: config(2), replace_other_server };
    assert_eq!(refusal(&fake, &ask(false)), Code::OtherServer);
    assert_eq!(fake.snapshot(), before);
    let (_, step) = fake.with_host(|host| apply(host, JOB, &ask(true))).expect("applied");
    assert_eq!(step.things.iter().map(|thing| thing.done).collect::<Vec<_>>(), [Done::Kept, Done::Replaced]);
    fake.with_host(|host| apply(host, JOB, &ask(false))).expect("a second try of the same job");
}

#[test]
fn a_bad_configuration_is_refused_without_repeating_it() {
    let fake = FakeBox::with_another_install();
    let config = ConfigText::new("{\"apiKey\": \"pk_hunter2\", \"hunter2\": 1}".to_owned());
    let input = StepInput::Config { config, replace_other_server: true };
    let problem = fake.with_host(|host| apply(host, JOB, &input)).expect_err("refused");
    assert_eq!(problem.code, Code::ConfigInvalid);
    assert!(!problem.sentence.contains("pk_hunter2"), "{}", problem.sentence);
}

#[test]
fn what_the_box_lacks_is_named() {
    let mut fake = FakeBox::new();
    fake.missing.push("useradd");
    assert_eq!(refusal(&fake, &StepInput::User {}), Code::NoUserTools);
    fs::remove_dir(fake.at("/run/systemd/system")).expect("removed");
    assert_eq!(refusal(&fake, &StepInput::Unit {}), Code::NoSystemd);
    assert_eq!(refusal(&fake, &StepInput::Start { wait_seconds: 5 }), Code::NoSystemd);
    fake.put("/etc/passwd", b"proxima-gateway:x:0:0::/:/bin/sh\n", 0o644);
    assert_eq!(refusal(&fake, &StepInput::User {}), Code::UserUnsuitable);
}

#[test]
fn a_gateway_that_does_not_come_up_is_a_failed_start() {
    let mut fake = FakeBox::new();
    fake.upload();
    fake.broken = true;
    let before = {
        fs::remove_dir_all(fake.at(place::LIB)).expect("removed");
        fake.snapshot()
    };
    fake.upload();
    assert_eq!(apply_all(&fake).expect_err("failed").code, Code::StartFailed);
    revert_all(&fake).expect("reverted");
    assert_eq!(fake.snapshot(), before);
}

#[test]
fn requests_that_are_not_understood_are_answered_without_repeating_them() {
    let fake = FakeBox::new();
    let job = Uuid::nil();
    for bad in [
        String::new(),
        format!("{{\"protocol\":1,\"job\":\"{job}\",\"action\":{{\"do\":\"hunter2\"}}}}"),
        format!("{{\"protocol\":2,\"job\":\"{job}\",\"action\":{{\"do\":\"STATUS\"}}}}"),
        format!("{{\"protocol\":1,\"job\":\"{job}\",\"action\":{{\"do\":\"STATUS\",\"x\":\"hunter2\"}}}}"),
        "x".repeat(1024 * 1024 + 1),
    ] {
        let mut output = Vec::new();
        let done = fake.with_host(|host| crate::serve(host, bad.as_bytes(), &mut output)).expect("written");
        let text = String::from_utf8(output).expect("text");
        let reply: SetupReply = serde_json::from_str(&text).expect("a reply");
        assert!(!done && text.ends_with('\n') && text.lines().count() == 1 && !text.contains("hunter2"), "{text}");
        assert_eq!(reply.problem.expect("a problem").code, Code::BadRequest);
    }
}
