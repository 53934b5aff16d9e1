//! Connections that the dashboard makes to addresses that customers gave: a name is resolved
//! ONCE, every address is checked, and the connection goes to a checked address. Nothing is
//! resolved a second time, so a name that changes its answer gains nothing.

mod policy;

pub use policy::{AddressPolicy, RangeRefused, Refused, own_addresses};

use crate::target::Host;
use async_trait::async_trait;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// Addresses of one name that are tried, at most.
const ADDRESSES_MAX: usize = 8;
/// Time for one address, so that a silent one does not use up the time of the next.
const ADDRESS_LIMIT: Duration = Duration::from_secs(10);

/// Turns a name into addresses. A trait, so that tests can change the answer between calls.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// # Errors
    /// When the name has no address or nobody answers.
    async fn resolve(&self, name: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The operating system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// How the dashboard connects to what customers name. Cheap to clone.
#[derive(Clone)]
pub struct Outbound {
    policy: Arc<AddressPolicy>,
    resolver: Arc<dyn Resolver>,
    limit: Duration,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The name has no address, or the resolver did not answer.
    #[error("the name {host} has no address")]
    Unresolved { host: String },
    /// At least one of the name's addresses may not be connected to.
    #[error("{address} is not allowed: {}", .why.sentence())]
    Denied { address: IpAddr, why: Refused },
    /// The host answered that nothing listens there.
    #[error("{address} refused the connection")]
    ConnectionRefused { address: SocketAddr },
    #[error("no answer from {host} within {seconds} s")]
    TimedOut { host: String, seconds: u64 },
    /// Any other failure, in the operating system's words.
    #[error("{address} cannot be reached: {reason}")]
    Unreachable { address: SocketAddr, reason: String },
}

impl Outbound {
    /// `limit` is for resolving and connecting together.
    #[must_use]
    pub fn new(policy: AddressPolicy, resolver: Arc<dyn Resolver>, limit: Duration) -> Self {
        Self { policy: Arc::new(policy), resolver, limit }
    }

    #[must_use]
    pub fn policy(&self) -> &AddressPolicy {
        &self.policy
    }

    /// For resolving and connecting together.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Resolves once and checks every address: one refused address refuses the name, because a
    /// name that mixes public and inner addresses is not one to follow.
    ///
    /// # Errors
    /// [`OutboundError::Unresolved`], [`OutboundError::Denied`] or [`OutboundError::TimedOut`].
    pub async fn checked_addresses(&self, host: &Host) -> Result<Vec<IpAddr>, OutboundError> {
        let addresses = match host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => {
                let unresolved = || OutboundError::Unresolved { host: name.clone() };
                tokio::time::timeout(self.limit, self.resolver.resolve(name))
                    .await
                    .map_err(|_| self.timed_out(host))?
                    .map_err(|_| unresolved())?
            }
        };
        if addresses.is_empty() {
            return Err(OutboundError::Unresolved { host: host.to_string() });
        }
        for address in &addresses {
            self.policy.check(*address).map_err(|why| OutboundError::Denied { address: *address, why })?;
        }
        Ok(addresses)
    }

    /// A TCP connection to a checked address of `host`.
    ///
    /// # Errors
    /// The reason of the last address tried.
    pub async fn connect(&self, host: &Host, port: u16) -> Result<TcpStream, OutboundError> {
        let deadline = Instant::now() + self.limit;
        let addresses = self.checked_addresses(host).await?;
        let mut last = None;
        for address in addresses.into_iter().take(ADDRESSES_MAX) {
            let address = SocketAddr::new(address, port);
            let until = deadline.min(Instant::now() + ADDRESS_LIMIT);
            match timeout_at(until, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Small packets of the handshake and of JSON lines should not wait for each other.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                    last = Some(OutboundError::ConnectionRefused { address });
                }
                Ok(Err(error)) => {
                    last = Some(OutboundError::Unreachable { address, reason: error.kind().to_string() });
                }
                Err(_) => last = Some(self.timed_out(host)),
            }
        }
        Err(last.unwrap_or_else(|| OutboundError::Unresolved { host: host.to_string() }))
    }

    fn timed_out(&self, host: &Host) -> OutboundError {
        OutboundError::TimedOut { host: host.to_string(), seconds: self.limit.as_secs() }
    }
}
