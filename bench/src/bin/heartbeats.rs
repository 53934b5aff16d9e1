//! Heartbeats per second of one dashboard with its own PostgreSQL (fsync on) beside it, and what they cost.
//!
//! Starts a `proxima-dashboard serve` with a new data folder, puts servers into its database, and sends their
//! heartbeats over loopback from a single thread. Prints Markdown tables on standard output and what it is doing on
//! standard error. Ends with 1 when an answer was wrong, or when the fixed rate was not kept.

use anyhow::Context as _;
use clap::Parser;
use proxima_bench::dashboard::{Dashboard, Measured};
use proxima_bench::fleet;
use proxima_bench::report::markdown;
use proxima_bench::scenarios::{self, Scenario, Size};
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// Measure heartbeats per second of one dashboard, and what they cost
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    measured: Measured,
    /// How many servers, each with one gateway
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    servers: u32,
    /// Keep-alive connections that carry the heartbeats
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=16_000))]
    connections: u16,
    /// Connections of the second saturated phase, at 70 % of the saturated rate, and with mixed licenses
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u16).range(1..=16_000))]
    wide_connections: u16,
    /// Connections when twice the saturated rate is offered: more than the dashboard's queue is long
    #[arg(long, default_value_t = 9_500, value_parser = clap::value_parser!(u16).range(1..=16_000))]
    overload_connections: u16,
    /// The fixed rate, in heartbeats a second
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: u32,
    /// Seconds of each phase
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3600))]
    seconds: u16,
    /// Which phases, in this order
    #[arg(long, value_delimiter = ',', default_value = "first,saturated,wide,rate,seventy,overload,mixed")]
    phases: Vec<Scenario>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no runtime")
        .and_then(|runtime| tokio::task::LocalSet::new().block_on(&runtime, measure(&args)));
    match outcome {
        Ok(failures) if failures.is_empty() => ExitCode::SUCCESS,
        Ok(failures) => {
            for failure in failures {
                say(&format!("FAILED {failure}"));
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn measure(args: &Args) -> anyhow::Result<Vec<String>> {
    say("starting a dashboard");
    let dashboard = args.measured.start().await?;
    let outcome = tokio::select! {
        outcome = measure_on(&dashboard, args) => outcome,
        stopped = stop_signal() => stopped.and(Err(anyhow::anyhow!("stopped"))),
    };
    let stopped = dashboard.stop().await;
    let failures = outcome?;
    stopped?;
    Ok(failures)
}

async fn measure_on(dashboard: &Dashboard, args: &Args) -> anyhow::Result<Vec<String>> {
    say(&format!("making {} servers", args.servers));
    let host = dashboard.address.to_string();
    let gateways = fleet::provision(&dashboard.db, &host, usize::try_from(args.servers)?).await?;
    let size = Size {
        connections: usize::from(args.connections),
        wide_connections: usize::from(args.wide_connections),
        overload_connections: usize::from(args.overload_connections),
        rate: f64::from(args.rate),
        time: Duration::from_secs(u64::from(args.seconds)),
    };
    let rows = scenarios::run(dashboard, gateways, &args.phases, &size, say).await?;
    let cores = std::thread::available_parallelism()?.get();
    std::io::stdout().write_all(markdown(&rows, size.rate, cores)?.as_bytes())?;
    Ok(rows.iter().filter_map(scenarios::Row::failure).collect())
}

async fn stop_signal() -> anyhow::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "bench: {line}");
}
