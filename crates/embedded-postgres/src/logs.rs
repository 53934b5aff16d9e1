//! Keeps the server's logs bounded: PostgreSQL rotates them but never deletes one.

use std::fs;
use std::path::{Path, PathBuf};

use crate::account::Account;
use crate::command;

const KEPT: usize = 5;

/// Deletes all but the newest log files (10 MB each at most), as the server's user.
pub(crate) async fn prune(account: &Account, data: &Path) {
    let old = superseded(&data.join("log"));
    if old.is_empty() {
        return;
    }
    let mut rm = command::tool(account, Path::new("/bin/rm"), ["-f", "--"]);
    rm.args(&old);
    if let Err(error) = command::run(rm).await {
        tracing::warn!(%error, "old PostgreSQL logs were not deleted");
    }
}

/// Their names hold the time of their start, so sorting by name is sorting by age.
fn superseded(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let is_log = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("postgresql-") && name.ends_with(".log"))
    };
    let mut logs: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_log).collect();
    logs.sort();
    logs.truncate(logs.len().saturating_sub(KEPT));
    logs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_logs_are_kept_and_nothing_else_is_touched() {
        let folder = std::env::temp_dir().join(format!("proxima-logs-{}", std::process::id()));
        fs::create_dir(&folder).expect("made");
        for day in 10..18 {
            fs::write(folder.join(format!("postgresql-202601{day}-000000.log")), "").expect("written");
        }
        fs::write(folder.join("notes.txt"), "").expect("written");
        let mut old: Vec<_> = superseded(&folder);
        old.sort();
        fs::remove_dir_all(&folder).expect("deleted");
        let expected: Vec<_> = (10..13).map(|day| folder.join(format!("postgresql-202601{day}-000000.log"))).collect();
        assert_eq!(old, expected);
        assert!(superseded(&folder).is_empty(), "no folder, no logs");
    }
}
