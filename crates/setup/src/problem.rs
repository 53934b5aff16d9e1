//! Problems, as a customer understands them: what is wrong, what to do.

use crate::commands::{CommandLine, Ended};
use proxima_types::setup::{SetupProblem, SetupProblemCode as Code};
use rustix::fs::{IFlags, ioctl_getflags};
use std::io;
use std::path::Path;

pub(crate) type Result<T> = std::result::Result<T, SetupProblem>;

/// What is quoted of a program or of the gateway's journal, in characters.
const MAX_QUOTE: usize = 2000;

pub(crate) fn problem(code: Code, sentence: impl Into<String>, remedy: impl Into<String>) -> SetupProblem {
    SetupProblem { code, sentence: sentence.into(), remedy: remedy.into() }
}

/// The file system refused something at `path`, as the customer knows it; `real` is where it is.
pub(crate) fn file(path: &str, real: &Path, error: &io::Error) -> SetupProblem {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::StorageFull | Kind::QuotaExceeded => problem(
            Code::DiskFull,
            format!("The disk that holds {path} is full."),
            "Free at least 100 MB on the server, then start again.",
        ),
        Kind::ReadOnlyFilesystem => problem(
            Code::ReadOnly,
            format!("{path} is on a file system that is mounted read-only."),
            "Often the server's disk has errors: look at the output of dmesg. Mount it writable, then start again.",
        ),
        Kind::PermissionDenied if is_immutable(real) => problem(
            Code::Immutable,
            format!("{path} is protected by the attribute \"immutable\"."),
            format!("If nobody set it on purpose, remove it with: chattr -i {path}. Then start again."),
        ),
        _ => problem(
            Code::FileSystem,
            format!("{path} could not be changed: {}.", describe(error)),
            "Look at what is there on the server, mend it, then start again.",
        ),
    }
}

/// The path or the folder that holds it.
fn is_immutable(path: &Path) -> bool {
    [Some(path), path.parent()].into_iter().flatten().any(|path| {
        std::fs::File::open(path)
            .ok()
            .and_then(|file| ioctl_getflags(&file).ok())
            .is_some_and(|flags| flags.intersects(IFlags::IMMUTABLE | IFlags::APPEND))
    })
}

fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

/// A program that could not be run, took too long, or said no.
pub(crate) fn command(CommandLine(words, seconds): CommandLine, ended: io::Result<Ended>) -> Result<Ended> {
    let shown = words.join(" ");
    let failed = |sentence: String| {
        problem(Code::CommandFailed, sentence, "Run it on the server to see more, mend what it says, then start again.")
    };
    match ended {
        Ok(ended) if ended.success => Ok(ended),
        Ok(ended) => {
            let said = if ended.stderr.trim().is_empty() { &ended.stdout } else { &ended.stderr };
            Err(failed(format!("The command {shown:?} failed on the server: {}", quote(said))))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing_program(words.first().unwrap_or(&""))),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            Err(failed(format!("The command {shown:?} did not end within {seconds} s on the server.")))
        }
        Err(error) => Err(failed(format!("The command {shown:?} cannot be run on the server: {}.", describe(&error)))),
    }
}

fn missing_program(program: &str) -> SetupProblem {
    match program {
        "useradd" | "userdel" | "groupadd" | "groupdel" => problem(
            Code::NoUserTools,
            format!("The program {program} is missing on the server, so no system user can be made or removed."),
            "Install it (Debian, Ubuntu: the package passwd; others: shadow-utils), then start again.",
        ),
        _ => no_systemd(),
    }
}

pub(crate) fn no_systemd() -> SetupProblem {
    problem(
        Code::NoSystemd,
        "This server is not run by systemd, which starts the gateway and keeps it running.",
        "Use a server with Debian, Ubuntu, Fedora, RHEL, Alma or Rocky Linux, openSUSE or Arch, not inside a plain container.",
    )
}

/// What a stranger wrote, fit to be shown: no control characters but line ends, the last part of it.
pub(crate) fn quote(text: &str) -> String {
    let clean: Vec<char> =
        text.trim().chars().filter(|&character| character == '\n' || !character.is_control()).collect();
    clean[clean.len().saturating_sub(MAX_QUOTE)..].iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_the_file_system_are_told_apart() {
        let code = |kind: io::ErrorKind| file("/x", Path::new("/proc/self/no-such"), &kind.into()).code;
        assert_eq!(code(io::ErrorKind::StorageFull), Code::DiskFull);
        assert_eq!(code(io::ErrorKind::ReadOnlyFilesystem), Code::ReadOnly);
        assert_eq!(code(io::ErrorKind::PermissionDenied), Code::FileSystem);
    }

    #[test]
    fn commands_that_are_missing_say_what_to_install() {
        let missing = || Err(io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(command(crate::commands::USERADD, missing()).expect_err("missing").code, Code::NoUserTools);
        assert_eq!(command(crate::commands::ENABLE, missing()).expect_err("missing").code, Code::NoSystemd);
    }

    #[test]
    fn quotes_are_bounded_and_harmless() {
        let text = quote(&format!("{}\u{1b}[31mred\u{7}\nend", "x".repeat(9000)));
        assert!(text.len() == MAX_QUOTE && text.ends_with("[31mred\nend"), "{text}");
    }
}
