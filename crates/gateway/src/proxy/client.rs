//! Who a visitor is: the peer of its connection, unless that is a proxy whose word counts (product.md section 6, invariant 4).

use ipnet::IpNet;
use proxima_http1::Fields;
use proxima_types::gateway_config::{ForwardedFor, TrustedProxies, parse_range};
use std::borrow::Cow;
use std::net::IpAddr;

/// Cloudflare's ranges, as https://www.cloudflare.com/ips/ published them on 2025-05-01. To refresh: compare with
/// `ips-v4` and `ips-v6` there; they have changed once since 2020.
const CLOUDFLARE: [&str; 22] = [
    "173.245.48.0/20",
    "103.21.244.0/22",
    "103.22.200.0/22",
    "103.31.4.0/22",
    "141.101.64.0/18",
    "108.162.192.0/18",
    "190.93.240.0/20",
    "188.114.96.0/20",
    "197.234.240.0/22",
    "198.41.128.0/17",
    "162.158.0.0/15",
    "104.16.0.0/13",
    "104.24.0.0/14",
    "172.64.0.0/13",
    "131.0.72.0/22",
    "2400:cb00::/32",
    "2606:4700::/32",
    "2803:f800::/32",
    "2405:b500::/32",
    "2405:8100::/32",
    "2a06:98c0::/29",
    "2c0f:f248::/32",
];
/// Entries of `X-Forwarded-For` that are looked at, from the right.
const MOST_HOPS: usize = 32;

/// Whose word counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trusted {
    ranges: Vec<IpNet>,
    first: bool,
}

/// A visitor, as a request shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Client<'a> {
    pub ip: Cow<'a, str>,
    /// What `X-Forwarded-For` says to the backend: the visitor, and the proxies between it and us.
    pub chain: Cow<'a, str>,
    /// How it came to the outermost proxy, if a trusted one says so.
    pub scheme: Option<&'static str>,
}

impl Trusted {
    /// Of a configuration that is valid.
    pub fn new(proxies: &TrustedProxies) -> Self {
        let cloudflare = CLOUDFLARE.iter().copied().filter(|_| proxies.cloudflare);
        let ranges = cloudflare.chain(proxies.ranges.iter().map(String::as_str));
        Self {
            ranges: ranges.filter_map(|range| parse_range(range).ok()).collect(),
            first: proxies.forwarded_for == ForwardedFor::First,
        }
    }

    fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.ranges.iter().any(|range| range.contains(&address))
    }

    /// Of a request on a connection from `peer`, whose text that is.
    pub(super) fn client<'a>(&self, peer: &'a str, fields: &Fields) -> Client<'a> {
        let itself = Client { ip: Cow::Borrowed(peer), chain: Cow::Borrowed(peer), scheme: None };
        if self.ranges.is_empty() || !peer.parse().is_ok_and(|peer| self.contains(peer)) {
            return itself;
        }
        let one = |name: &str| fields.get(name).and_then(address);
        let (ip, between) = match one("cf-connecting-ip") {
            Some(ip) => (Some(ip), Vec::new()),
            None => match self.forwarded(fields) {
                Some((ip, between)) => (Some(ip), between),
                None => (one("x-real-ip"), Vec::new()),
            },
        };
        let scheme = fields.get("x-forwarded-proto").and_then(|scheme| match scheme {
            b"https" => Some("https"),
            b"http" => Some("http"),
            _ => None,
        });
        let Some(ip) = ip else { return Client { scheme, ..itself } };
        let hops = between.iter().map(IpAddr::to_string).chain([peer.to_owned()]);
        let chain = [ip.to_string()].into_iter().chain(hops).collect::<Vec<_>>().join(", ");
        Client { ip: Cow::Owned(ip.to_string()), chain: Cow::Owned(chain), scheme }
    }

    /// The visitor by `X-Forwarded-For`, and those between it and the peer. An entry that is no address ends the search: what
    /// stands left of it is nobody's word.
    fn forwarded(&self, fields: &Fields) -> Option<(IpAddr, Vec<IpAddr>)> {
        let all: Vec<&[u8]> = fields.all("x-forwarded-for").flat_map(|line| line.split(|&byte| byte == b',')).collect();
        if self.first {
            return Some((all.iter().find_map(|entry| address(entry))?, Vec::new()));
        }
        let mut between = Vec::new();
        for entry in all.iter().rev().take(MOST_HOPS) {
            let address = address(entry)?;
            if !self.contains(address) {
                between.reverse();
                return Some((address, between));
            }
            between.push(address);
        }
        // All of them are trusted: the outermost is the visitor.
        let outermost = between.pop()?;
        between.reverse();
        Some((outermost, between))
    }
}

