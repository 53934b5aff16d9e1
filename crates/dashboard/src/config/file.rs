//! The configuration file: TOML, flat, one line a setting.

use super::load::Problem;
use crate::sentence::{io_reason, without_number};
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The longest file that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// A line of the file.
#[derive(Debug)]
pub(super) struct Entry {
    pub key: String,
    /// One, or those of an array.
    pub values: Vec<String>,
    /// `file:line`.
    pub source: String,
}

/// Reads a file. Lines that are no settings are problems, and do not hide the others.
pub(super) fn read(path: &Path) -> (Vec<Entry>, Vec<Problem>) {
    let shown = path.display().to_string();
    let unreadable = |reason: String| (Vec::new(), vec![Problem { source: shown.clone(), message: reason }]);
    match std::fs::metadata(path) {
        Err(error) => {
            return unreadable(format!("cannot be read: {}. Name another one with --config", io_reason(&error)));
        }
        Ok(metadata) if !metadata.is_file() => return unreadable("is not a file".to_owned()),
        Ok(metadata) if metadata.len() > MAX_BYTES => return unreadable("is longer than 1 MiB".to_owned()),
        Ok(_) => {}
    }
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, &shown),
        Err(error) => unreadable(format!(
            "cannot be read: {}. The user whose the data folder is must be able to: of a package, `chgrp proxima-dashboard {shown}` and \
             `chmod 640 {shown}`",
            without_number(&error.to_string())
        )),
    }
}

fn parse(text: &str, shown: &str) -> (Vec<Entry>, Vec<Problem>) {
    let at = |offset: usize| {
        let line = 1 + text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count();
        format!("{shown}:{line}")
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Problem> = errors
        .iter()
        .map(|error| Problem {
            source: at(error.span().map_or(0, |span| span.start)),
            // The message alone: the whole error would quote the line, which may hold a secret.
            message: format!(
                "is not TOML: {}. A line is: name = \"text\", name = 5 or name = [\"a\", \"b\"]",
                error.message()
            ),
        })
        .collect();
    let mut entries = Vec::new();
    for (key, value) in table.get_ref() {
        let source = at(key.span().start);
        let key = key.get_ref().to_string();
        match values(value) {
            Some(values) => entries.push(Entry { key, values, source }),
            None => problems.push(Problem {
                source,
                message: format!("{key}: expected a text, a number, true, false, or a list of texts"),
            }),
        }
    }
    (entries, problems)
}

fn values(value: &Spanned<DeValue<'_>>) -> Option<Vec<String>> {
    match value.get_ref() {
        DeValue::Array(items) => items.iter().map(|item| scalar(item.get_ref())).collect(),
        other => scalar(other).map(|text| vec![text]),
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Boolean(value) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_is_no_setting_is_named() {
        let text = "listen = \"127.0.0.1:1\"\nheartbeat_seconds = 5\n[table]\na = 1\n";
        let (entries, problems) = parse(text, "f.toml");
        assert_eq!(entries.iter().map(|entry| entry.source.as_str()).collect::<Vec<_>>(), ["f.toml:2", "f.toml:1"]);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].source == "f.toml:3" && problems[0].message.starts_with("table: expected"), "{problems:?}");
        let (entries, problems) = parse("good = 1\nbad = \nworse = 'x\nfine = [\"a\", \"b\"]\n", "f.toml");
        assert!(problems.iter().any(|problem| problem.source == "f.toml:2"), "{problems:?}");
        assert!(problems.iter().any(|problem| problem.source == "f.toml:3"), "{problems:?}");
        assert!(entries.iter().any(|entry| entry.key == "good"), "{entries:?}");
    }

    #[test]
    fn a_line_that_cannot_be_read_is_not_quoted() {
        let (_, problems) = parse("database_url = \"postgres://u:canary@h/d\n", "f.toml");
        assert!(!problems.is_empty() && !format!("{problems:?}").contains("canary"), "{problems:?}");
    }
}
