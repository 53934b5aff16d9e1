//! Who may connect, how often, and how often a wrong secret may be tried. Bounded in memory
//! whatever strangers do (invariant 5). Pure: time comes in.

use ipnet::IpNet;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Connections at one time, of everybody and of one peer.
const CONNECTIONS: u32 = 64;
const CONNECTIONS_PER_PEER: u32 = 8;
/// New connections of one peer: so many at once, then so many a second.
const ARRIVALS: Rate = Rate { burst: 30.0, per_second: 2.0 };
/// New connections of everybody: what one thread can greet without feeling it.
const ALL_ARRIVALS: Rate = Rate { burst: 200.0, per_second: 50.0 };
/// Wrong secrets of one peer, and of everybody.
const FAILURES: Rate = Rate { burst: 10.0, per_second: 1.0 / 6.0 };
const ALL_FAILURES: Rate = Rate { burst: 100.0, per_second: 1.0 };
/// Peers remembered at one time.
const PEERS: usize = 1024;
/// How often the remembered peers are looked through at most.
const SWEEP: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy)]
struct Rate {
    burst: f64,
    per_second: f64,
}

/// A token bucket.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn full(rate: Rate, now: Instant) -> Self {
        Self { tokens: rate.burst, at: now }
    }

    fn tokens(&mut self, rate: Rate, now: Instant) -> f64 {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * rate.per_second;
        (self.tokens, self.at) = ((self.tokens + gained).min(rate.burst), now);
        self.tokens
    }

    fn take(&mut self, rate: Rate, now: Instant) -> bool {
        let enough = self.tokens(rate, now) >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }

    /// The time until there is a token again.
    fn wait(&mut self, rate: Rate, now: Instant) -> Duration {
        Duration::from_secs_f64((1.0 - self.tokens(rate, now)).max(0.0) / rate.per_second)
    }
}

/// One address, or for IPv6 the /64 that one machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Peer(IpAddr);

impl Peer {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => Self(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into()),
            address @ IpAddr::V4(_) => Self(address),
        }
    }
}

#[derive(Debug)]
struct Known {
    connections: u32,
    arrivals: Bucket,
    failures: Bucket,
    /// Has shown the secret: other people's failures do not count against it.
    proved: bool,
}

#[derive(Debug)]
struct State {
    peers: HashMap<Peer, Known>,
    connections: u32,
    arrivals: Bucket,
    failures: Bucket,
    swept: Instant,
}

impl State {
    /// This peer, if there is a place for it.
    fn known(&mut self, peer: Peer, now: Instant) -> Option<&mut Known> {
        if !self.peers.contains_key(&peer) && self.peers.len() >= PEERS {
            if now.saturating_duration_since(self.swept) < SWEEP {
                return None;
            }
            self.swept = now;
            self.peers.retain(|_, known| {
                let idle = known.connections == 0
                    && known.arrivals.tokens(ARRIVALS, now) >= ARRIVALS.burst
                    && known.failures.tokens(FAILURES, now) >= FAILURES.burst;
                known.proved || !idle
            });
            if self.peers.len() >= PEERS {
                return None;
            }
        }
        Some(self.peers.entry(peer).or_insert_with(|| Known {
            connections: 0,
            arrivals: Bucket::full(ARRIVALS, now),
            failures: Bucket::full(FAILURES, now),
            proved: false,
        }))
    }
}

#[derive(Debug)]
pub(super) struct Gate {
    /// `None` is everybody, an empty list nobody (invariant 11).
    allow: Option<Vec<IpNet>>,
    state: Mutex<State>,
}

impl Gate {
    pub(super) fn new(allow: Option<Vec<IpNet>>, now: Instant) -> Arc<Self> {
        let state = State {
            peers: HashMap::new(),
            connections: 0,
            arrivals: Bucket::full(ALL_ARRIVALS, now),
            failures: Bucket::full(ALL_FAILURES, now),
            swept: now,
        };
        Arc::new(Self { allow, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.allow.as_ref().is_none_or(|nets| nets.iter().any(|net| net.contains(&address)))
    }

    /// Lets one connection in until the admission is dropped.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr, now: Instant) -> Option<Admission> {
        if !self.allows(address) {
            return None;
        }
        let peer = Peer::of(address);
        let mut state = self.state();
        let free = state.connections < CONNECTIONS;
        let known = state.known(peer, now)?;
        if !free || known.connections >= CONNECTIONS_PER_PEER || !known.arrivals.take(ARRIVALS, now) {
            return None;
        }
        let proved = known.proved;
        if !state.arrivals.take(ALL_ARRIVALS, now) && !proved {
            return None;
        }
        state.connections += 1;
        state.known(peer, now)?.connections += 1;
        Some(Admission { gate: Arc::clone(self), peer, address })
    }
}

/// One admitted connection.
#[derive(Debug)]
pub(super) struct Admission {
    gate: Arc<Gate>,
    peer: Peer,
    address: IpAddr,
}

impl Admission {
    /// For the log.
    pub(super) fn address(&self) -> IpAddr {
        self.address.to_canonical()
    }

    /// Whether a secret may be tried now.
    ///
    /// # Errors
    /// How long to wait: too many were wrong.
    pub(super) fn may_try(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.gate.state();
        let all = state.failures.wait(ALL_FAILURES, now);
        let Some(known) = state.peers.get_mut(&self.peer) else { return Ok(()) };
        let own = known.failures.wait(FAILURES, now);
        let wait = if known.proved { own } else { own.max(all) };
        if wait.is_zero() { Ok(()) } else { Err(wait) }
    }

    /// The secret was wrong.
    pub(super) fn failed(&self, now: Instant) {
        let mut state = self.gate.state();
        state.failures.take(ALL_FAILURES, now);
        if let Some(known) = state.peers.get_mut(&self.peer) {
            known.failures.take(FAILURES, now);
        }
    }

    /// The secret was right.
    pub(super) fn proved(&self) {
        if let Some(known) = self.gate.state().peers.get_mut(&self.peer) {
            known.proved = true;
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        state.connections = state.connections.saturating_sub(1);
        if let Some(known) = state.peers.get_mut(&self.peer) {
            known.connections = known.connections.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests;
