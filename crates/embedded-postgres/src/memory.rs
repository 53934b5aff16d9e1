//! How much memory the server may count on.

use std::fs;
use std::path::Path;

/// What this process may use, in bytes: the machine's memory, or less where a control group says so (a container, a unit's
/// `MemoryMax`).
pub(crate) fn available() -> u64 {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limit = limit_of(Path::new("/sys/fs/cgroup"), &groups);
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    machine.into_iter().chain(limit).min().unwrap_or(0)
}

fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The smallest limit of a process's group and all above it (control groups, version 2).
fn limit_of(root: &Path, groups: &str) -> Option<u64> {
    let path = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let own = root.join(path);
    let all = own.ancestors().take_while(|group| group.starts_with(root));
    all.filter_map(|group| fs::read_to_string(group.join("memory.max")).ok()?.trim().parse().ok()).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_limit_counts() {
        assert_eq!(total("MemFree: 1 kB\nMemTotal:       16384 kB\n"), Some(16 * 1024 * 1024));
        assert_eq!(total("nothing"), None);
        let root = std::env::temp_dir().join(format!("proxima-memory-{}", std::process::id()));
        let group = root.join("system.slice/proxima.service");
        fs::create_dir_all(&group).expect("made");
        fs::write(group.join("memory.max"), "max\n").expect("written");
        assert_eq!(limit_of(&root, "0::/system.slice/proxima.service\n"), None);
        fs::write(root.join("system.slice/memory.max"), "1000\n").expect("written");
        assert_eq!(limit_of(&root, "0::/system.slice/proxima.service\n"), Some(1000));
        fs::write(group.join("memory.max"), "500\n").expect("written");
        assert_eq!(limit_of(&root, "0::/system.slice/proxima.service\n"), Some(500));
        assert_eq!(limit_of(&root, "1:name=systemd:/x\n"), None);
        fs::remove_dir_all(&root).expect("removed");
        assert!(available() > 0);
    }
}
