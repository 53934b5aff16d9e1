//! Time, as it is handed to whoever needs it: nothing else in this crate asks the system.

use chrono::{DateTime, Utc};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One look at the clocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reading {
    /// Names this boot of the kernel; `None` where the kernel does not say.
    pub kernel_boot: Option<Uuid>,
    /// `CLOCK_BOOTTIME` in milliseconds: never set by anybody, and counts a suspend.
    pub since_boot_ms: u64,
    /// The wall clock, which anybody with root can set.
    pub wall: DateTime<Utc>,
}

pub trait Clock: Send + Sync {
    fn read(&self) -> Reading;
}

/// The machine's clocks.
pub struct SystemClock {
    kernel_boot: Option<Uuid>,
}

impl SystemClock {
    #[must_use]
    pub fn new() -> Self {
        Self { kernel_boot: kernel_boot_id() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    fn read(&self) -> Reading {
        let time = clock_gettime(ClockId::Boottime);
        let millis = time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000);
        Reading {
            kernel_boot: self.kernel_boot,
            since_boot_ms: u64::try_from(millis).unwrap_or_default(),
            wall: Utc::now(),
        }
    }
}

/// The kernel's own random id of this boot.
#[must_use]
pub fn kernel_boot_id() -> Option<Uuid> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().parse().ok()
}
