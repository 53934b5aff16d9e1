//! Names to addresses, without the C library: its resolver does not work in a static program.
//! First the hosts file, then the name servers of resolv.conf(5) with its search domains; both
//! files are read again when they have changed. Answers are kept for as long as they allow, at
//! most an hour, and a name that is not there for ten seconds.

mod order;
#[cfg(test)]
mod tests;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::system_conf::parse_resolv_conf;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const KEPT_AT_MOST: Duration = Duration::from_secs(3600);
const ABSENCE_KEPT_AT_MOST: Duration = Duration::from_secs(10);
/// For all servers, search domains and tries: less than connecting may take, so that one learns that it was the name.
const PATIENCE: Duration = Duration::from_secs(4);
/// For one server to answer one question, whatever resolv.conf allows: another try must fit into [`PATIENCE`].
const PATIENCE_PER_TRY: Duration = Duration::from_millis(1500);
/// Answers, not names.
const CACHE_SIZE: u64 = 64;

/// Resolves names, on the runtime of whoever asks first; to be used on that one only.
#[derive(Clone)]
pub struct Names(Arc<Inner>);

struct Inner {
    hosts: Watched<HashMap<String, Vec<IpAddr>>>,
    servers: Watched<TokioResolver>,
    /// Of the name servers; resolv.conf cannot say another than 53.
    port: u16,
}

impl Default for Names {
    fn default() -> Self {
        Self::new("/etc/hosts".into(), "/etc/resolv.conf".into(), 53)
    }
}

impl Names {
    fn new(hosts: PathBuf, resolv_conf: PathBuf, port: u16) -> Self {
        Self(Arc::new(Inner { hosts: Watched::new(hosts), servers: Watched::new(resolv_conf), port }))
    }

    /// The addresses of a host name or IP address, most promising first (RFC 6724); never none.
    ///
    /// # Errors
    /// One sentence that names the name.
    pub async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![address]);
        }
        let hosts = self.0.hosts.current(|text| Ok(parse_hosts(text)))?;
        if let Some(addresses) = hosts.get(&key(host)) {
            return Ok(order::most_promising_first(addresses.clone()));
        }
        let servers = self.0.servers.current(|text| servers(text, self.0.port))?;
        let found = tokio::time::timeout(PATIENCE, servers.lookup_ip(host))
            .await
            .map_err(|_| io::Error::other(format!("the name {host} cannot be resolved: no name server answered")))?
            .map_err(|error| io::Error::other(format!("the name {host} cannot be resolved: {error}")))?;
        let addresses: Vec<IpAddr> = found.iter().collect();
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("the name {host} has no address")));
        }
        Ok(order::most_promising_first(addresses))
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let names = self.clone();
        Box::pin(async move {
            let addresses = names.addresses(name.as_str()).await?;
            // The URL's port takes the place of 0.
            let sockets: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(sockets)
        })
    }
}

/// Host names are compared without case and without the final dot.
fn key(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// hosts(5); lines that make no sense are passed over, as the C library does.
fn parse_hosts(text: &str) -> HashMap<String, Vec<IpAddr>> {
    let mut hosts: HashMap<String, Vec<IpAddr>> = HashMap::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(Ok(address)) = words.next().map(str::parse::<IpAddr>) else { continue };
        for name in words {
            let known = hosts.entry(key(name)).or_default();
            if !known.contains(&address) {
                known.push(address);
            }
        }
    }
    hosts
}

fn servers(resolv_conf: &str, port: u16) -> io::Result<TokioResolver> {
    // Without one, the name server is this machine (resolv.conf(5)).
    let (read, mut options) = parse_resolv_conf(resolv_conf)
        .or_else(|_| parse_resolv_conf(format!("{resolv_conf}\nnameserver 127.0.0.1\n")))
        .map_err(|error| io::Error::other(format!("resolv.conf cannot be used: {error}")))?;
    set_options(&mut options);
    let mut servers = read.name_servers().to_vec();
    servers.iter_mut().flat_map(|server| &mut server.connections).for_each(|connection| connection.port = port);
    let config = ResolverConfig::from_parts(read.domain().cloned(), read.search().to_vec(), servers);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .with_options(options)
        .build()
        .map_err(|error| io::Error::other(format!("name resolution cannot be set up: {error}")))
}

fn set_options(options: &mut ResolverOpts) {
    options.ip_strategy = LookupIpStrategy::Ipv6AndIpv4;
    options.timeout = options.timeout.min(PATIENCE_PER_TRY);
    options.use_hosts_file = ResolveHosts::Never;
    options.cache_size = CACHE_SIZE;
    options.positive_max_ttl = Some(KEPT_AT_MOST);
    options.negative_max_ttl = Some(ABSENCE_KEPT_AT_MOST);
}

/// What a small file says, read again when it has changed. A file that is not there is empty.
struct Watched<T> {
    path: PathBuf,
    read: Mutex<Option<(Stamp, Arc<T>)>>,
}

/// Tells one content of a file from another: when changed (s, ns), how long, which file.
type Stamp = Option<(i64, i64, u64, u64)>;

impl<T> Watched<T> {
    fn new(path: PathBuf) -> Self {
        Self { path, read: Mutex::new(None) }
    }

    fn current(&self, parse: impl FnOnce(&str) -> io::Result<T>) -> io::Result<Arc<T>> {
        let stamp =
            std::fs::metadata(&self.path).ok().map(|file| (file.mtime(), file.mtime_nsec(), file.size(), file.ino()));
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, value)) = &*read
            && *of == stamp
        {
            return Ok(Arc::clone(value));
        }
        let bytes = match std::fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", self.path.display())))?,
        };
        let value = Arc::new(parse(&String::from_utf8_lossy(&bytes))?);
        *read = Some((stamp, Arc::clone(&value)));
        Ok(value)
    }
}
