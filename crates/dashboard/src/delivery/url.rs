//! Where a webhook goes.

use proxima_installer::outbound::{OutboundError, Refused};
use proxima_installer::target::Host;
use proxima_installer::{AddressPolicy, Outbound};
use proxima_types::FieldError;
use std::net::IpAddr;

const BYTES_MAX: usize = 2048;

/// A checked URL: https, or http to addresses that the operator allowed; no user, no fragment.
#[derive(Debug, Clone)]
pub struct WebhookUrl {
    url: url::Url,
    host: Host,
}

impl WebhookUrl {
    /// # Errors
    /// What is wrong with the field `url`.
    pub fn parse(text: &str, policy: &AddressPolicy) -> Result<Self, FieldError> {
        let refuse = |code: &str, message: &str| Err(FieldError::new("url", code, message));
        let text = text.trim();
        if text.is_empty() {
            return refuse("required", "Enter the URL, such as https://example.com/hooks/proxima.");
        }
        if text.len() > BYTES_MAX {
            return refuse("too_long", "A URL has 2048 bytes at most.");
        }
        let Ok(url) = url::Url::parse(text) else {
            return refuse("invalid", "This is no URL such as https://example.com/hooks/proxima.");
        };
        if !matches!(url.scheme(), "https" | "http") {
            return refuse("invalid", "Use https://.");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("invalid", "Leave out the user and password: requests are signed instead.");
        }
        if url.fragment().is_some() {
            return refuse("invalid", "Leave out what follows the #: it is never sent.");
        }
        let Some(host) = url.host_str().and_then(|host| host.parse::<Host>().ok()) else {
            return refuse("invalid", "The host is a DNS name or an address.");
        };
        if let Host::Address(address) = host {
            if let Err(why) = policy.check(address) {
                return Err(not_allowed(address, why));
            }
            if url.scheme() == "http" && !may_be_plain(policy, address) {
                return refuse("insecure", PLAIN);
            }
        }
        Ok(Self { url, host })
    }

    /// Whether the name of an `http://` URL leads only where plain HTTP may go, as far as can be told now: each delivery looks again.
    ///
    /// # Errors
    /// What is wrong with the field `url`.
    pub async fn check_name(&self, outbound: &Outbound) -> Result<(), FieldError> {
        if self.is_https() {
            return Ok(());
        }
        match outbound.checked_addresses(&self.host).await {
            Ok(addresses) if addresses.iter().all(|address| may_be_plain(outbound.policy(), *address)) => Ok(()),
            Ok(_) => Err(FieldError::new("url", "insecure", PLAIN)),
            Err(OutboundError::Denied { address, why }) => Err(not_allowed(address, why)),
            Err(_) => {
                let message =
                    format!("Use https://. {} has no address now, so plain http:// cannot be allowed.", self.host);
                Err(FieldError::new("url", "insecure", message))
            }
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// `scheme://host[:port]`: what the audit log shows.
    #[must_use]
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    pub(super) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    pub(super) fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(443)
    }

    /// Host and port as a `Host` header has them.
    pub(super) fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    pub(super) fn path_and_query(&self) -> &str {
        &self.url[url::Position::BeforePath..url::Position::AfterQuery]
    }
}

/// Whether what is sent to an address may be read by whoever stands in between: where the operator says that nobody does.
pub(super) fn may_be_plain(policy: &AddressPolicy, address: IpAddr) -> bool {
    policy.is_allowed(address)
}

fn not_allowed(address: IpAddr, why: Refused) -> FieldError {
    let message = format!("{address} is not allowed: {}. {}.", why.sentence(), why.remedy());
    FieldError::new("url", "not_allowed", message)
}

pub(super) const PLAIN: &str =
    "Use https://. Plain http:// goes only to addresses in the outbound ranges of the settings.";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<WebhookUrl, String> {
        let policy = AddressPolicy::new(vec!["10.1.0.0/16".parse().expect("a network")], vec![]);
        WebhookUrl::parse(text, &policy).map_err(|error| error.code)
    }

    #[test]
    fn public_https_and_allowed_http_pass() {
        for (text, path, authority) in [
            ("https://example.com", "/", "example.com"),
            ("https://Example.com:8443/a/b?c=d", "/a/b?c=d", "example.com:8443"),
            ("http://10.1.2.3/x", "/x", "10.1.2.3"),
            ("https://[2606:4700::1111]/", "/", "[2606:4700::1111]"),
            // A name is judged by its addresses, when it is connected to.
            ("http://inside.example/", "/", "inside.example"),
        ] {
            let url = parse(text).expect(text);
            assert_eq!((url.path_and_query(), url.authority().as_str()), (path, authority), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for (text, code) in [
            ("", "required"),
            ("example.com/hook", "invalid"),
            ("ftp://example.com", "invalid"),
            ("file:///etc/passwd", "invalid"),
            ("https://user@example.com/", "invalid"),
            ("https://user:pass@example.com/", "invalid"),
            ("https://example.com/#a", "invalid"),
            ("http://1.1.1.1/", "insecure"),
            ("https://127.0.0.1/", "not_allowed"),
            // Other spellings of loopback.
            ("https://0x7f.1/", "not_allowed"),
            ("https://2130706433/", "not_allowed"),
            ("https://[::ffff:127.0.0.1]/", "not_allowed"),
            ("https://169.254.169.254/latest/meta-data", "not_allowed"),
            ("https://[fd00:ec2::254]/", "not_allowed"),
            ("http://10.2.0.1/", "not_allowed"),
        ] {
            assert_eq!(parse(text).map(drop), Err(code.to_owned()), "{text}");
        }
        assert_eq!(parse(&format!("https://example.com/{}", "x".repeat(2048))).map(drop), Err("too_long".to_owned()));
    }
}
