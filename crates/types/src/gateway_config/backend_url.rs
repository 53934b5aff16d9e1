//! Where requests go.

use serde::{Deserialize, Serialize};

/// Where requests go: `http://host[:port]` or `https://host[:port]`, nothing after it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BackendUrl {
    https: bool,
    host: String,
    port: u16,
}

impl BackendUrl {
    /// # Errors
    /// One sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let url = url::Url::parse(text).map_err(|_| "Enter a URL such as http://127.0.0.1:3000.".to_owned())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("Use http:// or https:// here: {}:// backends are not supported.", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("A backend URL cannot carry a user name or password.".to_owned());
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err("Enter only scheme, host and port: a path, query or fragment is not used.".to_owned());
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("The host is missing.")?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if !host.starts_with('[') && !host.bytes().all(plain) {
            return Err("The host may hold letters, digits, dots, hyphens and underscores only.".to_owned());
        }
        if host == "0.0.0.0" || host == "[::]" {
            return Err(format!("{host} is not an address to connect to. Use 127.0.0.1 for this machine."));
        }
        let port = url.port_or_known_default().ok_or("The port is missing.")?;
        if port == 0 {
            return Err("Port 0 cannot be connected to.".to_owned());
        }
        Ok(Self { https: url.scheme() == "https", host: host.to_owned(), port })
    }

    #[must_use]
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// As in a URL: an IPv6 address stands in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, as the `Host` header and a socket address want it.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    pub(super) fn points_to_own_port(&self, port: u16) -> bool {
        let loopback = matches!(self.host.as_str(), "localhost" | "[::1]") || self.host.starts_with("127.");
        loopback && self.port == port
    }
}

impl std::fmt::Display for BackendUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (scheme, usual) = if self.https { ("https", 443) } else { ("http", 80) };
        match self.port {
            port if port == usual => write!(f, "{scheme}://{}", self.host),
            port => write!(f, "{scheme}://{}:{port}", self.host),
        }
    }
}

impl Serialize for BackendUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BackendUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backend_urls_are_http_hosts_and_nothing_else() {
        for (text, shown) in [
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("http://Example.COM/", "http://example.com"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("https://example.com:443", "https://example.com"),
            ("https://example.com:80", "https://example.com:80"),
        ] {
            assert_eq!(BackendUrl::parse(text).map(|url| url.to_string()), Ok(shown.to_owned()));
        }
        for bad in [
            "",
            "example.com",
            "ftp://x",
            "http://u:p@x",
            "http://x/path",
            "http://x?q",
            "http://x#f",
            "http://{{x}}",
            "http://a'b",
            "http://$x",
            "http://0.0.0.0:80",
            "http://x:0",
            "http://",
            "file:///etc/passwd",
        ] {
            assert!(BackendUrl::parse(bad).is_err(), "{bad:?} must be refused");
        }
    }
}
