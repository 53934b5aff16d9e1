//! Failures of the operating system, in words for people.

use std::io::ErrorKind;

/// Why a file could not be used, for people: without the operating system's number, and with what to do about it where that is
/// known.
pub(crate) fn io_reason(error: &std::io::Error) -> String {
    let known = match error.kind() {
        ErrorKind::NotFound => "there is no such file; look at how its path is spelt",
        ErrorKind::PermissionDenied => {
            "this user may not; run it as the user whose the data folder is, or change the file's owner"
        }
        ErrorKind::IsADirectory => "it is a folder; name a file",
        ErrorKind::NotADirectory => "a part of its path is a file and no folder",
        ErrorKind::ConnectionRefused => "nothing listens there",
        ErrorKind::StorageFull => "the disk is full; make room",
        ErrorKind::ReadOnlyFilesystem => "its file system is read-only",
        ErrorKind::InvalidData => "it is no text (UTF-8)",
        _ => return without_number(&error.to_string()),
    };
    known.to_owned()
}

/// A failure with its causes.
pub(crate) fn sentence(error: &anyhow::Error) -> String {
    let cause = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().map_or_else(|| without_number(&cause.to_string()), io_reason)
    };
    error.chain().map(cause).collect::<Vec<_>>().join(": ")
}

/// Without the numbers of the operating system's errors, which say nothing that their words do not.
pub(crate) fn without_number(text: &str) -> String {
    let mut pieces = text.split(" (os error ");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        plain.push_str(piece.trim_start_matches(|letter: char| letter.is_ascii_digit()).replacen(')', "", 1).as_str());
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn a_failure_is_a_sentence_without_numbers() {
        let missing = std::fs::File::open("/no/such/file").map(drop).context("cannot read /no/such/file");
        let said = sentence(&missing.expect_err("it is not there"));
        assert_eq!(said, "cannot read /no/such/file: there is no such file; look at how its path is spelt");
        for (text, plain) in [
            (
                "cannot open x (Too many open files (os error 24)); close some",
                "cannot open x (Too many open files); close some",
            ),
            ("no number", "no number"),
        ] {
            assert_eq!(without_number(text), plain);
        }
    }
}
