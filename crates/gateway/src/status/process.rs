//! Whether the process that wrote a status is still that process, and not another with its pid.

use crate::clock::kernel_boot_id;
use proxima_types::manage::ProcessMark;

#[must_use]
pub fn this_process() -> ProcessMark {
    let pid = std::process::id();
    ProcessMark { pid, kernel_boot: kernel_boot_id(), start_ticks: start_ticks(pid) }
}

/// Whether the very process that left this mark is there now.
#[must_use]
pub fn is_alive(mark: &ProcessMark) -> bool {
    mark.kernel_boot == kernel_boot_id()
        && start_ticks(mark.pid).is_some_and(|ticks| mark.start_ticks.is_none_or(|then| then == ticks))
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
    use uuid::Uuid;

    #[test]
    fn only_the_very_process_is_alive() {
        let this = this_process();
        assert!(this.start_ticks.is_some() && is_alive(&this));
        let earlier = ProcessMark { start_ticks: this.start_ticks.map(|ticks| ticks - 1), ..this.clone() };
        assert!(!is_alive(&earlier), "the pid was reused");
        assert!(!is_alive(&ProcessMark { kernel_boot: Some(Uuid::nil()), ..this.clone() }), "before a reboot");
        assert!(!is_alive(&ProcessMark { pid: u32::MAX, ..this }));
    }
}
