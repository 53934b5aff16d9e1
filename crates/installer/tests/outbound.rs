//! The dashboard connects only to addresses that were checked, and never asks for them twice.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use async_trait::async_trait;
use proxima_installer::outbound::{OutboundError, Refused};
use proxima_installer::target::Host;
use proxima_installer::{AddressPolicy, Outbound, Problem, Resolver, Target, probe_host_key};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;

/// Gives the next answer at each call, the last one for ever.
struct Fickle {
    answers: Vec<Vec<&'static str>>,
    calls: AtomicUsize,
}

#[async_trait]
impl Resolver for Fickle {
    async fn resolve(&self, _name: &str) -> std::io::Result<Vec<IpAddr>> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst).min(self.answers.len() - 1);
        Ok(self.answers[call].iter().map(|address| address.parse().unwrap()).collect())
    }
}

fn outbound(allowed: &[&str], answers: &[&[&'static str]]) -> (Outbound, Arc<Fickle>) {
    let answers = answers.iter().map(|answer| answer.to_vec()).collect();
    let resolver = Arc::new(Fickle { answers, calls: AtomicUsize::new(0) });
    let allowed = allowed.iter().map(|range| range.parse().unwrap()).collect();
    let policy = AddressPolicy::new(allowed, vec![]);
    (Outbound::new(policy, resolver.clone(), Duration::from_secs(20)), resolver)
}

fn name() -> Host {
    "vps.example.com".parse().unwrap()
}

#[tokio::test]
async fn a_name_is_resolved_once_and_the_checked_address_is_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // The second answer is one that nobody listens on: whoever asked twice would fail.
    let (outbound, resolver) = outbound(&["127.0.0.1/32"], &[&["127.0.0.1"], &["127.0.0.2"]]);
    let stream = outbound.connect(&name(), port).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap().to_string(), format!("127.0.0.1:{port}"));
    assert_eq!(resolver.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_name_that_changes_to_an_inner_address_gains_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (outbound, resolver) = outbound(&[], &[&["1.1.1.1"], &["127.0.0.1"]]);
    assert_eq!(outbound.checked_addresses(&name()).await.unwrap(), ["1.1.1.1".parse::<IpAddr>().unwrap()]);
    // The next connection asks again, and is refused: an answer is never carried over unchecked.
    let denied = outbound.connect(&name(), port).await.unwrap_err();
    assert_eq!(denied, OutboundError::Denied { address: "127.0.0.1".parse().unwrap(), why: Refused::Loopback });
    assert_eq!(resolver.calls.load(Ordering::SeqCst), 2);
    assert!(tokio::time::timeout(Duration::from_millis(100), listener.accept()).await.is_err());
}

#[tokio::test]
async fn one_denied_address_denies_the_name() {
    for inner in ["127.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "10.0.0.1", "fd00::1", "64:ff9b::7f00:1"] {
        let (outbound, _) = outbound(&[], &[&["1.1.1.1", inner]]);
        let error = outbound.connect(&name(), 22).await.unwrap_err();
        assert!(matches!(error, OutboundError::Denied { .. }), "{inner}: {error:?}");
    }
}

#[tokio::test]
async fn literals_are_checked_too() {
    for host in ["127.0.0.1", "169.254.169.254", "[::ffff:127.0.0.1]", "::1", "[::]", "0.0.0.0"] {
        let (outbound, resolver) = outbound(&[], &[&["1.1.1.1"]]);
        let target = Target::new(host, 22, "root").unwrap();
        let problem = probe_host_key(&target, &outbound).await.unwrap_err();
        assert_eq!(problem.report().code, "ADDRESS_DENIED", "{host}");
        assert!(matches!(problem, Problem::Outbound(OutboundError::Denied { .. })));
        assert_eq!(resolver.calls.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn a_refused_connection_and_an_unknown_name_differ() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let (refusing, _) = outbound(&["127.0.0.0/8"], &[&["127.0.0.1"]]);
    let error = refusing.connect(&name(), port).await.unwrap_err();
    assert!(matches!(error, OutboundError::ConnectionRefused { .. }), "{error:?}");
    let (unknown, _) = outbound(&[], &[&[]]);
    let error = unknown.connect(&name(), 22).await.unwrap_err();
    assert_eq!(error, OutboundError::Unresolved { host: "vps.example.com".into() });
}

#[tokio::test]
async fn the_second_address_is_tried_when_the_first_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (outbound, _) = outbound(&["127.0.0.0/8"], &[&["127.0.0.2", "127.0.0.1"]]);
    let stream = outbound.connect(&name(), port).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap().ip().to_string(), "127.0.0.1");
}
