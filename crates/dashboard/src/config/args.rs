//! The settings: one argument each, for the command line, the environment and the configuration file.

use clap::{ArgAction, Args};
use instant_acme::LetsEncrypt;
use ipnet::{IpNet, Ipv4Net};
use proxima_types::identity::DashboardUrl;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// What every command that touches the data needs.
#[derive(Clone, Args)]
pub struct DataArgs {
    /// File with settings, named as the flags are, with underscores;
    /// /etc/proxima-dashboard/config.toml is read unless another one is named.
    #[arg(long, env = "PROXIMA_CONFIG")]
    pub config: Option<PathBuf>,

    /// Folder of the key file and of the embedded PostgreSQL.
    #[arg(long, env = "PROXIMA_DATA_DIR", default_value = "/var/lib/proxima-dashboard")]
    pub data_dir: PathBuf,

    /// PostgreSQL to use, such as postgres://user:password@host/database. Without it the dashboard
    /// runs an installed PostgreSQL itself, in the data folder.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,

    /// File whose content is the database's URL, so that the password stands in no unit and no environment.
    #[arg(long, env = "DATABASE_URL_FILE")]
    pub database_url_file: Option<PathBuf>,
}

impl std::fmt::Debug for DataArgs {
    /// Without the database's password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataArgs").field("data_dir", &self.data_dir).finish_non_exhaustive()
    }
}

impl DataArgs {
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.data_dir.join("keys.json")
    }

    #[must_use]
    pub fn postgres_folder(&self) -> PathBuf {
        self.data_dir.join("postgres")
    }
}

#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    pub data: DataArgs,

    /// Address of the web UI, the API and the heartbeats.
    #[arg(long, env = "PROXIMA_LISTEN", default_value = "127.0.0.1:8080", value_parser = parse_listen)]
    pub listen: SocketAddr,

    /// The URL under which people and gateways reach this dashboard, such as https://panel.example.com.
    /// With https:// cookies are marked Secure.
    #[arg(long, env = "PROXIMA_PUBLIC_URL", value_parser = parse_public_url)]
    pub public_url: Option<url::Url>,

    /// The URL under which gateways reach this dashboard, when it is another than --public-url:
    /// https://…, or http:// to loopback.
    #[arg(long, env = "PROXIMA_GATEWAY_URL", value_parser = DashboardUrl::parse)]
    pub gateway_url: Option<DashboardUrl>,

    /// File with the certificate for --listen and the chain up to its root, PEM, the certificate first. Read again
    /// when it changes and on SIGHUP.
    #[arg(long, env = "PROXIMA_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,

    /// File with the private key of --tls-cert, PEM.
    #[arg(long, env = "PROXIMA_TLS_KEY")]
    pub tls_key: Option<PathBuf>,

    /// Who issues and renews the certificate for --listen, in place of files: letsencrypt, letsencrypt-staging, or the
    /// https:// URL of another authority's ACME directory. Port 443 of --public-url must lead here. Setting it agrees to
    /// the authority's terms.
    #[arg(long, env = "PROXIMA_ACME", value_parser = parse_acme)]
    pub acme: Option<url::Url>,

    /// E-mail address that the certificate authority may write to.
    #[arg(long, env = "PROXIMA_ACME_CONTACT", value_parser = parse_contact)]
    pub acme_contact: Option<String>,

    /// File with the root, PEM, that signed the API of a private certificate authority.
    #[arg(long, env = "PROXIMA_ACME_CA")]
    pub acme_ca: Option<PathBuf>,

    /// Id of the key that binds to an account one has at the authority already; only where it asks for it.
    #[arg(long, env = "PROXIMA_ACME_EAB_KEY_ID")]
    pub acme_eab_key_id: Option<String>,

    /// File with the key of --acme-eab-key-id, base64url, as the authority gives it.
    #[arg(long, env = "PROXIMA_ACME_EAB_KEY_FILE")]
    pub acme_eab_key_file: Option<PathBuf>,

    /// Address for plain HTTP that does nothing but send browsers to --public-url, usually port 80.
    #[arg(long, env = "PROXIMA_REDIRECT_LISTEN", value_parser = parse_listen)]
    pub redirect_listen: Option<SocketAddr>,

    /// Addresses or networks of the proxies in front of this dashboard, separated by commas. From them alone
    /// X-Forwarded-For says who asks.
    #[arg(long, env = "PROXIMA_TRUSTED_PROXIES", value_delimiter = ',', value_parser = parse_network)]
    pub trusted_proxies: Vec<IpNet>,

    /// Whether the trusted proxies begin each connection with the PROXY protocol, version 1 or 2.
    #[arg(long, env = "PROXIMA_PROXY_PROTOCOL", num_args = 0..=1, default_missing_value = "true", default_value_t = false, action = ArgAction::Set)]
    pub proxy_protocol: bool,

    /// Connections at once, 64 to 1000000; those beyond wait in the kernel.
    #[arg(long, env = "PROXIMA_MAX_CONNECTIONS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(64..=1_000_000))]
    pub max_connections: u32,

    /// Connections at once from one address (of IPv6: from one /64), 1 to 1000000. Loopback and the trusted proxies
    /// are not counted.
    #[arg(long, env = "PROXIMA_MAX_CONNECTIONS_PER_ADDRESS", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections_per_address: u32,

    /// Seconds, 0 to 600, between a stop being asked for and the end of accepting: /readyz says no at once, so that a
    /// load balancer can look elsewhere.
    #[arg(long, env = "PROXIMA_DRAIN_DELAY", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=600))]
    pub drain_delay: u32,

    /// Addresses or networks that this dashboard may connect to for its customers although they are
    /// private or its own, separated by commas; beside those of the platform settings.
    #[arg(long, env = "PROXIMA_ALLOW_OUTBOUND", value_delimiter = ',', value_parser = parse_network)]
    pub allow_outbound: Vec<IpNet>,

    /// Installs, updates, restarts and uninstalls that this dashboard runs at once, 0 to 64.
    #[arg(long, env = "PROXIMA_JOBS_AT_ONCE", default_value_t = 8, value_parser = clap::value_parser!(u32).range(0..=64))]
    pub jobs_at_once: u32,

    /// Folder of the gateway programs that are installed: ARCHITECTURE/proxima-gateway, with the names of
    /// `uname -m`; by default `gateways` in the data folder. Architectures that it does not have are
    /// taken from the folder `gateways` beside this program, which ships with it.
    #[arg(long, env = "PROXIMA_GATEWAY_BINARIES")]
    pub gateway_binaries: Option<PathBuf>,

    /// Address for Prometheus' GET /metrics; off unless set. Do not make it public.
    #[arg(long, env = "PROXIMA_METRICS_LISTEN", value_parser = parse_listen)]
    pub metrics_listen: Option<SocketAddr>,

    /// Seconds between two heartbeats of a gateway, 1 to 3600.
    #[arg(long, env = "PROXIMA_HEARTBEAT_SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub heartbeat_seconds: u32,

    /// bcrypt's cost, 4 to 16; each step doubles the work of a login.
    #[arg(long, env = "PROXIMA_BCRYPT_COST", default_value_t = 12, value_parser = clap::value_parser!(u32).range(4..=16), hide = true)]
    pub bcrypt_cost: u32,

    /// Connections to PostgreSQL, 4 to 200.
    #[arg(long, env = "PROXIMA_DATABASE_CONNECTIONS", default_value_t = 16, value_parser = clap::value_parser!(u32).range(4..=200))]
    pub database_connections: u32,

    /// At the first start, make an admin with a random password and print it once; or never.
    #[arg(long, env = "PROXIMA_FIRST_ADMIN", default_value = "auto")]
    pub first_admin: FirstAdmin,

    /// Whether admins must have a second factor: without one they can sign in, and do nothing but add it.
    #[arg(long, env = "PROXIMA_ADMIN_SECOND_FACTOR", default_value = "required")]
    pub admin_second_factor: SecondFactorPolicy,

    /// Whether customers must have a second factor, in the same way.
    #[arg(long, env = "PROXIMA_CUSTOMER_SECOND_FACTOR", default_value = "optional")]
    pub customer_second_factor: SecondFactorPolicy,

    /// Form of the log lines on standard error.
    #[arg(long, env = "PROXIMA_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FirstAdmin {
    Auto,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SecondFactorPolicy {
    Required,
    Optional,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// An address to listen on.
fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    text.trim().parse().map_err(|_| "expected an address and a port, such as 127.0.0.1:8080 or [::]:443".to_owned())
}

