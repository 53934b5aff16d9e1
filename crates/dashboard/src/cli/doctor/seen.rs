//! Whom the dashboard takes a client for, behind whatever proxies: what the audit log's addresses and the throttles of
//! sign-ins stand on.

use super::Finding;
use super::public::{client, stands_behind_a_proxy};
use crate::config::ServeArgs;
use crate::entropy::{EntropyExt as _, OsEntropy};
use crate::http::health::{Seen, WHO_AM_I, proof};
use crate::keyring::Keyring;
use crate::listen::is_trusted;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};

/// What a client that lies writes into `X-Forwarded-For`; nobody has this address (RFC 5737).
const LIE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 99);

/// Asks through the public URL; nothing where that leads elsewhere, which is said by another finding.
pub(super) async fn client_address(args: &ServeArgs) -> Option<Finding> {
    let url = args.public_url.as_ref()?;
    let keyring = Keyring::load(&args.data.key_file()).ok()?;
    let proof = proof(&keyring, OsEntropy.uuid().to_string()).ok()?;
    let asked = client()
        .ok()?
        .get(format!("{}/healthz", url.origin().ascii_serialization()))
        .header(WHO_AM_I, proof)
        .header("x-forwarded-for", LIE.to_string());
    let answer = asked.send().await.ok()?.bytes().await.ok()?;
    let seen: Seen = serde_json::from_slice(&answer).ok()?;
    Some(judge(&seen, &args.trusted_proxies, stands_behind_a_proxy(args)))
}

/// Whether all that the proxies have written behind what we wrote are proxies themselves: then this machine is one of them.
fn is_one_of_them(seen: &Seen, trusted: &[IpNet]) -> bool {
    let lie = LIE.to_string();
    let mut hops = seen.forwarded.iter().flat_map(|line| line.split(',')).map(str::trim);
    let behind: Vec<Option<IpAddr>> = match hops.find(|hop| *hop == lie) {
        Some(_) => hops.map(|hop| hop.parse().ok()).collect(),
        None => return false,
    };
    !behind.is_empty() && behind.iter().all(|hop| hop.is_some_and(|address| is_trusted(trusted, address)))
}

fn judge(seen: &Seen, trusted: &[IpNet], proxied: bool) -> Finding {
    let name = "client address";
    let (Some(peer), Some(client)) = (seen.peer, seen.client) else {
        return Finding::note(name, "the dashboard does not know whose connection it is");
    };
    let lie = LIE.to_string();
    let as_it_was = seen.forwarded == [lie.clone()];
    if client == IpAddr::V4(LIE) && is_one_of_them(seen, trusted) {
        return Finding::note(
            name,
            "this machine is itself one of trusted_proxies, so it is believed what it says of others: run doctor elsewhere to see more",
        );
    }
    if client == IpAddr::V4(LIE) {
        let whose = if as_it_was {
            "passes X-Forwarded-For on as a client wrote it"
        } else {
            "puts the client's address in front"
        };
        return Finding::problem(
            name,
            format!(
                "anybody can choose the address that the audit log and the limits of sign-ins have for them: {peer} is one of trusted_proxies, \
                 and {whose}. Let it add the client's address at the end (nginx: `proxy_set_header X-Forwarded-For \
                 $proxy_add_x_forwarded_for`), and take it out of trusted_proxies if it is no proxy"
            ),
        );
    }
    if client == peer && (proxied || !as_it_was) && !seen.forwarded.is_empty() {
        return Finding::problem(
            name,
            format!(
                "a proxy at {peer} stands in front, and is not one of trusted_proxies: the audit log and the limits of sign-ins take \
                 everybody for it. Write trusted_proxies = [\"{peer}\"]"
            ),
        );
    }
    if client == peer && seen.forwarded.is_empty() {
        return Finding::problem(
            name,
            format!(
                "the proxy at {peer} sends no X-Forwarded-For: the audit log and the limits of sign-ins take everybody for it. Let it"
            ),
        );
    }
    Finding::ok(name, format!("this machine is taken for {client}, and cannot pretend to be another one"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Level;

    #[test]
    fn an_address_that_is_the_proxys_or_the_clients_own_word_is_a_problem() {
        let trusted: [IpNet; 1] = ["10.0.0.0/8".parse().expect("a network")];
        for (peer, client, forwarded, level, part) in [
            // Straight, and past a proxy that adds or replaces.
            ("203.0.113.7", "203.0.113.7", &["192.0.2.99"][..], Level::Ok, "taken for 203.0.113.7"),
            ("10.0.0.1", "203.0.113.7", &["192.0.2.99, 203.0.113.7"], Level::Ok, "taken for 203.0.113.7"),
            ("10.0.0.1", "203.0.113.7", &["203.0.113.7"], Level::Ok, "taken for 203.0.113.7"),
            // Not trusted; silent; trusting; the wrong way round.
            ("10.0.0.1", "10.0.0.1", &["192.0.2.99, 203.0.113.7"], Level::Problem, "trusted_proxies = [\"10.0.0.1\"]"),
            ("10.0.0.1", "10.0.0.1", &[], Level::Problem, "sends no X-Forwarded-For"),
            ("10.0.0.1", "192.0.2.99", &["192.0.2.99, 10.0.0.5"], Level::Note, "itself one of trusted_proxies"),
            ("10.0.0.1", "192.0.2.99", &["192.0.2.99"], Level::Problem, "as a client wrote it"),
            ("10.0.0.1", "192.0.2.99", &["203.0.113.7", "192.0.2.99"], Level::Problem, "in front"),
        ] {
            let seen = Seen {
                peer: peer.parse().ok(),
                client: client.parse().ok(),
                forwarded: forwarded.iter().map(|&line| line.to_owned()).collect(),
            };
            let found = judge(&seen, &trusted, false);
            assert!(found.level == level && found.text.contains(part), "{seen:?}: {found:?}");
        }
    }

    #[test]
    fn a_proxy_that_must_be_there_and_is_not_named_is_a_problem() {
        let peer = "10.0.0.1".parse().ok();
        let seen = Seen { peer, client: peer, forwarded: vec![LIE.to_string()] };
        assert_eq!(judge(&seen, &[], true).level, Level::Problem);
        assert_eq!(judge(&seen, &[], false).level, Level::Ok);
    }
}
