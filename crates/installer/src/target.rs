//! Which host, port and user: what a customer typed, checked.

use proxima_types::{FieldError, FieldErrors};
use std::net::{IpAddr, Ipv6Addr};

/// Characters of a user name, at most. Linux allows 32 bytes; directory services more.
pub const USER_CHARS_MAX: usize = 64;
/// Bytes of a DNS name, at most (RFC 1035 section 2.3.4, less the root's dot).
const NAME_BYTES_MAX: usize = 253;
/// Bytes of a DNS label, at most (RFC 1035 section 2.3.4).
const LABEL_BYTES_MAX: usize = 63;

/// A checked SSH destination. Its texts hold no control characters and may be shown and logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    host: Host,
    port: u16,
    user: String,
}

/// A DNS name (lower case, no dot at the end) or an address literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    Name(String),
    Address(IpAddr),
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl std::str::FromStr for Host {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        parse_host(text)
    }
}

impl Target {
    /// # Errors
    /// Every refused field at once: `host`, `port`, `user`.
    pub fn new(host: &str, port: u16, user: &str) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::new();
        let host = errors.check(parse_host(host));
        let port = errors.check(check_port(port));
        let user = errors.check(parse_user(user));
        errors.into_result()?;
        match (host, port, user) {
            (Some(host), Some(port), Some(user)) => Ok(Self { host, port, user }),
            _ => Err(FieldError::new("host", "invalid", "a field is missing").into()),
        }
    }

    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }
}

/// `host:port`, with brackets around an IPv6 address.
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

fn check_port(port: u16) -> Result<u16, FieldError> {
    if port == 0 {
        Err(FieldError::new("port", "out_of_range", "The port is a number from 1 to 65535."))
    } else {
        Ok(port)
    }
}

fn parse_user(text: &str) -> Result<String, FieldError> {
    let user = text.trim();
    let refuse = |code: &str, message: &str| Err(FieldError::new("user", code, message));
    if user.is_empty() {
        return refuse("required", "Enter the user to log in as, such as root.");
    }
    if user.chars().count() > USER_CHARS_MAX {
        return refuse("too_long", "The user has 64 characters at most.");
    }
    if user.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return refuse("invalid", "The user cannot contain spaces or control characters.");
    }
    Ok(user.to_owned())
}

/// Strict on purpose: `0x7f.1`, `2130706433` and `017700000001` are addresses to some resolvers
/// and names to others, so whatever could be read as a number and is no plain address is refused.
fn parse_host(text: &str) -> Result<Host, FieldError> {
    let refuse = |code: &str, message: &str| Err(FieldError::new("host", code, message));
    let host = text.trim();
    if host.is_empty() {
        return refuse("required", "Enter the server's address, such as 203.0.113.7 or vps.example.com.");
    }
    let unbracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Ok(address) = unbracketed.unwrap_or(host).parse::<Ipv6Addr>() {
        return Ok(Host::Address(IpAddr::V6(address)));
    }
    if let Ok(address) = host.parse::<std::net::Ipv4Addr>() {
        return Ok(Host::Address(IpAddr::V4(address)));
    }
    if host.contains("://") || host.contains('/') || host.contains('@') {
        return refuse("invalid", "Enter the host alone, without ssh://, user or path.");
    }
    if host.contains(':') {
        return refuse("invalid", "Enter the port in its own field; an IPv6 address has no % and no port.");
    }
    if !host.is_ascii() {
        return refuse("invalid", "Write an international name in its ASCII form (xn--…).");
    }
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    if name.len() > NAME_BYTES_MAX {
        return refuse("too_long", "A host name has 253 characters at most.");
    }
    if !name.split('.').all(is_label) {
        return refuse("invalid", "A host name consists of letters, digits, hyphens and dots.");
    }
    if name.rsplit('.').next().is_some_and(looks_numeric) {
        return refuse("invalid", "Write an IPv4 address as four decimal numbers, such as 203.0.113.7.");
    }
    Ok(Host::Name(name))
}

fn is_label(label: &str) -> bool {
    (1..=LABEL_BYTES_MAX).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// A last label that an address parser may take for a number (WHATWG URL, "ends in a number").
fn looks_numeric(label: &str) -> bool {
    label.bytes().all(|byte| byte.is_ascii_digit())
        || label.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(host: &str, user: &str) -> Vec<String> {
        Target::new(host, 22, user).unwrap_err().into_vec().into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn names_and_literals_are_taken() {
        for (text, shown) in [
            ("VPS.Example.com.", "vps.example.com:22"),
            (" 203.0.113.7 ", "203.0.113.7:22"),
            ("2001:db8::1", "[2001:db8::1]:22"),
            ("[::1]", "[::1]:22"),
            ("my_host", "my_host:22"),
            ("1.2.3.4.example", "1.2.3.4.example:22"),
        ] {
            assert_eq!(Target::new(text, 22, "root").unwrap().to_string(), shown);
        }
    }

    #[test]
    fn other_spellings_of_an_address_are_refused() {
        for host in
            ["2130706433", "017700000001", "0x7f.1", "0x7f000001", "127.1", "127.0.0.01", "1.2.3.4.5", "fe80::1%eth0"]
        {
            assert_eq!(refused(host, "root"), ["host"], "{host}");
        }
    }

    #[test]
    fn hostile_values_are_refused_by_name() {
        for host in [
            "",
            "a b",
            "$(reboot)",
            "a;b",
            "a\nb",
            "\u{1b}[31mx",
            "ssh://a",
            "a/b",
            "r@h",
            "a:22",
            "-oProxyCommand=x",
            "a..b",
            "bücher.de",
        ] {
            assert_eq!(refused(host, "root"), ["host"], "{host:?}");
        }
        for user in ["", "a\0b", "ro\not", "\u{1b}[2J", "a b"] {
            assert_eq!(refused("h", user), ["user"], "{user:?}");
        }
        assert_eq!(refused("a b", &"x".repeat(65)), ["host", "user"]);
        assert_eq!(Target::new("h", 0, "root").unwrap_err().into_vec()[0].field, "port");
    }

    #[test]
    fn a_user_with_shell_characters_is_only_a_name() {
        assert_eq!(Target::new("h", 22, "$(id);'\"").unwrap().user(), "$(id);'\"");
    }
}
