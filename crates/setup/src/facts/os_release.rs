//! os-release(5).

/// No value is longer, in characters.
const MAX: usize = 128;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct OsRelease {
    pub id: String,
    pub pretty_name: String,
    pub version_id: String,
}

pub(super) fn parse(text: &str) -> OsRelease {
    let value = |name: &str| {
        let line = text.lines().rev().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        unquote(line.unwrap_or_default())
    };
    let (id, pretty_name) = (value("ID"), value("PRETTY_NAME"));
    OsRelease {
        id: if id.is_empty() { "linux".to_owned() } else { id },
        pretty_name: if pretty_name.is_empty() { "Linux".to_owned() } else { pretty_name },
        version_id: value("VERSION_ID"),
    }
}

/// Shell-like quoting; escapes are of `"$\` and the backtick.
fn unquote(value: &str) -> String {
    let value = value.trim();
    let inner = ['"', '\''].iter().find_map(|&quote| value.strip_prefix(quote)?.strip_suffix(quote));
    let mut text = String::new();
    let mut escaped = false;
    for character in inner.unwrap_or(value).chars().filter(|character| !character.is_control()).take(MAX) {
        if character == '\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            text.push(character);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_however_they_are_quoted() {
        let release =
            parse("NAME=x\nID=debian\nPRETTY_NAME=\"Debian \\\"12\\\"\"\nVERSION_ID='12'\n#ID=no\nID_LIKE=nix\n");
        assert_eq!((release.id.as_str(), release.version_id.as_str()), ("debian", "12"));
        assert_eq!(release.pretty_name, "Debian \"12\"");
        let empty = parse("");
        assert_eq!((empty.id.as_str(), empty.pretty_name.as_str(), empty.version_id.as_str()), ("linux", "Linux", ""));
        let hostile = parse(&format!("ID=\u{1b}[31m{}\n", "x".repeat(500)));
        assert!(hostile.id.len() == MAX && !hostile.id.contains('\u{1b}'));
    }
}
