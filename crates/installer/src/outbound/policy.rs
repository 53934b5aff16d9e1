//! Which addresses the dashboard may connect to.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Denied unless the operator allows it: everything that is not a public unicast address, and
/// the dashboard itself.
#[derive(Debug, Clone, Default)]
pub struct AddressPolicy {
    allowed: Vec<IpNet>,
    own: Vec<IpAddr>,
}

/// Why an address is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Loopback,
    LinkLocal,
    Metadata,
    Private,
    SharedCarrier,
    Multicast,
    Unspecified,
    Documentation,
    Broadcast,
    Reserved,
    DashboardItself,
}

impl Refused {
    /// Addresses that no customer's server has, seen from another machine.
    fn is_never_a_server(self) -> bool {
        matches!(
            self,
            Self::Loopback | Self::LinkLocal | Self::Metadata | Self::Multicast | Self::Unspecified | Self::Broadcast
        )
    }

    /// Who can allow such an address all the same, and where: the end of a message.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        if self.is_never_a_server() {
            "Only whoever starts the dashboard can allow that, with --allow-outbound"
        } else {
            "If you want that, add it to the outbound ranges of the settings"
        }
    }

    /// What the address is, for people.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Loopback => "it means the dashboard's own machine (loopback)",
            Self::LinkLocal => "it is a link-local address",
            Self::Metadata => "it is a cloud provider's metadata service",
            Self::Private => "it is a private address",
            Self::SharedCarrier => "it is an address shared by a carrier (CGNAT)",
            Self::Multicast => "it is a multicast address",
            Self::Unspecified => "it is the unspecified address",
            Self::Documentation => "it is an address reserved for documentation",
            Self::Broadcast => "it is a broadcast address",
            Self::Reserved => "it is a reserved address",
            Self::DashboardItself => "it is the dashboard's own address",
        }
    }
}

/// The IANA special-purpose registries (RFC 6890 and its updates), with the metadata services of
/// the large clouds first. The first match counts.
const DENIED: &[(&str, Refused)] = &[
    ("169.254.169.254/32", Refused::Metadata), // AWS, Google, Azure, DigitalOcean, Hetzner, …
    ("169.254.170.2/32", Refused::Metadata),   // AWS containers
    ("100.100.100.200/32", Refused::Metadata), // Alibaba
    ("168.63.129.16/32", Refused::Metadata),   // Azure's wire server, a public address
    ("192.0.0.192/32", Refused::Metadata),     // Oracle
    ("fd00:ec2::254/128", Refused::Metadata),  // AWS
    ("fd20:ce::254/128", Refused::Metadata),   // Google
    ("0.0.0.0/8", Refused::Unspecified),
    ("10.0.0.0/8", Refused::Private),
    ("100.64.0.0/10", Refused::SharedCarrier),
    ("127.0.0.0/8", Refused::Loopback),
    ("169.254.0.0/16", Refused::LinkLocal),
    ("172.16.0.0/12", Refused::Private),
    ("192.0.0.0/24", Refused::Reserved),
    ("192.0.2.0/24", Refused::Documentation),
    ("192.88.99.0/24", Refused::Reserved),
    ("192.168.0.0/16", Refused::Private),
    ("198.18.0.0/15", Refused::Reserved),
    ("198.51.100.0/24", Refused::Documentation),
    ("203.0.113.0/24", Refused::Documentation),
    ("224.0.0.0/4", Refused::Multicast),
    ("255.255.255.255/32", Refused::Broadcast),
    ("240.0.0.0/4", Refused::Reserved),
    ("::/128", Refused::Unspecified),
    ("::1/128", Refused::Loopback),
    ("::/96", Refused::Reserved),
    ("64:ff9b:1::/48", Refused::Private),
    ("100::/64", Refused::Reserved),
    ("2001::/23", Refused::Reserved), // with Teredo, which embeds IPv4 addresses
    ("2001:db8::/32", Refused::Documentation),
    ("3fff::/20", Refused::Documentation),
    ("5f00::/16", Refused::Reserved),
    ("fc00::/7", Refused::Private),
    ("fe80::/10", Refused::LinkLocal),
    ("fec0::/10", Refused::Private),
    ("ff00::/8", Refused::Multicast),
];

impl AddressPolicy {
    /// `allowed`: ranges that the operator allows although they would be denied.
    /// `own`: the dashboard's own addresses (see [`own_addresses`]), denied unless allowed.
    #[must_use]
    pub fn new(allowed: Vec<IpNet>, own: Vec<IpAddr>) -> Self {
        Self { allowed, own: own.into_iter().map(|address| address.to_canonical()).collect() }
    }

