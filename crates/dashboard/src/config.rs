//! How a dashboard is configured: flags and environment variables, checked at once.

use chrono::Duration;
use clap::Args;
use std::net::SocketAddr;
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
            public_origin: None,
        }
    }
}

impl AppConfig {
    #[must_use]
    pub fn from_args(args: &ServeArgs) -> Self {
        Self {
            heartbeat_interval: Duration::seconds(i64::from(args.heartbeat_seconds)),
            bcrypt_cost: args.bcrypt_cost,
            secure_cookies: args.public_url.as_ref().is_some_and(|url| url.scheme() == "https"),
            public_origin: args.public_url.as_ref().map(|url| url.origin().ascii_serialization()),
            ..Self::default()
        }
    }
}
