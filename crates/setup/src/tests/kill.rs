//! A kill before any change: a second try converges, a revert gives back the very box.

use super::fake_box::{FakeBox, JOB, apply_all, revert_all};
use super::kill_at;
use proxima_types::setup::place;
use std::collections::BTreeMap;

const STARTS: [fn() -> FakeBox; 2] = [FakeBox::new, FakeBox::with_another_install];

/// No more changes than this make an install; each kill point is tried.
const MAX_CHANGES: u32 = 2000;

fn apply(fake: &FakeBox) {
    apply_all(fake).expect("applied");
}

fn revert(fake: &FakeBox) {
    revert_all(fake).expect("reverted");
}

fn commit(fake: &FakeBox) {
    let time = chrono::DateTime::from_timestamp(0, 0).expect("a time");
    fake.with_host(|host| crate::receipt::commit(host, JOB, time)).expect("committed");
}

fn uninstall(fake: &FakeBox) {
    fake.with_host(crate::uninstall::uninstall).expect("uninstalled");
}

/// Calls `check` for a kill before each change, until `check` says that nothing was killed.
fn at_each_change(check: impl Fn(u32) -> bool) {
    let changes = (0..MAX_CHANGES).find(|&at| !check(at)).expect("an end");
    assert!(changes > 5, "only {changes} changes were seen");
}

fn assert_same(now: &BTreeMap<String, String>, then: &BTreeMap<String, String>, what: &str) {
    let differ: Vec<_> = now
        .keys()
        .chain(then.keys())
        .filter(|path| now.get(*path) != then.get(*path))
        .map(|path| format!("{path}\n  now:  {:?}\n  then: {:?}", now.get(path), then.get(path)))
        .collect();
    assert!(differ.is_empty(), "{what}:\n{}", differ.join("\n"));
}

/// What an install changes at every try: times, and what only a job keeps.
fn installed(fake: &FakeBox) -> BTreeMap<String, String> {
    let setup = place::SETUP.trim_start_matches('/');
    let timeless = |text: String| match text.split_once(") ") {
        Some((front, content)) => format!("{} {content}", front.split('(').next().unwrap_or_default()),
        None => text,
    };
    let snapshot = fake.snapshot().into_iter().filter(|(path, _)| !path.starts_with(setup));
    snapshot.map(|(path, text)| (path, timeless(text))).collect()
}

#[test]
fn a_killed_install_is_reverted_to_the_very_box() {
    for start in STARTS {
        at_each_change(|at| {
            let fake = start();
            let before = fake.snapshot();
            fake.upload();
            let killed = kill_at(at, || apply(&fake));
            revert(&fake);
            assert_same(&fake.snapshot(), &before, &format!("killed before change {at}"));
            killed
        });
    }
}

#[test]
fn a_killed_install_converges_when_it_is_asked_again_and_can_still_be_reverted() {
    for start in STARTS {
        let whole = start();
        whole.upload();
        apply(&whole);
        let expected = installed(&whole);
        at_each_change(|at| {
            let fake = start();
            let before = fake.snapshot();
            fake.upload();
            let killed = kill_at(at, || apply(&fake));
            apply(&fake);
            assert_same(&installed(&fake), &expected, &format!("killed before change {at}, then again"));
            revert(&fake);
            assert_same(&fake.snapshot(), &before, &format!("killed before change {at}, then again, then reverted"));
            killed
        });
    }
}

#[test]
fn a_killed_revert_ends_when_it_is_asked_again() {
    for start in STARTS {
        at_each_change(|at| {
            let fake = start();
            let before = fake.snapshot();
            fake.upload();
            apply(&fake);
            let killed = kill_at(at, || revert(&fake));
            revert(&fake);
            assert_same(&fake.snapshot(), &before, &format!("killed before change {at} of the revert"));
            killed
        });
    }
}

#[test]
fn a_killed_commit_or_uninstall_ends_when_it_is_asked_again() {
    let whole = FakeBox::new();
    let empty = whole.snapshot();
    whole.upload();
    apply(&whole);
    commit(&whole);
    let committed = installed(&whole);
    at_each_change(|at| {
        let fake = FakeBox::new();
        fake.upload();
        apply(&fake);
        let killed = kill_at(at, || commit(&fake));
        commit(&fake);
        assert_same(&installed(&fake), &committed, &format!("killed before change {at} of the commit"));
        assert!(fake.at(place::RECEIPT).exists() && !fake.at(place::STAGED).exists());
        killed
    });
    at_each_change(|at| {
        let fake = FakeBox::new();
        fake.upload();
        apply(&fake);
        commit(&fake);
        let killed = kill_at(at, || uninstall(&fake));
        uninstall(&fake);
        let mut left = fake.snapshot();
        // systemd makes this folder and keeps it.
        left.remove("etc/systemd/system/multi-user.target.wants");
        assert_same(&left, &empty, &format!("killed before change {at} of the uninstall"));
        killed
    });
}
