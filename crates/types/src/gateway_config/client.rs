//! Who a visitor is, when proxies stand before the gateway (product.md section 6).

use super::is_default;
use crate::field_error::{FieldError, FieldErrors};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// How many ranges one gateway trusts at most, beside Cloudflare's.
pub const MAX_TRUSTED: usize = 256;

/// Proxies whose word on who a visitor is counts. Whatever anybody else says of it is dropped.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustedProxies {
    /// Cloudflare's published ranges.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cloudflare: bool,
    /// Addresses and CIDRs, at most 256.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub forwarded_for: ForwardedFor,
}

/// Which entry of `X-Forwarded-For` is the visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ForwardedFor {
    /// The last that is no trusted proxy: nobody can choose it.
    #[default]
    LastUntrusted,
    /// The first, which a visitor can choose by sending the field: only where a proxy replaces it.
    First,
}

/// An address, or a range with its prefix.
///
/// # Errors
/// One sentence.
pub fn parse_range(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let range = text.parse::<IpNet>().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from));
    let range = range.ok_or("Enter an address such as 192.0.2.7, or a range such as 192.0.2.0/24 or 2001:db8::/32.")?;
    if range.prefix_len() == 0 {
        return Err("Everybody is no proxy: whoever comes could say who they are.".to_owned());
    }
    Ok(range.trunc())
}

pub(super) fn check_trusted(trusted: &TrustedProxies, errors: &mut FieldErrors) {
    if trusted.ranges.len() > MAX_TRUSTED {
        let message = format!("Use at most {MAX_TRUSTED} ranges.");
        errors.push(FieldError::new("trustedProxies.ranges", "too_many", message));
    }
    for (index, range) in trusted.ranges.iter().enumerate() {
        if let Err(message) = parse_range(range) {
            errors.push(FieldError::new(format!("trustedProxies.ranges[{index}]"), "invalid", message));
        }
    }
}

/// Where pictures are: `http://` or `https://`, a host, and perhaps a path.
///
/// # Errors
/// One sentence.
pub fn parse_image_url(text: &str) -> Result<String, String> {
    let text = text.trim().trim_end_matches('/');
    let wrong = || "Enter a URL such as https://images.example.com, without a query.".to_owned();
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic());
    let usable = matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| !host.is_empty());
    if !plain
        || !usable
        || url.query().is_some()
        || url.fragment().is_some()
        || url.password().is_some()
        || !url.username().is_empty()
    {
        return Err(wrong());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_image_urls() {
        for (text, range) in
            [("192.0.2.7", "192.0.2.7/32"), (" 10.1.2.3/8", "10.0.0.0/8"), ("2001:db8::1/32", "2001:db8::/32")]
        {
            assert_eq!(parse_range(text).map(|range| range.to_string()), Ok(range.to_owned()));
        }
        for bad in ["", "x", "0.0.0.0/0", "::/0", "10.0.0.0/33", "10.0.0.1:80"] {
            assert!(parse_range(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_image_url("https://img.test/base//"), Ok("https://img.test/base".to_owned()));
        for bad in [
            "",
            "img.test",
            "ftp://x",
            "https://u:p@x",
            "https://x?y",
            "https://x#y",
            "https://x/a b",
            "https://x/\u{e9}",
        ] {
            assert!(parse_image_url(bad).is_err(), "{bad}");
        }
    }
}
