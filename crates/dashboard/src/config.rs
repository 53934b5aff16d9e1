//! How a dashboard is configured: flags and environment variables, checked at once.

use chrono::Duration;
use clap::Args;
use ipnet::IpNet;
use proxima_installer::BinaryStore;
use proxima_installer::run::Limits;
use proxima_types::gateway_config::MANAGEMENT_PORT;
use proxima_types::identity::DashboardUrl;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// What every command that touches the data needs.
#[derive(Debug, Clone, Args)]
pub struct DataArgs {
    /// Folder of the key file and of the embedded PostgreSQL.
    #[arg(long, env = "PROXIMA_DATA_DIR", default_value = "/var/lib/proxima-dashboard")]
    pub data_dir: PathBuf,

    /// PostgreSQL to use, such as postgres://user:password@host/database. Without it the dashboard
    /// runs an installed PostgreSQL itself, in the data folder.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
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
    #[arg(long, env = "PROXIMA_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// The URL under which people and gateways reach this dashboard. With https:// cookies are
    /// marked Secure.
    #[arg(long, env = "PROXIMA_PUBLIC_URL")]
    pub public_url: Option<url::Url>,

    /// The URL under which gateways reach this dashboard, when it is another than --public-url:
    /// https://…, or http:// to loopback.
    #[arg(long, env = "PROXIMA_GATEWAY_URL", value_parser = DashboardUrl::parse)]
    pub gateway_url: Option<DashboardUrl>,

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
    #[arg(long, env = "PROXIMA_METRICS_LISTEN")]
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
pub enum LogFormat {
    Text,
    Json,
}

/// What the use cases need to know.
#[derive(Debug, Clone)]
pub struct AppConfig {
    /// Between two heartbeats of a gateway.
    pub heartbeat_interval: Duration,
    /// A session ends after this long without a request …
    pub session_idle: Duration,
    /// … and after this long in any case.
    pub session_absolute: Duration,
    pub bcrypt_cost: u32,
    /// Cookies go over HTTPS only.
    pub secure_cookies: bool,
    /// Where gateways report to; without it nothing can be installed.
    pub gateway_url: Option<DashboardUrl>,
    /// What the dashboard may connect to beside the public Internet and the ranges of the settings.
    pub outbound_allowed: Vec<IpNet>,
    /// Jobs that run here at once.
    pub jobs_at_once: u32,
    /// How long their steps may take.
    pub job_limits: Limits,
    /// The gateway programs, one folder for each architecture.
    pub gateway_binaries: PathBuf,
    /// Where gateways' management APIs listen: another port in tests only.
    pub management_port: u16,
    /// Those that ship with this program.
    pub gateway_binaries_shipped: Option<PathBuf>,
    /// `scheme://host[:port]` that browsers name as their origin, when it is known.
    pub public_origin: Option<String>,
}

impl Default for AppConfig {
    fn default() -> Self {
        Self {
            heartbeat_interval: Duration::seconds(60),
            session_idle: Duration::hours(12),
            session_absolute: Duration::days(7),
            bcrypt_cost: 12,
            secure_cookies: false,
            gateway_url: None,
            outbound_allowed: Vec::new(),
            jobs_at_once: 8,
            job_limits: Limits::default(),
            gateway_binaries: PathBuf::from("gateways"),
            management_port: MANAGEMENT_PORT,
            gateway_binaries_shipped: None,
            public_origin: None,
        }
    }
}

impl AppConfig {
    /// The gateway programs that can be installed.
    #[must_use]
    pub fn binaries(&self) -> BinaryStore {
        BinaryStore::new(self.gateway_binaries.clone(), env!("CARGO_PKG_VERSION").to_owned())
            .with_shipped(self.gateway_binaries_shipped.clone())
    }

    #[must_use]
    pub fn from_args(args: &ServeArgs) -> Self {
        Self {
            heartbeat_interval: Duration::seconds(i64::from(args.heartbeat_seconds)),
            bcrypt_cost: args.bcrypt_cost,
            secure_cookies: args.public_url.as_ref().is_some_and(|url| url.scheme() == "https"),
            gateway_url: args.gateway_url.clone().or_else(|| args.public_url.as_ref().and_then(public_gateway_url)),
            outbound_allowed: args.allow_outbound.clone(),
            jobs_at_once: args.jobs_at_once,
            gateway_binaries: args.gateway_binaries.clone().unwrap_or_else(|| args.data.data_dir.join("gateways")),
            gateway_binaries_shipped: std::env::current_exe().ok().map(|program| program.with_file_name("gateways")),
            public_origin: args.public_url.as_ref().map(|url| url.origin().ascii_serialization()),
            ..Self::default()
        }
    }
}

/// The public URL as gateways' too: only https://, because loopback there is the gateway's own machine.
fn public_gateway_url(url: &url::Url) -> Option<DashboardUrl> {
    if url.scheme() == "https" { DashboardUrl::parse(url.as_str()).ok() } else { None }
}

/// A network such as `10.0.0.0/8`, or a single address.
///
/// # Errors
/// One sentence that says what is expected.
pub fn parse_network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    text.parse::<IpAddr>()
        .map(|address| IpNet::from(address.to_canonical()))
        .or_else(|_| text.parse::<IpNet>().map(|network| network.trunc()))
        .map_err(|_| "expected an IP address or a network such as 10.0.0.0/8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateways_are_told_the_public_url_only_when_it_is_https() {
        let gateway_url = |text: &str| public_gateway_url(&text.parse().expect("a URL")).map(|url| url.to_string());
        assert_eq!(gateway_url("https://panel.example.com").as_deref(), Some("https://panel.example.com"));
        for other in ["http://127.0.0.1:8080", "http://panel.example.com", "https://user@panel.example.com"] {
            assert_eq!(gateway_url(other), None, "{other}");
        }
    }

    #[test]
    fn networks_are_canonical() {
        for (text, network) in [("10.1.2.3/8", "10.0.0.0/8"), (" ::1 ", "::1/128"), ("::ffff:1.2.3.4", "1.2.3.4/32")] {
            assert_eq!(parse_network(text).map(|net| net.to_string()).as_deref(), Ok(network));
        }
        assert!(parse_network("10.0.0.0/33").is_err() && parse_network("example.com").is_err());
    }
}
