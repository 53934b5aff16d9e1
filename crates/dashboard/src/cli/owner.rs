//! Who a command runs as.

use anyhow::Context as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

/// A command that root runs on the data folder of another user (the service's) goes on as that user, as if that user had called it: what it
/// writes stays theirs, and PostgreSQL, which refuses root, runs as the user whose data it is.
///
/// # Errors
/// This program cannot be run again.
pub(super) fn act_as_owner_of(data_dir: &Path) -> anyhow::Result<()> {
    let Ok(folder) = std::fs::metadata(data_dir) else { return Ok(()) };
    if folder.uid() == 0 || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let program = std::env::current_exe().context("this program's own file is not to be found")?;
    // With a user given, the supplementary groups of root go too.
    let error = std::process::Command::new(program)
        .args(std::env::args_os().skip(1))
        .uid(folder.uid())
        .gid(folder.gid())
        .exec();
    Err(error).with_context(|| format!("cannot go on as the owner of {}", data_dir.display()))
}