    /// Whether the dashboard may connect to `address`.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, address: IpAddr) -> Result<(), Refused> {
        let address = address.to_canonical();
        let embedded = embedded_v4(address);
        if self.is_allowed(address) || embedded.is_some_and(|inner| self.is_allowed(inner)) {
            return Ok(());
        }
        if self.own.contains(&address) || embedded.is_some_and(|inner| self.own.contains(&inner)) {
            return Err(Refused::DashboardItself);
        }
        denied(address).or_else(|| embedded.and_then(denied)).map_or(Ok(()), Err)
    }

    /// Whether the operator allows `address` by name, public or not. A range around a metadata service does not open that: it
    /// has to be named itself.
    #[must_use]
    pub fn is_allowed(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let metadata = denied(address) == Some(Refused::Metadata);
        self.allowed
            .iter()
            .any(|range| range.contains(&address) && (!metadata || range.prefix_len() == range.max_prefix_len()))
    }

    /// Whether an admin may allow `range` in the settings. What this policy allows already, as the one who starts the dashboard
    /// said, may be named there, too.
    ///
    /// # Errors
    /// Why that would have no effect, or is not for an admin to allow.
    pub fn check_range(&self, range: IpNet) -> Result<(), RangeRefused> {
        if self.allowed.iter().any(|allowed| allowed.contains(&range)) {
            return Ok(());
        }
        let overlapping = || {
            DENIED
                .iter()
                .filter_map(|(text, why)| Some((parse_range(text)?, *why)))
                .filter(|(part, _)| part.contains(&range) || range.contains(part))
        };
        // A metadata service in the middle of a private range stays closed by itself.
        let not_for_admins = |(part, why): &(IpNet, Refused)| {
            why.is_never_a_server() && (*why != Refused::Metadata || part.contains(&range))
        };
        if let Some((part, why)) = overlapping().find(not_for_admins) {
            return Err(RangeRefused::Never { part, why });
        }
        let has_effect = overlapping().next().is_some() || self.own.iter().any(|own| range.contains(own));
        if has_effect { Ok(()) } else { Err(RangeRefused::AllowedAnyway) }
    }
}

/// Why an admin cannot allow a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeRefused {
    /// All of it is public.
    AllowedAnyway,
    /// No customer's server has such an address: only who starts the dashboard can open `part`.
    Never { part: IpNet, why: Refused },
}

fn denied(address: IpAddr) -> Option<Refused> {
    DENIED
        .iter()
        .find(|(range, _)| parse_range(range).is_some_and(|range| range.contains(&address)))
        .map(|(_, why)| *why)
}

fn parse_range(text: &str) -> Option<IpNet> {
    text.parse().ok()
}

/// The IPv4 address to which a translator (64:ff9b::/96, RFC 6052) or 6to4 (2002::/16, RFC 3056)
/// would pass the packets on. Mapped addresses are unmapped before.
fn embedded_v4(address: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(address) = address else { return None };
    let [a, b, c, d, e, f, g, h] = address.segments();
    let join = |high: u16, low: u16| {
        let [[one, two], [three, four]] = [high.to_be_bytes(), low.to_be_bytes()];
        Some(IpAddr::V4(Ipv4Addr::new(one, two, three, four)))
    };
    match [a, b, c, d, e, f] {
        [0x64, 0xff9b, 0, 0, 0, 0] => join(g, h),
        [0x2002, high, low, ..] => join(high, low),
        _ => None,
    }
}

