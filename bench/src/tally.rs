//! What came back: statuses, latencies, signatures.

use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::Duration;

/// The answers of one phase.
pub struct Tally {
    /// Of the heartbeats that were answered as expected, in microseconds.
    pub latency: Histogram<u64>,
    /// Answers with the expected status.
    pub judged: u64,
    /// 503 with Retry-After: refused for now, and told when to come back.
    pub refused: u64,
    /// Everything else: status (0 for a broken connection) and how often.
    pub wrong: BTreeMap<u16, u64>,
    /// Heartbeats that were due while the same gateway still waited (overload only).
    pub skipped: u64,
    /// Signatures checked, and those that did not hold.
    pub checked: u64,
    pub forged: u64,
}

impl Tally {
    /// # Errors
    /// Never in practice: the bounds are constants.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            latency: Histogram::new_with_max(60_000_000, 3)?,
            judged: 0,
            refused: 0,
            wrong: BTreeMap::new(),
            skipped: 0,
            checked: 0,
            forged: 0,
        })
    }

    /// Notes one answer that took `latency`.
    pub fn note(&mut self, status: u16, expected: u16, retry_after: bool, latency: Duration) {
        if status == expected {
            self.judged += 1;
            self.latency.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
        } else if status == 503 && retry_after {
            self.refused += 1;
        } else {
            *self.wrong.entry(status).or_default() += 1;
        }
    }

    #[must_use]
    pub fn wrong_total(&self) -> u64 {
        self.wrong.values().sum::<u64>() + self.forged
    }
}
