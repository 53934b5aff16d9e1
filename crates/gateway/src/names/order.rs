//! Which of a name's addresses to try first: what remains of RFC 6724 when the addresses are a
//! backend's or a dashboard's.

use std::net::{IpAddr, UdpSocket};

/// Rule 1: those that can be reached. Rule 5: those whose kind fits the address they would be reached
/// from; a unique local one speaks to unique local ones only. Rule 6: IPv6. Otherwise the order stays.
pub(super) fn most_promising_first(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    if addresses.len() > 1 {
        addresses.sort_by_cached_key(|address| rank(*address, source(*address)));
    }
    addresses
}

fn rank(address: IpAddr, source: Option<IpAddr>) -> (bool, bool, bool) {
    let misfit = source.is_some_and(|source| unique_local(source) != unique_local(address));
    (source.is_none(), misfit, address.is_ipv4())
}

fn unique_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unique_local())
}

/// The address of ours that packets to it would bear, when there is a way. Nothing is sent.
fn source(address: IpAddr) -> Option<IpAddr> {
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect((address, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn ranks_as_rfc_6724() {
        let mut known = [
            ("192.0.2.1", Some("192.0.2.9")),
            ("2001:db8::1", Some("fd00::9")),
            ("2001:db8::2", None),
            ("2001:db8::3", Some("2001:db8::9")),
            ("fd00::1", Some("fd00::9")),
        ];
        known.sort_by_key(|(address, source)| rank(ip(address), source.map(ip)));
        assert_eq!(
            known.map(|(address, _)| address),
            ["2001:db8::3", "fd00::1", "192.0.2.1", "2001:db8::1", "2001:db8::2"]
        );
    }

    #[test]
    fn what_cannot_be_reached_comes_last() {
        // A socket that has not asked for it may not broadcast.
        let addresses = vec![ip("255.255.255.255"), ip("127.0.0.1")];
        assert_eq!(most_promising_first(addresses), [ip("127.0.0.1"), ip("255.255.255.255")]);
    }
}
