use super::*;
use std::net::Ipv4Addr;

fn stranger(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + number).into()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn no_list_is_everybody_and_an_empty_list_nobody() {
    let now = Instant::now();
    let allows = |list: Option<&[&str]>, address: &str| {
        let list = list.map(|nets| nets.iter().map(|net| net.parse().expect("a net")).collect());
        Gate::new(list, now).admit(address.parse().expect("an address"), now).is_some()
    };
    assert!(allows(None, "192.0.2.1"));
    assert!(!allows(Some(&[]), "192.0.2.1"));
    assert!(!allows(Some(&[]), "127.0.0.1"));
    assert!(allows(Some(&["192.0.2.0/24"]), "192.0.2.1"));
    assert!(allows(Some(&["192.0.2.0/24"]), "::ffff:192.0.2.1"));
    assert!(!allows(Some(&["192.0.2.0/24"]), "192.0.3.1"));
    assert!(allows(Some(&["2001:db8::/32"]), "2001:db8::1"));
}

#[test]
fn one_peer_has_few_connections_and_they_come_back() {
    let now = Instant::now();
    let gate = Gate::new(None, now);
    let mut held: Vec<_> = (0..CONNECTIONS_PER_PEER).map(|_| gate.admit(stranger(1), now).expect("room")).collect();
    assert!(gate.admit(stranger(1), now).is_none());
    assert!(gate.admit(stranger(2), now).is_some(), "another is not concerned");
    held.pop();
    assert!(gate.admit(stranger(1), now).is_some());
}

#[test]
fn a_whole_64_of_ipv6_is_one_peer() {
    let now = Instant::now();
    let gate = Gate::new(None, now);
    let address = |text: &str| text.parse().expect("an address");
    let held: Vec<_> =
        (0..CONNECTIONS_PER_PEER).map(|n| gate.admit(address(&format!("2001:db8::{n}")), now).expect("room")).collect();
    assert!(gate.admit(address("2001:db8::ffff:1"), now).is_none());
    assert!(gate.admit(address("2001:db8:0:1::1"), now).is_some());
    drop(held);
}

#[test]
fn all_together_have_a_bounded_number_of_connections() {
    let now = Instant::now();
    let gate = Gate::new(None, now);
    let held: Vec<_> = (0..CONNECTIONS).map(|n| gate.admit(stranger(n), now).expect("room")).collect();
    assert!(gate.admit(stranger(9999), now).is_none());
    drop(held);
    assert!(gate.admit(stranger(9999), now).is_some());
}

#[test]
fn arrivals_are_limited_and_a_proved_peer_passes_a_strangers_flood() {
    let start = Instant::now();
    let gate = Gate::new(None, start);
    gate.admit(stranger(0), start).expect("room").proved();
    let admitted = (0..100).filter(|_| gate.admit(stranger(1), start).is_some()).count();
    assert_eq!(admitted, 30, "one peer's burst");
    let admitted = (2..500).filter(|n| gate.admit(stranger(*n), start).is_some()).count();
    assert!(admitted < 200, "{admitted}");
    assert!(gate.admit(stranger(600), start).is_none(), "everybody's burst is gone");
    assert!(gate.admit(stranger(0), start).is_some(), "but not for the dashboard");
    assert!(gate.admit(stranger(600), start + seconds(1)).is_some());
    assert!(gate.admit(stranger(1), start + seconds(1)).is_some());
}

#[test]
fn failures_make_wait_and_time_forgives() {
    let start = Instant::now();
    let gate = Gate::new(None, start);
    let peer = gate.admit(stranger(1), start).expect("room");
    for _ in 0..10 {
        assert_eq!(peer.may_try(start), Ok(()));
        peer.failed(start);
    }
    let wait = peer.may_try(start).expect_err("too many");
    assert_eq!(wait.as_secs_f64().round() as u64, 6);
    assert_eq!(peer.may_try(start + wait + seconds(1)), Ok(()));
    let other = gate.admit(stranger(2), start).expect("room");
    assert_eq!(other.may_try(start), Ok(()));
}

#[test]
fn a_proved_peer_is_not_locked_out_by_others_failures() {
    let start = Instant::now();
    let gate = Gate::new(None, start);
    let dashboard = gate.admit(stranger(0), start).expect("room");
    dashboard.proved();
    for n in 1..=100 {
        gate.admit(stranger(n), start).expect("room").failed(start);
    }
    assert!(gate.admit(stranger(500), start).expect("room").may_try(start).is_err(), "everybody's are spent");
    assert_eq!(dashboard.may_try(start), Ok(()));
    for _ in 0..10 {
        dashboard.failed(start);
    }
    assert!(dashboard.may_try(start).is_err(), "its own count");
}

#[test]
fn memory_is_bounded_and_the_proved_are_kept() {
    let start = Instant::now();
    let gate = Gate::new(None, start);
    gate.admit(stranger(0), start).expect("room").proved();
    let mut now = start;
    for n in 1..20_000 {
        now += Duration::from_millis(25);
        if let Some(peer) = gate.admit(stranger(n), now) {
            peer.failed(now);
        }
        assert!(gate.state().peers.len() <= PEERS);
    }
    assert!(gate.state().peers.contains_key(&Peer::of(stranger(0))));
    assert!(gate.admit(stranger(1_000_000), now + seconds(120)).is_some(), "idle ones make room");
}
