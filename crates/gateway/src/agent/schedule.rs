//! When the next heartbeat goes out. Pure: randomness comes in.

use proxima_types::heartbeat::DEFAULT_INTERVAL_SECONDS;
use rand::Rng;
use std::time::Duration;

/// A dashboard may ask for an interval of 1 second to 1 hour.
pub const INTERVAL_SECONDS: std::ops::RangeInclusive<u32> = 1..=3600;
/// A `Retry-After` is honoured up to this.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);
/// The longest pause after a failure. One attempt takes up to 10 s more, so that a silent
/// dashboard is asked at least every 60 s.
const MAX_PAUSE: Duration = Duration::from_secs(50);
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The rhythm of one gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    interval: Duration,
    /// Failures in a row.
    failures: u32,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { interval: Duration::from_secs(u64::from(DEFAULT_INTERVAL_SECONDS)), failures: 0 }
    }
}

impl Schedule {
    /// Failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// The pause after a signed answer: its interval ±10%, so that a fleet does not march in step.
    pub fn after_answer(&mut self, next_heartbeat_seconds: u32, rng: &mut impl Rng) -> Duration {
        let seconds = next_heartbeat_seconds.clamp(*INTERVAL_SECONDS.start(), *INTERVAL_SECONDS.end());
        self.interval = Duration::from_secs(u64::from(seconds));
        self.failures = 0;
        self.interval.mul_f64(rng.random_range(0.9..=1.1))
    }

    /// The pause after silence: 0.5 s, 1 s, 2 s, … up to the interval and 50 s, jittered
    /// downwards; or what `Retry-After` asks for, up to 60 s, jittered upwards by a tenth but
    /// never over 60 s.
    pub fn after_silence(&mut self, retry_after: Option<Duration>, rng: &mut impl Rng) -> Duration {
        let doublings = self.failures.min(8);
        self.failures = self.failures.saturating_add(1);
        if let Some(asked) = retry_after {
            let asked = asked.clamp(FIRST_PAUSE, MAX_RETRY_AFTER);
            return asked.mul_f64(rng.random_range(1.0..=1.1)).min(MAX_RETRY_AFTER);
        }
        let cap = self.interval.min(MAX_PAUSE);
        (FIRST_PAUSE * 2_u32.pow(doublings)).min(cap).mul_f64(rng.random_range(0.8..=1.0))
    }
}

/// The seconds form of `Retry-After` (RFC 9110 section 10.2.3). The date form is not read: it
/// would need the gateway's clock to be right.
#[must_use]
pub fn parse_retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| Duration::from_secs(value.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn an_answer_sets_the_next_interval_within_bounds_and_a_tenth() {
        let mut rng = StdRng::seed_from_u64(1);
        for (asked, seconds) in [(60, 60.0), (0, 1.0), (5, 5.0), (1_000_000, 3600.0)] {
            let mut schedule = Schedule::default();
            let pauses: Vec<f64> = (0..500).map(|_| schedule.after_answer(asked, &mut rng).as_secs_f64()).collect();
            assert!(pauses.iter().all(|pause| (seconds * 0.9..=seconds * 1.1).contains(pause)), "{asked}");
            let spread = pauses.iter().copied().fold(0.0, f64::max) - pauses.iter().copied().fold(f64::MAX, f64::min);
            assert!(spread > seconds * 0.1, "jittered: {spread}");
        }
    }

    #[test]
    fn silence_is_asked_again_quickly_then_at_least_once_a_minute() {
        let mut rng = StdRng::seed_from_u64(2);
        let mut schedule = Schedule::default();
        let pauses: Vec<f64> = (0..200).map(|_| schedule.after_silence(None, &mut rng).as_secs_f64()).collect();
        for (index, nominal) in [0.5, 1.0, 2.0, 4.0, 8.0].into_iter().enumerate() {
            assert!((nominal * 0.8..=nominal).contains(&pauses[index]), "{index}: {}", pauses[index]);
        }
        assert!(pauses[20..].iter().all(|pause| (40.0..=50.0).contains(pause)));
        schedule.after_answer(60, &mut rng);
        assert_eq!(schedule.failures(), 0);
        assert!(schedule.after_silence(None, &mut rng) <= FIRST_PAUSE);
    }

    #[test]
    fn a_short_interval_caps_the_retries_too() {
        let mut rng = StdRng::seed_from_u64(3);
        let mut schedule = Schedule::default();
        schedule.after_answer(2, &mut rng);
        assert!((0..50).all(|_| schedule.after_silence(None, &mut rng) <= Duration::from_secs(2)));
    }

    #[test]
    fn retry_after_is_honoured_up_to_a_minute() {
        let mut rng = StdRng::seed_from_u64(4);
        let mut pause = |seconds| Schedule::default().after_silence(Some(Duration::from_secs(seconds)), &mut rng);
        assert!((20.0..=22.0).contains(&pause(20).as_secs_f64()));
        assert_eq!(pause(86_400), MAX_RETRY_AFTER);
        assert!(pause(0) >= FIRST_PAUSE);
        assert_eq!(parse_retry_after(" 7 "), Some(Duration::from_secs(7)));
        for bad in ["", "-1", "+1", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            assert_eq!(parse_retry_after(bad), None, "{bad:?}");
        }
    }
}
