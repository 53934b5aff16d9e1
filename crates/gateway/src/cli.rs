//! The command line. Every flag has an environment twin `PROXIMA_GATEWAY_…`.

use crate::manage::ManagementListen;
use clap::{Args, Parser, Subcommand, ValueEnum};
use proxima_types::identity::DashboardUrl;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Parser)]
#[command(
    name = "proxima-gateway",
    version,
    about = "Proxima Gateway: an HTTP gateway managed from a dashboard",
    args_override_self = true
)]
pub struct Cli {
    #[command(flatten)]
    pub options: Options,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve (the default).
    Run,
    /// Check config.json, name every problem, exit 1 if there is one.
    Check,
    /// Say how the running gateway is: exit 0 serving, 3 not running, 4 running with closed ports.
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Change this box as one JSON request on stdin asks; one JSON reply on stdout. For the dashboard's installs.
    Setup {
        #[command(subcommand)]
        by_hand: Option<ByHand>,
    },
    /// What an update runs in a transient unit of its own.
    #[command(hide = true)]
    SetupUpdate,
    /// Print the systemd unit of this version, for an update.
    #[command(hide = true)]
    SetupUnit,
    /// Print the SHA-256 fingerprint of the management API's certificate: exit 3 when there is none yet.
    ManagementFingerprint {
        /// Make a new key and certificate first; a gateway that runs uses them from its next start.
        #[arg(long)]
        renew: bool,
    },
    /// Print the management API's OpenAPI document.
    #[command(hide = true)]
    Openapi,
}

/// What a person on the box does.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum ByHand {
    /// Install this program as the gateway, for the dashboard at URL: what an install command runs. The install token is
    /// one line on stdin.
    Enroll {
        #[arg(value_name = "URL", value_parser = DashboardUrl::parse)]
        dashboard: DashboardUrl,
    },
    /// Stop the gateway and remove it, with its configuration, user and unit.
    Uninstall {
        /// Yes, remove it.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Json,
    Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    On,
    Off,
}

#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Who this gateway is; mode 0600.
    #[arg(long, global = true, env = "PROXIMA_GATEWAY_CONFIG", default_value = "/etc/proxima-gateway/config.json")]
    pub config: PathBuf,
    /// What this gateway remembers across restarts; created with mode 0700.
    #[arg(long, global = true, env = "PROXIMA_GATEWAY_STATE_DIR", default_value = "/var/lib/proxima-gateway")]
    pub state_dir: PathBuf,
    #[arg(long, global = true, env = "PROXIMA_GATEWAY_LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: LogFormat,
    /// What to log, as in RUST_LOG: a level, or target=level pairs.
    #[arg(long, global = true, env = "PROXIMA_GATEWAY_LOG", default_value = "info")]
    pub log: String,
    /// One log line per request.
    #[arg(long, global = true, env = "PROXIMA_GATEWAY_ACCESS_LOG", value_enum, default_value = "on")]
    pub access_log: Switch,
    /// Serve Prometheus metrics at http://ADDRESS/metrics. Off by default; use a loopback address.
    #[arg(long, global = true, env = "PROXIMA_GATEWAY_METRICS_LISTEN", value_name = "ADDRESS:PORT")]
    pub metrics_listen: Option<SocketAddr>,
    /// Where the management API listens (TLS, apiSecret), or off. Default: every IPv6 and IPv4 address.
    #[arg(
        long,
        global = true,
        env = "PROXIMA_GATEWAY_MANAGEMENT_LISTEN",
        default_value = "[::]:6060",
        value_name = "ADDRESS:PORT|off"
    )]
    pub management_listen: ManagementListen,
    /// Where visitors' ports are opened. Default: every IPv6 and IPv4 address.
    #[arg(long, global = true, env = "PROXIMA_GATEWAY_LISTEN_ADDRESS")]
    pub listen_address: Option<IpAddr>,
    /// How long requests in flight may take to end after SIGTERM or when their port was removed.
    #[arg(long, global = true, env = "PROXIMA_GATEWAY_DRAIN_SECONDS", default_value = "30", value_parser = seconds)]
    pub drain_seconds: Duration,
    /// Visitors' connections at one time; more are closed at once, and counted.
    #[arg(long, global = true, env = "PROXIMA_GATEWAY_MAX_CONNECTIONS", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,
    /// Threads that serve visitors, 1 to 256. Default: one for each CPU.
    #[arg(long, global = true, env = "PROXIMA_GATEWAY_THREADS", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub threads: Option<u32>,
    #[command(flatten)]
    pub timings: Timings,
}

/// Limits of time that are right as they are; hidden, and changed by tests.
#[derive(Debug, Clone, Args)]
pub struct Timings {
    /// How long a start waits for a signed answer before it looks at the stored one.
    #[arg(long, global = true, hide = true, default_value = "10", value_parser = seconds)]
    pub start_timeout_seconds: Duration,
    #[arg(long, global = true, hide = true, default_value = "5", value_parser = seconds)]
    pub backend_connect_seconds: Duration,
    /// From the end of the request, or the last progress of its body, to the response's head.
    #[arg(long, global = true, hide = true, default_value = "60", value_parser = seconds)]
    pub backend_header_seconds: Duration,
    /// For the whole head of a request, from its first byte.
    #[arg(long, global = true, hide = true, default_value = "15", value_parser = seconds)]
    pub header_read_seconds: Duration,
    /// Between two requests on one connection.
    #[arg(long, global = true, hide = true, default_value = "75", value_parser = seconds)]
    pub keep_alive_seconds: Duration,
    /// Without a byte of a request's body arriving, or of a response leaving.
    #[arg(long, global = true, hide = true, default_value = "60", value_parser = seconds)]
    pub visitor_stall_seconds: Duration,
    /// Without a byte in either direction of an upgraded connection.
    #[arg(long, global = true, hide = true, default_value = "3600", value_parser = seconds)]
    pub tunnel_idle_seconds: Duration,
}

/// Seconds, with decimals: 0.05 to 86400.
fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.05..=86_400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected seconds from 0.05 to 86400".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent_and_flags_go_anywhere() {
        Cli::command().debug_assert();
        let cli = Cli::try_parse_from(["proxima-gateway", "status", "--json", "--state-dir", "/x"]).expect("valid");
        assert_eq!(cli.command, Some(Command::Status { json: true }));
        assert_eq!(cli.options.state_dir, PathBuf::from("/x"));
        let address =
            |text| Cli::try_parse_from(["x", "--management-listen", text]).map(|cli| cli.options.management_listen);
        assert_eq!(cli.options.management_listen, ManagementListen::At("[::]:6060".parse().expect("an address")));
        assert_eq!(address("off").expect("valid"), ManagementListen::Off);
        assert!(address("6060").is_err() && address("").is_err());
        for bad in ["0", "-1", "NaN", "inf", "x", "86401"] {
            assert!(Cli::try_parse_from(["proxima-gateway", "--drain-seconds", bad]).is_err(), "{bad}");
        }
    }
}