/// The addresses of this machine's interfaces.
///
/// # Errors
/// When the operating system does not tell.
pub fn own_addresses() -> std::io::Result<Vec<IpAddr>> {
    let unspecified = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    Ok(if_addrs::get_if_addrs()?.into_iter().map(|interface| interface.ip()).chain(unspecified).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: &AddressPolicy, address: &str) -> Result<(), Refused> {
        policy.check(address.parse().unwrap())
    }

    #[test]
    fn the_table_parses() {
        for (range, _) in DENIED {
            assert!(parse_range(range).is_some(), "{range}");
        }
    }

    #[test]
    fn public_addresses_pass() {
        for address in ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "2a01:4f8::1", "64:ff9b::101:101", "2002:101:101::1"] {
            assert_eq!(check(&AddressPolicy::default(), address), Ok(()), "{address}");
        }
    }

    #[test]
    fn what_is_not_public_is_denied() {
        for (address, why) in [
            ("127.0.0.1", Refused::Loopback),
            ("127.255.255.254", Refused::Loopback),
            ("::1", Refused::Loopback),
            ("::ffff:127.0.0.1", Refused::Loopback),
            ("64:ff9b::7f00:1", Refused::Loopback),
            ("2002:7f00:1::", Refused::Loopback),
            ("::127.0.0.1", Refused::Reserved),
            ("169.254.169.254", Refused::Metadata),
            ("::ffff:169.254.169.254", Refused::Metadata),
            ("64:ff9b::a9fe:a9fe", Refused::Metadata),
            ("fd00:ec2::254", Refused::Metadata),
            ("168.63.129.16", Refused::Metadata),
            ("169.254.1.1", Refused::LinkLocal),
            ("fe80::1", Refused::LinkLocal),
            ("10.1.2.3", Refused::Private),
            ("172.31.255.255", Refused::Private),
            ("192.168.1.1", Refused::Private),
            ("fd12::1", Refused::Private),
            ("100.64.0.1", Refused::SharedCarrier),
            ("224.0.0.1", Refused::Multicast),
            ("ff02::1", Refused::Multicast),
            ("0.0.0.0", Refused::Unspecified),
            ("::", Refused::Unspecified),
            ("0.1.2.3", Refused::Unspecified),
            ("192.0.2.1", Refused::Documentation),
            ("2001:db8::1", Refused::Documentation),
            ("255.255.255.255", Refused::Broadcast),
            ("240.0.0.1", Refused::Reserved),
            ("2001::1", Refused::Reserved),
        ] {
            assert_eq!(check(&AddressPolicy::default(), address), Err(why), "{address}");
        }
    }

    #[test]
    fn the_dashboard_itself_is_denied_in_every_spelling() {
        let policy = AddressPolicy::new(vec![], vec!["5.9.0.1".parse().unwrap()]);
        for address in ["5.9.0.1", "::ffff:5.9.0.1", "64:ff9b::509:1", "2002:509:1::"] {
            assert_eq!(check(&policy, address), Err(Refused::DashboardItself), "{address}");
        }
        assert_eq!(check(&policy, "5.9.0.2"), Ok(()));
    }

    #[test]
    fn the_operator_can_allow_ranges() {
        let allowed = vec!["127.0.0.0/8".parse().unwrap(), "fd12::/16".parse().unwrap()];
        let policy = AddressPolicy::new(allowed, vec!["127.0.0.1".parse().unwrap()]);
        for address in ["127.0.0.1", "::ffff:127.0.0.1", "fd12::1"] {
            assert_eq!(check(&policy, address), Ok(()), "{address}");
        }
        assert_eq!(check(&policy, "10.0.0.1"), Err(Refused::Private));
        assert_eq!(check(&policy, "::1"), Err(Refused::Loopback));
    }

    #[test]
    fn an_admin_allows_what_has_an_effect_and_can_be_a_server() {
        let policy = AddressPolicy::new(vec!["127.9.0.0/16".parse().unwrap()], vec!["5.9.0.1".parse().unwrap()]);
        let check = |range: &str| policy.check_range(range.parse().unwrap());
        for range in [
            "10.0.0.0/8",
            "10.1.2.3/32",
            "172.0.0.0/8",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "198.18.0.0/15",
            "192.0.2.0/24",
            "fd00::/8",
            // The dashboard's own public address, and what was allowed at its start.
            "5.9.0.1/32",
            "5.9.0.0/16",
            "127.9.9.9/32",
        ] {
            assert_eq!(check(range), Ok(()), "{range}");
        }
        for range in ["1.1.1.1/32", "8.0.0.0/8", "5.9.1.0/24", "2a01:4f8::/32"] {
            assert_eq!(check(range), Err(RangeRefused::AllowedAnyway), "{range}");
        }
        for (range, part, why) in [
            ("127.0.0.1/32", "127.0.0.0/8", Refused::Loopback),
            ("::1/128", "::1/128", Refused::Loopback),
            ("0.0.0.0/0", "0.0.0.0/8", Refused::Unspecified),
            ("::/0", "::/128", Refused::Unspecified),
            ("169.254.169.254/32", "169.254.169.254/32", Refused::Metadata),
            ("100.100.100.200/32", "100.100.100.200/32", Refused::Metadata),
            ("169.254.0.0/16", "169.254.0.0/16", Refused::LinkLocal),
            ("fe80::/10", "fe80::/10", Refused::LinkLocal),
            ("224.0.0.0/8", "224.0.0.0/4", Refused::Multicast),
            ("255.255.255.255/32", "255.255.255.255/32", Refused::Broadcast),
        ] {
            let part = part.parse().unwrap();
            assert_eq!(check(range), Err(RangeRefused::Never { part, why }), "{range}");
        }
    }

    #[test]
    fn a_range_around_a_metadata_service_leaves_it_closed() {
        let wide = AddressPolicy::new(vec!["fd00::/8".parse().unwrap(), "100.64.0.0/10".parse().unwrap()], vec![]);
        assert_eq!(check(&wide, "fd12::1"), Ok(()));
        for address in ["fd00:ec2::254", "100.100.100.200"] {
            assert_eq!(check(&wide, address), Err(Refused::Metadata), "{address}");
        }
        let named = AddressPolicy::new(vec!["100.100.100.200/32".parse().unwrap()], vec![]);
        assert_eq!(check(&named, "100.100.100.200"), Ok(()));
    }

    #[test]
    fn this_machine_knows_its_loopback() {
        assert!(own_addresses().unwrap().contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
}
