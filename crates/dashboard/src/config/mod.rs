//! How a dashboard is configured. Every setting is one clap argument (`args`), and can be given as a
//! flag, a variable or a line of the configuration file (`load`); all problems are reported at once.

pub mod args;
mod checks;
mod file;
pub mod load;
mod reference;

pub use args::{DataArgs, FirstAdmin, LogFormat, SecondFactorPolicy, ServeArgs, parse_network};
pub(crate) use reference::example;

use chrono::Duration;
use ipnet::IpNet;
use proxima_installer::BinaryStore;
use proxima_installer::run::Limits;
use proxima_types::gateway_config::MANAGEMENT_PORT;
use proxima_types::identity::DashboardUrl;
use std::path::PathBuf;

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
    /// Where the anchor is kept, beside the key file; without one it lasts as long as the process.
    pub anchor_folder: Option<PathBuf>,
    /// Peers whose `X-Forwarded-For` says who asks.
    pub trusted_proxies: Vec<IpNet>,
    /// `scheme://host[:port]` that browsers name as their origin, when it is known.
    pub public_origin: Option<String>,
    /// Whether admins must have a second factor. The default here is what commands and tests need; what is served has the
    /// flag's, `required`.
    pub admin_second_factor: SecondFactorPolicy,
    /// Whether customers must have one.
    pub customer_second_factor: SecondFactorPolicy,
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
            anchor_folder: None,
            trusted_proxies: Vec::new(),
            public_origin: None,
            admin_second_factor: SecondFactorPolicy::Optional,
            customer_second_factor: SecondFactorPolicy::Optional,
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
            trusted_proxies: args.trusted_proxies.clone(),
            jobs_at_once: args.jobs_at_once,
            gateway_binaries: args.gateway_binaries.clone().unwrap_or_else(|| args.data.data_dir.join("gateways")),
            anchor_folder: Some(args.data.data_dir.clone()),
            gateway_binaries_shipped: std::env::current_exe().ok().map(|program| program.with_file_name("gateways")),
            public_origin: args.public_url.as_ref().map(|url| url.origin().ascii_serialization()),
            admin_second_factor: args.admin_second_factor,
            customer_second_factor: args.customer_second_factor,
            ..Self::default()
        }
    }
}

/// The public URL as gateways' too: only https://, because loopback there is the gateway's own machine.
fn public_gateway_url(url: &url::Url) -> Option<DashboardUrl> {
    if url.scheme() == "https" { DashboardUrl::parse(url.as_str()).ok() } else { None }
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
}
