//! Whether the process that wrote a status is still that process, and not another with its pid.

use crate::clock::kernel_boot_id;
use proxima_types::manage::ProcessMark;

/// The kernel computes its boot time anew, and rounds it; adjusting the clock moves it. No machine boots again so soon.
const BOOT_TIME_SECONDS: u64 = 2;

#[must_use]
pub fn this_process() -> ProcessMark {
    let pid = std::process::id();
    ProcessMark {
        pid,
        kernel_boot: kernel_boot_id(),
        kernel_boot_time: kernel_boot_time(),
        start_ticks: start_ticks(pid),
    }
}

/// Whether the very process that left this mark is there now.
#[must_use]
pub fn is_alive(mark: &ProcessMark) -> bool {
    is_this_boot(mark) && start_ticks(mark.pid).is_some_and(|ticks| mark.start_ticks.is_none_or(|then| then == ticks))
}

fn is_this_boot(mark: &ProcessMark) -> bool {
    let same_time = |(then, now): (u64, u64)| then.abs_diff(now) <= BOOT_TIME_SECONDS;
    mark.kernel_boot == kernel_boot_id() || mark.kernel_boot_time.zip(kernel_boot_time()).is_some_and(same_time)
}

fn kernel_boot_time() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
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
        let other_id = ProcessMark { kernel_boot: Some(Uuid::nil()), ..this.clone() };
        assert!(is_alive(&other_id), "seen from outside of a service's own /proc");
        let before = other_id.kernel_boot_time.map(|time| time - 60);
        assert!(!is_alive(&ProcessMark { kernel_boot_time: before, ..other_id.clone() }), "before a reboot");
        assert!(
            !is_alive(&ProcessMark { kernel_boot_time: None, ..other_id }),
            "of a version that did not note the time"
        );
        assert!(!is_alive(&ProcessMark { pid: u32::MAX, ..this }));
    }
}