/// Where people reach the dashboard: scheme, host and port alone, because it has no other place than the root.
fn parse_public_url(text: &str) -> Result<url::Url, String> {
    let expected = "expected https://HOST or http://HOST, with a port if need be and nothing behind it";
    let url: url::Url = text.trim().parse().map_err(|_| expected.to_owned())?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let anonymous = url.username().is_empty() && url.password().is_none();
    let web = matches!(url.scheme(), "http" | "https") && url.host().is_some();
    if web && bare && anonymous { Ok(url) } else { Err(expected.to_owned()) }
}

/// A certificate authority: one known by name, or its directory.
fn parse_acme(text: &str) -> Result<url::Url, String> {
    let expected = "expected letsencrypt, letsencrypt-staging, or the https:// URL of an ACME directory";
    let url = match text.trim() {
        "letsencrypt" => LetsEncrypt::Production.url(),
        "letsencrypt-staging" => LetsEncrypt::Staging.url(),
        other => other,
    };
    url.parse().ok().filter(|url: &url::Url| url.scheme() == "https").ok_or_else(|| expected.to_owned())
}

fn parse_contact(text: &str) -> Result<String, String> {
    let address: lettre::Address = text.trim().parse().map_err(|_| "expected an e-mail address".to_owned())?;
    Ok(address.to_string())
}

/// A network such as `10.0.0.0/8`, or a single address.
///
/// # Errors
/// One sentence that says what is expected.
pub fn parse_network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    text.parse::<IpAddr>()
        .map(|address| IpNet::from(address.to_canonical()))
        .or_else(|_| text.parse::<IpNet>().map(|network| unmapped(network.trunc())))
        .map_err(|_| "expected an IP address or a network such as 10.0.0.0/8".to_owned())
}

/// An IPv4 network that was written in IPv6 (RFC 4291 section 2.5.5.2), as such.
fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else { return network };
    let inner = mapped.addr().to_ipv4_mapped().zip(mapped.prefix_len().checked_sub(96));
    inner.and_then(|(address, length)| Ipv4Net::new(address, length).ok()).map_or(network, IpNet::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_canonical() {
        for (text, network) in [("10.1.2.3/8", "10.0.0.0/8"), (" ::1 ", "::1/128"), ("::ffff:1.2.3.4", "1.2.3.4/32")] {
            assert_eq!(parse_network(text).map(|net| net.to_string()).as_deref(), Ok(network));
        }
        assert!(parse_network("10.0.0.0/33").is_err() && parse_network("example.com").is_err());
    }
}
