//! How long a gateway may serve without hearing the dashboard (product.md section 4: "GRACE, and
//! then silence"), by monotonic time and a persisted high-water mark.
//!
//! Pure: time comes in as [`Reading`]s.

use super::judge::Terms;
use crate::clock::Reading;
use chrono::TimeDelta;
use proxima_types::LicenseStatus;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a GRACE outlives its own end when the dashboard is silent.
pub const GRACE_MARGIN: TimeDelta = TimeDelta::hours(24);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long these terms carry without another signed answer, counted from their arrival; `None`
/// is for ever (ACTIVE, unless the operator set `offlineLimitDays`). Reads only the signed
/// body's own two times, never the gateway's clock.
#[must_use]
pub fn silence_limit(terms: &Terms) -> Option<Duration> {
    let offline = terms.offline_limit_days.map(|days| DAY * days);
    if terms.status != LicenseStatus::Grace {
        return offline;
    }
    let end = terms.grace_expires_at?;
    let grace = (end - terms.server_time + GRACE_MARGIN).to_std().unwrap_or_default();
    Some(offline.map_or(grace, |offline| offline.min(grace)))
}

/// A high-water mark: when the clocks read `at`, at least `elapsed_ms` had passed since the
/// answer. Never goes down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    pub elapsed_ms: u64,
    pub at: Reading,
}

impl Mark {
    /// The mark of an answer that arrived at `at`.
    #[must_use]
    pub fn fresh(at: Reading) -> Self {
        Self { elapsed_ms: 0, at }
    }

    /// The time since the answer, at the least.
    ///
    /// Within one boot of the kernel the wall clock is not looked at: setting it gains nothing
    /// and costs nothing. Across a reboot the wall clock's advance counts, never a step back, and
    /// at the least the time since that reboot.
    #[must_use]
    pub fn elapsed(&self, now: &Reading) -> Duration {
        let wall = u64::try_from((now.wall - self.at.wall).num_milliseconds()).unwrap_or(0);
        let more = match (self.at.kernel_boot, now.kernel_boot) {
            (Some(then), Some(this)) if then == this => now.since_boot_ms.saturating_sub(self.at.since_boot_ms),
            (Some(_), Some(_)) => wall.max(now.since_boot_ms),
            _ => wall,
        };
        Duration::from_millis(self.elapsed_ms.saturating_add(more))
    }

    /// The same answer's mark at a later reading.
    #[must_use]
    pub fn advanced(&self, now: Reading) -> Self {
        let elapsed_ms = u64::try_from(self.elapsed(&now).as_millis()).unwrap_or(u64::MAX);
        Self { elapsed_ms, at: now }
    }
}

/// Counts the silence since one signed answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilenceClock {
    /// `None`: no limit.
    pub limit: Option<Duration>,
    pub mark: Mark,
}

impl SilenceClock {
    #[must_use]
    pub fn new(terms: &Terms, mark: Mark) -> Self {
        Self { limit: silence_limit(terms), mark }
    }

    /// What is left at `now`; zero when the limit is reached, `None` when there is no limit.
    #[must_use]
    pub fn remaining(&self, now: &Reading) -> Option<Duration> {
        self.limit.map(|limit| limit.saturating_sub(self.mark.elapsed(now)))
    }

    #[must_use]
    pub fn is_over(&self, now: &Reading) -> bool {
        self.remaining(now) == Some(Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, Utc};
    use uuid::Uuid;

    const HOUR: u64 = 3600;

    fn wall(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).expect("in range")
    }

    fn reading(boot: u128, since_boot: u64, wall_seconds: i64) -> Reading {
        Reading { kernel_boot: Some(Uuid::from_u128(boot)), since_boot_ms: since_boot * 1000, wall: wall(wall_seconds) }
    }

    fn terms(status: LicenseStatus, grace_seconds: i64, offline_limit_days: Option<u32>) -> Terms {
        Terms {
            status,
            grace_expires_at: (status == LicenseStatus::Grace).then(|| wall(0) + TimeDelta::seconds(grace_seconds)),
            server_time: wall(0),
            next_heartbeat_seconds: 60,
            offline_limit_days,
            config: None,
        }
    }

    fn hours(hours: u64) -> Duration {
        Duration::from_secs(hours * HOUR)
    }

    #[test]
    fn limits_come_from_the_signed_body_alone() {
        assert_eq!(silence_limit(&terms(LicenseStatus::Active, 0, None)), None);
        assert_eq!(silence_limit(&terms(LicenseStatus::Active, 0, Some(2))), Some(hours(48)));
        assert_eq!(silence_limit(&terms(LicenseStatus::Grace, 3600, None)), Some(hours(25)));
        assert_eq!(silence_limit(&terms(LicenseStatus::Grace, -3600, None)), Some(hours(23)), "past its end");
        assert_eq!(silence_limit(&terms(LicenseStatus::Grace, -90_000, None)), Some(hours(0)));
        assert_eq!(silence_limit(&terms(LicenseStatus::Grace, 96 * 3600, Some(1))), Some(hours(24)));
        assert_eq!(silence_limit(&terms(LicenseStatus::Grace, 3600, Some(9))), Some(hours(25)));
    }

    #[test]
    fn a_wall_clock_jump_while_running_neither_stops_early_nor_gives_time() {
        let clock = SilenceClock::new(&terms(LicenseStatus::Grace, 3600, None), Mark::fresh(reading(1, 100, 0)));
        let forward = reading(1, 100 + HOUR, 1_000_000_000);
        assert_eq!(clock.remaining(&forward), Some(hours(24)));
        assert!(!clock.is_over(&forward));
        let back = reading(1, 100 + 25 * HOUR, -1_000_000);
        assert!(clock.is_over(&back));
    }

    #[test]
    fn restarts_of_the_process_within_one_boot_are_exact() {
        let mark = Mark::fresh(reading(1, 100, 0)).advanced(reading(1, 100 + HOUR, 10));
        assert_eq!(mark.elapsed(&reading(1, 100 + 3 * HOUR, -999)), hours(3));
    }

    #[test]
    fn turning_the_wall_clock_back_across_reboots_gives_no_time_back() {
        let mut mark = Mark::fresh(reading(1, 100, 0)).advanced(reading(1, 100 + 10 * HOUR, 36_000));
        for boot in 2..6 {
            mark = mark.advanced(reading(boot, HOUR, -500_000));
        }
        assert_eq!(mark.elapsed(&mark.at), hours(14), "ten, and an hour of each of four boots");
    }

    #[test]
    fn time_spent_switched_off_counts() {
        let mark = Mark::fresh(reading(1, 100, 0));
        assert_eq!(mark.elapsed(&reading(2, 5, 7200)), hours(2));
    }

    #[test]
    fn without_a_kernel_boot_id_only_an_advance_of_the_wall_clock_counts() {
        let odd = |seconds, wall_seconds| Reading { kernel_boot: None, ..reading(1, seconds, wall_seconds) };
        let mark = Mark::fresh(odd(1_000_000, 0));
        assert_eq!(mark.elapsed(&odd(2_000_000, 60)), Duration::from_secs(60));
        assert_eq!(mark.elapsed(&odd(2_000_000, -60)), Duration::ZERO);
    }
}
