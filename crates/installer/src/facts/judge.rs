//! Whether a box is fit for the gateway.

use super::Facts;
use crate::problem::Problem;
use chrono::{DateTime, SecondsFormat, Utc};

/// What the gateway needs of a box.
#[derive(Debug, Clone)]
pub struct Requirements {
    /// Free space at each place, in KiB.
    pub free_kib: u64,
    /// systemd's major version, at least: the unit's sandbox needs what it has.
    pub systemd_version: u32,
    /// A clock that is further off is warned of, in seconds.
    pub clock_seconds: i64,
    /// `uname -m` of every box that there is a binary for.
    pub architectures: Vec<String>,
    /// Where the binaries are, for the sentence that asks for one.
    pub release_folder: String,
}

/// The first with `StateDirectory=` (systemd's NEWS, 235, 2017). Debian 10 has 241, RHEL 8 has 239.
pub const SYSTEMD_VERSION_MIN: u32 = 235;
/// Five minutes: TLS certificates that were just issued would be "not yet valid" beyond it.
pub const CLOCK_SECONDS_MAX: i64 = 300;

/// Distributions that installs are tried on.
const TRIED: &[&str] = &["debian", "ubuntu"];

/// Everything that is wrong with the box, warnings ([`Problem::is_warning`]) included; the first
/// is the one to show when one is shown. `now` is the dashboard's clock at the time of the facts.
#[must_use]
pub fn judge_facts(facts: &Facts, now: DateTime<Utc>, requirements: &Requirements) -> Vec<Problem> {
    let mut problems = Vec::new();
    if facts.kernel != "Linux" {
        // Nothing else can be judged on a kernel that we do not know.
        return vec![Problem::NotLinux { kernel: facts.kernel.clone() }];
    }
    if !facts.systemd_running {
        let init = if facts.init.is_empty() { "unknown".to_owned() } else { facts.init.clone() };
        problems.push(Problem::NoSystemd { init });
    } else if let Some(found) = facts.systemd_version.filter(|found| *found < requirements.systemd_version) {
        problems.push(Problem::SystemdTooOld { found, needed: requirements.systemd_version });
    }
    if !requirements.architectures.contains(&facts.architecture) {
        problems.push(Problem::NoBinary {
            architecture: facts.architecture.clone(),
            folder: requirements.release_folder.clone(),
        });
    }
    problems.extend(facts.disks.iter().filter(|disk| disk.free_kib < requirements.free_kib).map(|disk| {
        Problem::DiskFull {
            path: disk.path.clone(),
            free_mib: disk.free_kib / 1024,
            needed_mib: requirements.free_kib.div_ceil(1024),
        }
    }));
    let seconds = facts.clock.saturating_sub(now.timestamp());
    if seconds.saturating_abs() > requirements.clock_seconds {
        problems.push(Problem::ClockOff {
            box_time: DateTime::from_timestamp(facts.clock, 0).map_or_else(|| format!("{} s", facts.clock), rfc3339),
            our_time: rfc3339(now),
            seconds,
        });
    }
    if !TRIED.contains(&facts.os_id.as_str()) {
        problems.push(Problem::UntriedDistribution { name: facts.os_name.clone() });
    }
    problems
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::DiskFact;

    const NOW: i64 = 1_700_000_000;

    fn good() -> Facts {
        Facts {
            kernel: "Linux".into(),
            architecture: "x86_64".into(),
            os_id: "debian".into(),
            os_name: "Debian 12".into(),
            os_version: "12".into(),
            systemd_running: true,
            systemd_version: Some(252),
            init: "systemd".into(),
            disks: vec![DiskFact { path: "/usr/local".into(), free_kib: 1_000_000 }],
            clock: NOW + 2,
        }
    }

    fn judged(facts: &Facts) -> Vec<Problem> {
        let requirements = Requirements {
            free_kib: 100 * 1024,
            systemd_version: SYSTEMD_VERSION_MIN,
            clock_seconds: CLOCK_SECONDS_MAX,
            architectures: vec!["x86_64".into()],
            release_folder: "releases".into(),
        };
        judge_facts(facts, DateTime::from_timestamp(NOW, 0).unwrap(), &requirements)
    }

    #[test]
    fn a_good_box_has_no_problem() {
        assert_eq!(judged(&good()), []);
    }

    #[test]
    fn each_fault_is_its_own_problem() {
        let disk = |free_kib| vec![DiskFact { path: "/usr/local".into(), free_kib }];
        let cases: Vec<(Facts, &str)> = vec![
            (Facts { kernel: "FreeBSD".into(), architecture: "amd64".into(), ..good() }, "NOT_LINUX"),
            (Facts { systemd_running: false, init: "init".into(), ..good() }, "NO_SYSTEMD"),
            (Facts { systemd_version: Some(219), ..good() }, "SYSTEMD_TOO_OLD"),
            (Facts { architecture: "riscv64".into(), ..good() }, "NO_BINARY"),
            (Facts { disks: disk(100 * 1024 - 1), ..good() }, "DISK_FULL"),
            (Facts { clock: NOW + 86_400, ..good() }, "CLOCK_OFF"),
            (Facts { clock: NOW - 86_400, ..good() }, "CLOCK_OFF"),
            (Facts { os_id: "gentoo".into(), ..good() }, "UNTRIED_DISTRIBUTION"),
        ];
        for (facts, code) in cases {
            let codes: Vec<_> = judged(&facts).iter().map(|problem| problem.report().code).collect();
            assert_eq!(codes, [code]);
        }
        assert_eq!(judged(&Facts { disks: disk(100 * 1024), ..good() }), []);
    }

    #[test]
    fn a_clock_a_day_off_is_a_warning_that_names_both_times() {
        let problems = judged(&Facts { clock: NOW + 86_400, ..good() });
        assert!(problems[0].is_warning());
        let sentence = problems[0].report().sentence;
        assert!(sentence.contains("2023-11-15T22:13:20Z") && sentence.contains("2023-11-14T22:13:20Z"), "{sentence}");
        assert!(sentence.contains("24 hours apart"), "{sentence}");
    }

    #[test]
    fn absurd_clocks_do_not_panic() {
        for clock in [i64::MIN, i64::MAX] {
            assert_eq!(judged(&Facts { clock, ..good() })[0].report().code, "CLOCK_OFF");
        }
    }

    #[test]
    fn a_missing_binary_says_where_to_put_it() {
        let remedy = judged(&Facts { architecture: "aarch64".into(), ..good() })[0].report().remedy;
        assert!(remedy.contains("releases/aarch64/proxima-gateway"), "{remedy}");
    }
}
