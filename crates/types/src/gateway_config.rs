//! What a customer configures and a gateway applies: today its listeners. The dashboard validates
//! with the same functions before it stores, the gateway before it applies (invariant 2: an
//! invalid config is rejected whole, with the reason).

use crate::field_error::{FieldError, FieldErrors};
use serde::{Deserialize, Serialize};

/// Names one version of a server's configuration. A higher incarnation supersedes every
/// generation of a lower one (invariant 13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigGeneration {
    /// Of the dashboard's database: grows when a backup was restored.
    pub incarnation: u32,
    /// Grows with every save.
    pub number: u64,
}

impl std::fmt::Display for ConfigGeneration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.incarnation, self.number)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayConfig {
    /// At most 64.
    pub listeners: Vec<Listener>,
}

/// One port that visitors reach, and where their requests go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Listener {
    /// 1 to 65535, on every address of the host.
    pub port: u16,
    #[schema(value_type = String, example = "http://127.0.0.1:3000")]
    pub backend_url: BackendUrl,
}

/// How many ports one gateway listens on at most.
pub const MAX_LISTENERS: usize = 64;
/// The management API's own port (product.md section 1).
pub const MANAGEMENT_PORT: u16 = 6060;

impl GatewayConfig {
    /// Checks what one listener alone cannot show.
    ///
    /// # Errors
    /// Every problem, each with its field's path.
    pub fn validate(&self) -> Result<(), FieldErrors> {
        let mut errors = FieldErrors::new();
        for (index, listener) in self.listeners.iter().enumerate() {
            errors.check(check_port(format!("listeners[{index}].port"), u64::from(listener.port)));
        }
        check_listeners(&self.listeners.iter().enumerate().collect::<Vec<_>>(), &mut errors);
        errors.into_result()
    }
}

/// Checks listeners against each other and against themselves. Each comes with its place in the input, so that
/// those of an input that are readable can be checked beside those that are not.
pub fn check_listeners(listeners: &[(usize, &Listener)], errors: &mut FieldErrors) {
    if listeners.len() > MAX_LISTENERS {
        errors.push(FieldError::new("listeners", "too_many", format!("Use at most {MAX_LISTENERS} listeners.")));
    }
    for (position, (index, listener)) in listeners.iter().enumerate() {
        if listeners[..position].iter().any(|(_, other)| other.port == listener.port) {
            errors.push(FieldError::new(
                format!("listeners[{index}].port"),
                "duplicate",
                format!("Port {} is already used by another listener. Choose another port.", listener.port),
            ));
        }
        if listener.backend_url.points_to_own_port(listener.port) {
            errors.push(FieldError::new(
                format!("listeners[{index}].backendUrl"),
                "loop",
                "This is the listener's own address: requests would go in circles. Enter your website's address.",
            ));
        }
    }
}

/// # Errors
/// When the port is 0, over 65535, or the management API's own.
pub fn check_port(field: String, port: u64) -> Result<u16, FieldError> {
    match u16::try_from(port) {
        Ok(0) | Err(_) => Err(FieldError::new(field, "out_of_range", "Enter a port from 1 to 65535.")),
        Ok(MANAGEMENT_PORT) => Err(FieldError::new(
            field,
            "reserved",
            "Port 6060 is the gateway's own management port. Choose another one.",
        )),
        Ok(port) => Ok(port),
    }
}

/// Where a listener's requests go: `http://host[:port]`, nothing after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendUrl {
    host: String,
    port: u16,
}

impl BackendUrl {
    /// # Errors
    /// One sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let url = url::Url::parse(text).map_err(|_| "Enter a URL such as http://127.0.0.1:3000.".to_owned())?;
        if url.scheme() != "http" {
            return Err(format!("Use http:// here: {}:// backends are not supported.", url.scheme()));
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
        Ok(Self { host: host.to_owned(), port })
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

    fn points_to_own_port(&self, port: u16) -> bool {
        let loopback = matches!(self.host.as_str(), "localhost" | "[::1]") || self.host.starts_with("127.");
        loopback && self.port == port
    }
}

impl std::fmt::Display for BackendUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            80 => write!(f, "http://{}", self.host),
            port => write!(f, "http://{}:{port}", self.host),
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

    fn listener(port: u16, backend: &str) -> Listener {
        Listener { port, backend_url: BackendUrl::parse(backend).expect("valid") }
    }

    #[test]
    fn backend_urls_are_http_hosts_and_nothing_else() {
        for (text, shown) in [
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("http://Example.COM/", "http://example.com"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(BackendUrl::parse(text).map(|url| url.to_string()), Ok(shown.to_owned()));
        }
        for bad in [
            "",
            "example.com",
            "https://example.com",
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

    #[test]
    fn all_problems_are_named_at_once() {
        let config = GatewayConfig {
            listeners: vec![
                listener(80, "http://127.0.0.1:3000"),
                listener(80, "http://127.0.0.1:3001"),
                listener(6060, "http://127.0.0.1:3000"),
                listener(3000, "http://localhost:3000"),
            ],
        };
        let errors = config.validate().expect_err("three problems").into_vec();
        let fields: Vec<_> = errors.iter().map(|error| (error.field.as_str(), error.code.as_str())).collect();
        assert_eq!(
            fields,
            [
                ("listeners[2].port", "reserved"),
                ("listeners[1].port", "duplicate"),
                ("listeners[3].backendUrl", "loop")
            ]
        );
    }

    #[test]
    fn a_new_incarnation_supersedes_every_older_number() {
        let old = ConfigGeneration { incarnation: 1, number: 900 };
        assert!(ConfigGeneration { incarnation: 2, number: 1 } > old);
    }
}
