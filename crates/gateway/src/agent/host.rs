//! What the gateway says of its host.

use proxima_types::heartbeat::HostFacts;

/// Read once at the start.
#[must_use]
pub fn host_facts() -> HostFacts {
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    HostFacts {
        os: bounded(&os_name(), 128),
        architecture: std::env::consts::ARCH.to_owned(),
        hostname: bounded(hostname.trim(), 253),
    }
}

fn os_name() -> String {
    ["/etc/os-release", "/usr/lib/os-release"]
        .iter()
        .find_map(|path| pretty_name(&std::fs::read_to_string(path).ok()?))
        .unwrap_or_else(|| "Linux".to_owned())
}

/// `PRETTY_NAME` of an os-release file.
fn pretty_name(os_release: &str) -> Option<String> {
    let value = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    let value = value.trim().trim_matches(['"', '\'']).trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// At most `limit` characters, none of them a control character.
fn bounded(text: &str, limit: usize) -> String {
    text.chars().filter(|character| !character.is_control()).take(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pretty_name_is_read_with_or_without_quotes() {
        assert_eq!(pretty_name("ID=debian\nPRETTY_NAME=\"Debian 12\"\n").as_deref(), Some("Debian 12"));
        assert_eq!(pretty_name("PRETTY_NAME=Alpine\n").as_deref(), Some("Alpine"));
        assert_eq!(pretty_name("NAME=x\n"), None);
    }

    #[test]
    fn facts_are_bounded() {
        assert_eq!(bounded("a\nb\u{7}c", 2), "ab");
        let facts = host_facts();
        assert!(!facts.architecture.is_empty() && !facts.os.is_empty());
    }
}
