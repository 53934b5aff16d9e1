//! Whether a backend gets requests: judged by what visitors' requests find, and by checks of its own.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// So many requests in a row that find it out of order eject a backend.
const EJECTED_AFTER: u32 = 3;
/// For so long; then the next request tries it again.
const EJECTED_FOR: Duration = Duration::from_secs(10);

/// What is known of one backend. Shared by all workers.
#[derive(Debug)]
pub(crate) struct Health {
    made: Instant,
    /// Requests under way.
    under_way: AtomicUsize,
    /// In a row.
    failures: AtomicU32,
    /// Milliseconds since `made`.
    ejected_until: AtomicU64,
    /// By its checks.
    ill: AtomicBool,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            made: Instant::now(),
            under_way: AtomicUsize::default(),
            failures: AtomicU32::default(),
            ejected_until: AtomicU64::default(),
            ill: AtomicBool::default(),
        }
    }
}

impl Health {
    pub fn is_usable(&self) -> bool {
        let until = self.ejected_until.load(Relaxed);
        !self.ill.load(Relaxed) && (until == 0 || self.now() >= until)
    }

    pub fn under_way(&self) -> usize {
        self.under_way.load(Relaxed)
    }

    /// It has answered.
    pub fn answered(&self) {
        // Mostly it is well, and nothing is written that other processors would have to read again.
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
        }
    }

    /// It could not be reached, or gave no answer; true when that ejects it.
    pub fn failed(&self) -> bool {
        let failures = self.failures.fetch_add(1, Relaxed) + 1;
        if failures < EJECTED_AFTER {
            return false;
        }
        self.ejected_until.store(self.now() + u64::try_from(EJECTED_FOR.as_millis()).unwrap_or(u64::MAX), Relaxed);
        failures == EJECTED_AFTER
    }

    /// What its checks say; true when that is news.
    pub fn checked(&self, well: bool) -> bool {
        if well {
            self.failures.store(0, Relaxed);
            self.ejected_until.store(0, Relaxed);
        }
        self.ill.swap(!well, Relaxed) == well
    }

    /// It is checked no more.
    pub fn unchecked(&self) {
        self.ill.store(false, Relaxed);
    }

    pub fn begin(&self) {
        self.under_way.fetch_add(1, Relaxed);
    }

    pub fn end(&self) {
        self.under_way.fetch_sub(1, Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_failures_ejects_and_an_answer_ends_the_row() {
        let health = Health::default();
        assert!(!health.failed() && !health.failed() && health.is_usable());
        health.answered();
        assert!(!health.failed() && !health.failed() && health.is_usable());
        assert!(health.failed() && !health.is_usable());
        assert!(!health.failed(), "told once");
        assert!(!health.checked(true) && health.is_usable(), "a good check brings it back");
        assert!(health.checked(false) && !health.is_usable() && !health.checked(false));
        assert!(health.checked(true) && health.is_usable());
    }
}
