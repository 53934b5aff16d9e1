//! An install that the box does itself, by an install command: what the dashboard judges of it. Nothing here connects to
//! anything; the words are those of an install over SSH.

use crate::facts::{CLOCK_SECONDS_MAX, DiskFact, Facts, Requirements, SYSTEMD_VERSION_MIN, judge_facts};
use crate::plan::StepId;
use crate::problem::{Problem, ProblemReport};
use crate::run::remote::scrubbed;
use crate::run::steps::{FREE_KIB, by, is_ours};
use crate::text::{Redactor, clean};
use chrono::{DateTime, Utc};
use proxima_types::enroll::EnrollStep;
use proxima_types::setup;
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Characters of one fact, at most.
const FACT_CHARS_MAX: usize = 200;

/// What a box says of itself, in the words that jobs store.
#[must_use]
pub fn facts_of(facts: &setup::Facts) -> Facts {
    let text = |text: &str| clean(text.as_bytes(), FACT_CHARS_MAX);
    let architecture = facts.architecture.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_');
    Facts {
        kernel: "Linux".to_owned(),
        architecture: architecture.take(32).collect(),
        os_id: text(&facts.os_id),
        os_name: if facts.os_name.is_empty() { "Linux".to_owned() } else { text(&facts.os_name) },
        os_version: text(&facts.os_version),
        systemd_running: facts.systemd_running,
        systemd_version: facts.systemd_version,
        init: if facts.systemd_running { "systemd".to_owned() } else { String::new() },
        disks: facts
            .disks
            .iter()
            .take(8)
            .map(|disk| DiskFact { path: text(&disk.path), free_kib: disk.free_bytes / 1024 })
            .collect(),
        clock: facts.clock_ms.div_euclid(1000),
    }
}

/// What the dashboard has for a box, and wants of it.
pub struct Wanted {
    pub now: DateTime<Utc>,
    /// That there is a binary for.
    pub architectures: Vec<String>,
    pub release_folder: String,
    /// Of the binary.
    pub bytes: u64,
    /// That the gateway will open.
    pub ports: Vec<u16>,
}

/// The first thing that stands in the way of an install, and what is only to be looked at.
#[must_use]
pub fn judge(facts: &setup::Facts, wanted: Wanted) -> (Option<ProblemReport>, Vec<ProblemReport>) {
    let requirements = Requirements {
        free_kib: FREE_KIB + wanted.bytes.div_ceil(1024) * 3,
        systemd_version: SYSTEMD_VERSION_MIN,
        clock_seconds: CLOCK_SECONDS_MAX,
        architectures: wanted.architectures,
        release_folder: wanted.release_folder,
    };
    let problems = judge_facts(&facts_of(facts), wanted.now, &requirements);
    let (warnings, mut faults): (Vec<_>, Vec<_>) = problems.into_iter().partition(Problem::is_warning);
    let taken = facts.listeners.iter().find(|listener| wanted.ports.contains(&listener.port) && !is_ours(listener));
    faults.extend(taken.map(|listener| Problem::PortTaken {
        port: listener.port,
        by: clean(by(listener).as_bytes(), FACT_CHARS_MAX),
    }));
    (faults.first().map(Problem::report), warnings.iter().map(Problem::report).collect())
}

/// What a box said, with every text in it clean, bounded and without `secrets`; `None` when it is not of its form any more.
#[must_use]
pub fn scrub<T: Serialize + DeserializeOwned>(said: &T, secrets: &[SecretString]) -> Option<T> {
    let value = serde_json::to_value(said).ok()?;
    serde_json::from_value(scrubbed(value, &Redactor::new(secrets))).ok()
}

/// The step of every install's plan that this one is.
#[must_use]
pub fn step_id(step: EnrollStep) -> StepId {
    match step {
        EnrollStep::Facts => StepId::Facts,
        EnrollStep::Binary => StepId::Binary,
        EnrollStep::User => StepId::User,
        EnrollStep::Config => StepId::Config,
        EnrollStep::Unit => StepId::Unit,
        EnrollStep::Start => StepId::Start,
        EnrollStep::Heartbeat => StepId::Heartbeat,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxima_types::setup::{DiskSpace, PortListener};

    fn facts() -> setup::Facts {
        setup::Facts {
            os_id: "debian".to_owned(),
            os_name: "Debian \u{1b}[31m12".to_owned(),
            os_version: "12".to_owned(),
            architecture: "x86_64/..".to_owned(),
            systemd_running: true,
            systemd_version: Some(252),
            disks: vec![DiskSpace { path: "/etc".to_owned(), free_bytes: 1 << 30, read_only: false }],
            clock_ms: 0,
            listeners: vec![PortListener {
                port: 80,
                address: "::".to_owned(),
                process: Some("apache2".to_owned()),
                pid: None,
                unit: None,
            }],
            existing: None,
            selinux_enforcing: false,
        }
    }

    fn wanted(ports: &[u16]) -> Wanted {
        Wanted {
            now: DateTime::UNIX_EPOCH,
            architectures: vec!["x86_64".to_owned()],
            release_folder: "/x".to_owned(),
            bytes: 1 << 20,
            ports: ports.to_vec(),
        }
    }

    #[test]
    fn a_taken_port_stands_in_the_way_and_another_does_not() {
        assert_eq!(judge(&facts(), wanted(&[443, 6060])), (None, vec![]));
        let (obstacle, _) = judge(&facts(), wanted(&[80]));
        assert_eq!(obstacle.map(|problem| problem.code).as_deref(), Some("PORT_TAKEN"));
        let mut own = facts();
        own.listeners[0].unit = Some(setup::place::UNIT.to_owned());
        assert_eq!(judge(&own, wanted(&[80])).0, None);
    }

    #[test]
    fn secrets_and_escapes_do_not_pass() {
        let problem =
            ProblemReport { code: "X".to_owned(), sentence: "\u{1b}[1mkey hunter2".to_owned(), remedy: String::new() };
        let shown = scrub(&problem, &[SecretString::from("hunter2")]).expect("its form");
        assert_eq!(shown.sentence, "key [hidden]");
    }

    #[test]
    fn what_a_box_says_is_cleaned_and_judged_as_over_ssh() {
        let found = facts_of(&facts());
        assert_eq!((found.os_name.as_str(), found.architecture.as_str()), ("Debian 12", "x86_64"));
        let code = |change: fn(&mut setup::Facts)| {
            let mut facts = facts();
            change(&mut facts);
            judge(&facts, wanted(&[])).0.map(|problem| problem.code).unwrap_or_default()
        };
        assert_eq!(code(|facts| facts.architecture = "riscv64".to_owned()), "NO_BINARY");
        assert_eq!(code(|facts| facts.disks[0].free_bytes = 1024), "DISK_FULL");
        assert_eq!(code(|facts| facts.systemd_version = Some(200)), "SYSTEMD_TOO_OLD");
        let mut late = facts();
        late.clock_ms = 86_400_000;
        assert_eq!(judge(&late, wanted(&[])).1[0].code, "CLOCK_OFF");
    }
}
