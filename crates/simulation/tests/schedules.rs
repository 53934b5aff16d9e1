//! Thousands of seeded schedules: no wrong kill, no missed one, traffic whenever the contract says so.
//!
//! One seed again, with its trace:
//! `PROXIMA_SIMULATION_SEED=N cargo test -p proxima-simulation --test schedules one_seed -- --nocapture`
//! Another number of schedules: `PROXIMA_SIMULATION_SCHEDULES=N`.

#![allow(clippy::print_stdout)] // what a seed did, for people

use proxima_simulation::oracle::Tally;
use proxima_simulation::{Mutation, Outcome, run};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// In `./test`, and in `./test --full`.
const SCHEDULES: u64 = 150;
const SCHEDULES_FULL: u64 = 10_000;
/// A defect must show within so many.
const MUTATION_SCHEDULES: u64 = 400;

/// What can go wrong; each must, in every run of the schedules.
const KINDS: [&str; 39] = [
    "AcceptRestore",
    "Backup",
    "CancelRotation",
    "DamagedDisk",
    "DashboardDown",
    "DashboardHung",
    "DashboardUp",
    "DatabaseClock",
    "DatabaseDown",
    "DatabaseGood",
    "DatabaseSlow",
    "Delete",
    "DiskFull",
    "DiskGood",
    "DiskReadOnly",
    "ExpireByHand",
    "Kill",
    "KillAtDisk",
    "LinkBad",
    "LinkCorrupting",
    "LinkForging",
    "LinkGood",
    "LinkPartitioned",
    "LinkPortal",
    "LinkRefusing",
    "LinkReplaying",
    "OfflineLimitNone",
    "OfflineLimitSome",
    "PowerCut",
    "PowerOn",
    "Regenerate",
    "Reinstallfalse",
    "Reinstalltrue",
    "Reinstate",
    "Restore",
    "Revoke",
    "Rotate",
    "Suspend",
    "WallClock",
];

/// A folder for key files that live for a moment; it goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("proxima-simulation-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn full() -> bool {
    std::env::var_os("PROXIMA_TEST_FULL").is_some_and(|value| value == "1")
}

fn simulate(seed: u64, mutation: Mutation) -> Outcome {
    let folder = Folder::new();
    run(seed, mutation, &folder.0).expect("the simulation runs")
}

/// Runs seeds from 0 on both cores, until `enough` says so of an outcome.
fn all(seeds: u64, mutation: Mutation, enough: impl Fn(&Outcome) -> bool + Sync) -> (u64, Tally) {
    let (next, ran) = (AtomicU64::new(0), AtomicU64::new(0));
    let tallies = std::thread::scope(|scope| {
        let work = || {
            let mut tally = Tally::default();
            loop {
                let seed = next.fetch_add(1, Relaxed);
                if seed >= seeds {
                    return tally;
                }
                let outcome = simulate(seed, mutation);
                ran.fetch_add(1, Relaxed);
                tally.add(&outcome.tally);
                if enough(&outcome) {
                    next.store(seeds, Relaxed);
                }
            }
        };
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads.map(|thread| thread.join().expect("no panic"))
    });
    let mut tally = Tally::default();
    tallies.iter().for_each(|one| tally.add(one));
    (ran.load(Relaxed), tally)
}

fn describe(outcome: &Outcome) -> String {
    format!(
        "seed {}: {:#?}\n{}\nrepeat: PROXIMA_SIMULATION_SEED={} cargo test -p proxima-simulation --test schedules one_seed -- --nocapture",
        outcome.seed,
        outcome.violations,
        outcome.trace.join("\n"),
        outcome.seed
    )
}

#[test]
fn no_wrong_kill_and_no_missed_one() {
    let wanted = std::env::var("PROXIMA_SIMULATION_SCHEDULES").ok().and_then(|number| number.parse().ok());
    let schedules = wanted.unwrap_or(if full() { SCHEDULES_FULL } else { SCHEDULES });
    let failed = std::sync::Mutex::new(None::<Outcome>);
    let (ran, tally) = all(schedules, Mutation::None, |outcome| {
        let bad = !outcome.violations.is_empty();
        if bad {
            failed.lock().expect("not poisoned").get_or_insert_with(|| outcome.clone());
        }
        bad
    });
    if let Some(outcome) = failed.into_inner().expect("not poisoned") {
        panic!("{}", describe(&outcome));
    }
    assert_eq!(ran, schedules);
    println!("{ran} schedules: {tally:?}");
    // Everything that the oracle judges has happened, often.
    for (what, times) in [
        ("opened from a stored answer", tally.opened_from_stored),
        ("stopped by EXPIRED", tally.stops_expired),
        ("stopped by a retired key", tally.stops_retired),
        ("stopped by a signed deadline", tally.stops_silence),
        ("killed", tally.killed),
        ("handed over a key", tally.handovers),
        ("started with a stored answer past its deadline", tally.stored_too_old),
    ] {
        assert!(times > schedules / 20, "{what}: only {times} times in {schedules} schedules");
    }
    let struck: Vec<&str> = tally.struck.keys().map(String::as_str).collect();
    assert_eq!(struck, KINDS, "every kind of fault has struck, and every kind is known here");
}

#[test]
fn one_seed() {
    let seed = std::env::var("PROXIMA_SIMULATION_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let outcome = simulate(seed, Mutation::None);
    println!("{}", describe(&outcome));
    assert!(outcome.violations.is_empty());
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..6 {
        let (first, second) = (simulate(seed, Mutation::None), simulate(seed, Mutation::None));
        assert_eq!(first, second);
        assert!(first.trace.len() > 20, "{}", describe(&first));
    }
}

#[test]
fn the_oracle_catches_every_known_defect() {
    for mutation in Mutation::ALL {
        let caught = std::sync::Mutex::new(None::<Outcome>);
        let (ran, _) = all(MUTATION_SCHEDULES, mutation, |outcome| {
            let bad = !outcome.violations.is_empty();
            if bad {
                caught.lock().expect("not poisoned").get_or_insert_with(|| outcome.clone());
            }
            bad
        });
        let caught = caught.into_inner().expect("not poisoned");
        let caught = caught.unwrap_or_else(|| panic!("{mutation:?} was not caught in {ran} schedules"));
        println!("{mutation:?}: caught by seed {} ({} schedules): {}", caught.seed, ran, caught.violations[0]);
    }
}
