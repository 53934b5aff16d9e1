//! Whether the process that wrote a status is still that process, and not another with its pid.

use crate::clock::kernel_boot_id;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Names one process for ever: pids are reused, their start times within one boot are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessMark {
    pub pid: u32,
    pub kernel_boot: Option<Uuid>,
    /// In clock ticks after the kernel's boot.
    pub start_ticks: Option<u64>,
}

impl ProcessMark {
    #[must_use]
    pub fn of_this_process() -> Self {
        let pid = std::process::id();
        Self { pid, kernel_boot: kernel_boot_id(), start_ticks: start_ticks(pid) }
    }

    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.kernel_boot == kernel_boot_id()
            && start_ticks(self.pid).is_some_and(|ticks| self.start_ticks.is_none_or(|then| then == ticks))
    }
}

/// Field 22 of `/proc/PID/stat`; the command's name before it may hold spaces and parentheses.
/// `None` for a process that is gone, or a zombie.
fn start_ticks(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    if fields.starts_with(['Z', 'X']) {
        return None;
    }
    fields.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_process_is_alive() {
        let this = ProcessMark::of_this_process();
        assert!(this.start_ticks.is_some() && this.is_alive());
        let earlier = ProcessMark { start_ticks: this.start_ticks.map(|ticks| ticks - 1), ..this.clone() };
        assert!(!earlier.is_alive(), "the pid was reused");
        assert!(!ProcessMark { kernel_boot: Some(Uuid::nil()), ..this.clone() }.is_alive(), "before a reboot");
        assert!(!ProcessMark { pid: u32::MAX, ..this }.is_alive());
    }
}
