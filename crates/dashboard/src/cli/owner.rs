//! Who a command runs as.

use anyhow::Context as _;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

/// A command that root runs on the data folder of another user (the service's) goes on as that user, as if that user had called it: what it
/// writes stays theirs, and PostgreSQL, which refuses root, runs as the user whose data it is. A file that the command reads and that user
/// may not be able to is opened first, and becomes the standard input (`--opened`).
///
/// # Errors
/// That file cannot be read, or this program not be run again.
pub(super) fn act_as_owner_of(data_dir: &Path, reads: Option<&Path>) -> anyhow::Result<()> {
    let Ok(folder) = std::fs::metadata(data_dir) else { return Ok(()) };
    if folder.uid() == 0 || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let program = std::env::current_exe().context("this program's own file is not to be found")?;
    let mut command = std::process::Command::new(program);
    let mut line = std::env::args_os().skip(1);
    // The command's name; its flags may stand anywhere behind it.
    command.args(line.next());
    if let Some(path) = reads {
        let file = open(path).with_context(|| format!("cannot read {}", path.display()))?;
        command.arg("--opened").stdin(file);
    }
    // With a user given, the supplementary groups of root go too.
    let error = command.args(line).uid(folder.uid()).gid(folder.gid()).exec();
    Err(error).with_context(|| format!("cannot go on as the owner of {}", data_dir.display()))
}

/// A plain file, by its own name: the folder may be the service's, and a link in it is not followed with root's rights.
fn open(path: &Path) -> std::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(std::io::Error::other("it is no plain file")) }
}

/// Why a file that a command writes cannot be made, with the remedy: root may have called it from a folder of root's own.
pub(super) fn not_written(output: &Path, data_dir: &Path, error: &std::io::Error) -> String {
    let shown = output.display();
    if error.kind() != std::io::ErrorKind::PermissionDenied {
        return format!("cannot write {shown}: {}", crate::sentence::io_reason(error));
    }
    format!(
        "cannot write {shown}: this command runs as the owner of {}, who may not write there. Choose a folder of theirs, such as \
         /var/backups/proxima-dashboard",
        data_dir.display()
    )
}
