//! Running one of the server's tools as the server's user.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Output, Stdio};

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::account::Account;
use crate::error::Error;

/// Prepares a tool: a known environment (no `PG…` variable of the caller's), and a process group that a terminal's Ctrl-C does not reach.
pub(crate) fn tool<A: AsRef<OsStr>>(
    account: &Account,
    program: &Path,
    arguments: impl IntoIterator<Item = A>,
) -> Command {
    let mut command = account.command(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) async fn run(mut command: Command) -> Result<Output, Error> {
    let program = Path::new(command.as_std().get_program()).to_owned();
    command.output().await.map_err(|source| Error::Spawn { program, source })
}

/// Writes a file as the server's user, so that root never writes inside a folder it does not own.
pub(crate) async fn write(account: &Account, path: &Path, append: bool, content: &str) -> Result<(), Error> {
    let mut command = tool(account, Path::new("/usr/bin/tee"), append.then_some("-a"));
    command.arg(path).stdin(Stdio::piped()).stdout(Stdio::null());
    let fail = Error::io("write", path);
    let attempt = async {
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(content.as_bytes()).await?;
        }
        let output = child.wait_with_output().await?;
        if output.status.success() { Ok(()) } else { Err(std::io::Error::other(last_line(&output.stderr))) }
    };
    attempt.await.map_err(fail)
}

/// The line of a tool's output that says what went wrong.
pub(crate) fn last_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).rev();
    let last = lines.clone().next().unwrap_or("it said nothing").to_owned();
    lines
        .find(|line| ["FATAL:", "PANIC:", "error:", "ERROR:"].iter().any(|mark| line.contains(mark)))
        .map_or(last, str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_telling_line_is_the_last_one_that_names_an_error() {
        assert_eq!(last_line(b"a\nx FATAL:  no room\nhint\n\n"), "x FATAL:  no room");
        assert_eq!(last_line(b"one\ntwo\n"), "two");
        assert_eq!(last_line(b""), "it said nothing");
    }
}