/// An address as proxies write it: perhaps with a port, in brackets, with white space around it.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let plain = text.parse::<IpAddr>().ok();
    let found = plain.or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip()));
    let found = found.or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())?;
    Some(found.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(proxies: &TrustedProxies, peer: &str, lines: &[(&str, &str)]) -> (String, String, Option<&'static str>) {
        let mut fields = Fields::default();
        lines.iter().for_each(|(name, value)| fields.push(name.as_bytes(), value.as_bytes()));
        let found = Trusted::new(proxies).client(peer, &fields);
        (found.ip.into_owned(), found.chain.into_owned(), found.scheme)
    }

    fn trusting(ranges: &[&str], forwarded_for: ForwardedFor) -> TrustedProxies {
        let ranges = ranges.iter().map(|range| (*range).to_owned()).collect();
        TrustedProxies { cloudflare: false, ranges, forwarded_for }
    }

    #[test]
    fn a_strangers_word_counts_for_nothing() {
        let all = [
            ("CF-Connecting-IP", "6.6.6.6"),
            ("X-Forwarded-For", "6.6.6.6"),
            ("X-Real-IP", "6.6.6.6"),
            ("X-Forwarded-Proto", "https"),
        ];
        let itself = ("192.0.2.1".to_owned(), "192.0.2.1".to_owned(), None);
        assert_eq!(client(&TrustedProxies::default(), "192.0.2.1", &all), itself);
        assert_eq!(client(&trusting(&["10.0.0.0/8"], ForwardedFor::LastUntrusted), "192.0.2.1", &all), itself);
        let cloudflare = TrustedProxies { cloudflare: true, ..TrustedProxies::default() };
        assert_eq!(client(&cloudflare, "192.0.2.1", &all), itself);
        assert_eq!(client(&cloudflare, "172.71.3.4", &all).0, "6.6.6.6");
        assert_eq!(client(&cloudflare, "2606:4700::1", &all).0, "6.6.6.6");
    }

    #[test]
    fn the_chain_is_walked_from_the_right_past_trusted_proxies() {
        let walk = |field: &str| {
            client(&trusting(&["10.0.0.0/8"], ForwardedFor::LastUntrusted), "10.0.0.1", &[("X-Forwarded-For", field)])
        };
        let is = |ip: &str, chain: &str| (ip.to_owned(), chain.to_owned(), None);
        assert_eq!(
            walk("6.6.6.6, 192.0.2.7"),
            is("192.0.2.7", "192.0.2.7, 10.0.0.1"),
            "what it sent itself is left out"
        );
        assert_eq!(
            walk("6.6.6.6, 192.0.2.7, 10.9.9.9,10.8.8.8"),
            is("192.0.2.7", "192.0.2.7, 10.9.9.9, 10.8.8.8, 10.0.0.1")
        );
        assert_eq!(walk("10.3.3.3, 10.2.2.2"), is("10.3.3.3", "10.3.3.3, 10.2.2.2, 10.0.0.1"));
        assert_eq!(walk("192.0.2.7:4711"), is("192.0.2.7", "192.0.2.7, 10.0.0.1"));
        assert_eq!(walk("[2001:db8::7]:1"), is("2001:db8::7", "2001:db8::7, 10.0.0.1"));
        assert_eq!(walk("::ffff:192.0.2.7"), is("192.0.2.7", "192.0.2.7, 10.0.0.1"));
        assert_eq!(
            walk("6.6.6.6, unknown, 10.2.2.2"),
            is("10.0.0.1", "10.0.0.1"),
            "nobody vouches for what stands left of nonsense"
        );
        assert_eq!(walk(""), is("10.0.0.1", "10.0.0.1"));
        let first = client(
            &trusting(&["10.0.0.0/8"], ForwardedFor::First),
            "10.0.0.1",
            &[("X-Forwarded-For", "x, 6.6.6.6, 192.0.2.7")],
        );
        assert_eq!(first.0, "6.6.6.6");
    }

    #[test]
    fn cloudflares_field_then_the_chain_then_the_real_ip() {
        let proxies = trusting(&["10.0.0.1"], ForwardedFor::LastUntrusted);
        let lines = [
            ("X-Real-IP", "192.0.2.3"),
            ("X-Forwarded-For", "192.0.2.2"),
            ("CF-Connecting-IP", "192.0.2.1"),
            ("X-Forwarded-Proto", "https"),
        ];
        assert_eq!(
            client(&proxies, "10.0.0.1", &lines),
            ("192.0.2.1".to_owned(), "192.0.2.1, 10.0.0.1".to_owned(), Some("https"))
        );
        assert_eq!(client(&proxies, "10.0.0.1", &lines[..2]).0, "192.0.2.2");
        assert_eq!(client(&proxies, "10.0.0.1", &lines[..1]).0, "192.0.2.3");
        assert_eq!(
            client(&proxies, "10.0.0.1", &[("CF-Connecting-IP", "nonsense"), lines[0]]).0,
            "192.0.2.3",
            "the first valid one"
        );
        let two = [("X-Forwarded-For", "192.0.2.5"), ("X-Forwarded-For", "192.0.2.6")];
        assert_eq!(client(&proxies, "10.0.0.1", &two).0, "192.0.2.6", "two lines are one list");
    }
}
