//! Reading the facts script's output, strictly.

use super::{DiskFact, Facts};
use crate::text::clean;
use std::collections::BTreeMap;

/// Characters of any text that is kept.
const TEXT_CHARS_MAX: usize = 120;

pub(super) fn parse(output: &str) -> Result<Facts, String> {
    let (_, rest) = output.split_once("proxima-facts-begin\n").ok_or("the begin mark is missing")?;
    let (body, _) = rest.split_once("proxima-facts-end").ok_or("the end mark is missing")?;
    let mut values = BTreeMap::new();
    let mut os = BTreeMap::new();
    let mut disks = Vec::new();
    for (name, value) in body.lines().filter_map(|line| line.split_once('=')) {
        if let Some(field) = name.strip_prefix("os.") {
            os.insert(field, unquoted(value));
        } else if name == "disk" {
            disks.extend(disk(value));
        } else if values.insert(name, value).is_some() {
            return Err(format!("{} was said twice", clean(name.as_bytes(), 20)));
        }
    }
    let text = |name: &str| {
        let value = values.get(name).copied().unwrap_or_default();
        Ok::<_, String>(clean(value.as_bytes(), TEXT_CHARS_MAX))
    };
    let kernel = text("kernel")?;
    let architecture = values.get("architecture").copied().ok_or("the architecture is missing")?;
    if kernel.is_empty() || !is_word(architecture) {
        return Err("uname gave no usable answer".to_owned());
    }
    let clock = values.get("clock").and_then(|value| value.parse().ok()).ok_or("the clock is missing")?;
    let mut os_text = |name: &str| os.remove(name).unwrap_or_default();
    let os_name = os_text("PRETTY_NAME");
    Ok(Facts {
        os_id: os_text("ID"),
        os_version: os_text("VERSION_ID"),
        os_name: if os_name.is_empty() { kernel.clone() } else { os_name },
        architecture: architecture.to_owned(),
        systemd_running: values.get("systemd") == Some(&"running"),
        systemd_version: values.get("systemd_version").and_then(|line| version(line)),
        init: text("init")?,
        disks,
        clock,
        kernel,
    })
}

/// `/var Filesystem 1024-blocks Used Available Capacity Mounted`: the fourth column after the
/// path, by POSIX. A name of a file system with spaces makes the line unreadable: passed over.
fn disk(value: &str) -> Option<DiskFact> {
    let mut words = value.split_whitespace();
    let path = words.next()?.to_owned();
    let free_kib = words.nth(3)?.parse().ok()?;
    Some(DiskFact { path, free_kib })
}

/// `systemd 252 (252.30-1~deb12u2)`.
fn version(line: &str) -> Option<u32> {
    line.strip_prefix("systemd ")?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The value of an os-release line (os-release(5)): quoted or not, with backslash escapes.
fn unquoted(value: &str) -> String {
    let value = value.trim();
    let inner = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(value);
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        text.extend(if c == '\\' { characters.next() } else { Some(c) });
    }
    clean(text.as_bytes(), TEXT_CHARS_MAX)
}

fn is_word(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = "Welcome!\nproxima-facts-begin\nkernel=Linux\narchitecture=x86_64\nos.PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n\
        os.VERSION_ID=\"12\"\nos.ID=debian\n\nsystemd=running\nsystemd_version=systemd 252 (252.30-1~deb12u2)\ninit=systemd\n\
        disk=/usr/local /dev/vda1 20466256 3000000 16400000 16% /\ndisk=/etc \ndisk=/var tmpfs 100 0 100 0% /var\nclock=1700000000\nproxima-facts-end\nbye\n";

    #[test]
    fn a_debian_is_read() {
        let facts = parse(DEBIAN).unwrap();
        assert_eq!(
            (facts.os_id.as_str(), facts.os_version.as_str(), facts.os_name.as_str()),
            ("debian", "12", "Debian GNU/Linux 12 (bookworm)")
        );
        assert_eq!(
            (facts.kernel.as_str(), facts.architecture.as_str(), facts.init.as_str()),
            ("Linux", "x86_64", "systemd")
        );
        assert_eq!((facts.systemd_running, facts.systemd_version, facts.clock), (true, Some(252), 1_700_000_000));
        let disks: Vec<_> = facts.disks.iter().map(|disk| (disk.path.as_str(), disk.free_kib)).collect();
        assert_eq!(disks, [("/usr/local", 16_400_000), ("/var", 100)]);
    }

    #[test]
    fn what_is_cut_off_or_doubled_is_refused() {
        for (from, to) in [
            ("proxima-facts-end", ""),
            ("proxima-facts-begin\n", ""),
            ("clock=1700000000", "clock=soon"),
            ("architecture=x86_64", "architecture=../../etc"),
            ("architecture=x86_64", "architecture="),
            ("kernel=Linux", "kernel="),
            ("init=systemd", "clock=5"),
        ] {
            assert!(parse(&DEBIAN.replacen(from, to, 1)).is_err(), "{from} -> {to}");
        }
    }

    #[test]
    fn hostile_os_names_are_made_harmless() {
        let output = DEBIAN.replace("Debian GNU/Linux 12 (bookworm)", "\u{1b}[31mEvil\\\"\u{202e}\u{7}OS");
        assert_eq!(parse(&output).unwrap().os_name, "Evil\"OS");
    }

    #[test]
    fn no_os_release_is_no_error() {
        let output: String =
            DEBIAN.lines().filter(|line| !line.starts_with("os.")).map(|line| format!("{line}\n")).collect();
        assert_eq!(parse(&output).unwrap().os_name, "Linux");
    }
}
