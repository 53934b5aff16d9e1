//! A fleet that comes back after an outage: every gateway was in its back-off, and all want a verdict at once.
//!
//! Each gateway is one timer and, while it beats, one connection of its own, as after an outage. Its rhythm is that of
//! `crates/gateway/src/agent/schedule.rs`: at most 50 s between attempts, `Retry-After` honoured up to 60 s and a tenth
//! more, then the answered interval ±10%. Prints a Markdown table on standard output; ends with 1 when an answer was
//! wrong, or the fleet had not recovered within three minutes.

use anyhow::ensure;
use clap::Parser;
use proxima_bench::dashboard::{Dashboard, Measured};
use proxima_bench::fleet::{self, Gateway};
use proxima_bench::processes::Processes;
use proxima_bench::wire::Connection;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Recovered: every gateway has had a verdict.
const RECOVERED_WITHIN: Duration = Duration::from_secs(180);
/// As a gateway's client.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Attempts of this process that are under way at once; a gateway that waits here is late, and counted so.
const AT_ONCE: usize = 12_000;
/// Loopback addresses that attempts come from: each has its own 28,000 ports.
const SOURCES: u8 = 16;

/// Measure how a fleet returns after an outage
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    measured: Measured,
    /// How many servers, each with one gateway
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    servers: u32,
}

/// What the fleet met.
#[derive(Default)]
struct Met {
    attempts: u64,
    verdicts: u64,
    refused: u64,
    broken: u64,
    forged: u64,
    wrong: BTreeMap<u16, u64>,
    /// When each gateway had its first verdict, in ms.
    recovered: Vec<u64>,
    /// Verdicts in each second.
    seconds: BTreeMap<u64, u64>,
}

struct Fleet {
    address: SocketAddr,
    key: proxima_types::identity::DashboardPublicKey,
    start: Instant,
    end: Instant,
    at_once: Semaphore,
    met: RefCell<Met>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, measure(&args))
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    say("starting a dashboard");
    let dashboard = args.measured.start().await?;
    let outcome = measure_on(&dashboard, args).await;
    dashboard.stop().await?;
    outcome
}

async fn measure_on(dashboard: &Dashboard, args: &Args) -> anyhow::Result<()> {
    say(&format!("making {} servers", args.servers));
    let gateways = fleet::provision(&dashboard.db, &dashboard.address.to_string(), args.servers as usize).await?;
    let processes = Processes { dashboard: dashboard.pid, postmaster: dashboard.postmaster };
    processes.reset_peak()?;
    say("all return");
    let start = Instant::now();
    let fleet = Rc::new(Fleet {
        address: dashboard.address,
        key: dashboard.public_key,
        start,
        end: start + RECOVERED_WITHIN,
        at_once: Semaphore::new(AT_ONCE),
        met: RefCell::new(Met::default()),
    });
    let mut lives = JoinSet::new();
    for (at, gateway) in gateways.into_iter().enumerate() {
        lives.spawn_local(live(Rc::clone(&fleet), gateway, at));
    }
    lives.join_all().await.into_iter().collect::<anyhow::Result<()>>()?;
    let met = fleet.met.borrow();
    print(&met, u64::from(args.servers), processes.dashboard_peak()?)?;
    let missing = u64::from(args.servers) - met.recovered.len() as u64;
    ensure!(met.wrong.is_empty() && met.forged == 0, "wrong answers: {:?}, {} forged", met.wrong, met.forged);
    ensure!(missing == 0, "{missing} gateways had no verdict within {RECOVERED_WITHIN:?}");
    Ok(())
}

/// One gateway until the end: back-off, verdict, and then its interval.
async fn live(fleet: Rc<Fleet>, mut gateway: Gateway, at: usize) -> anyhow::Result<()> {
    let (mut request, mut body, mut recovered) = (Vec::new(), Vec::new(), false);
    // After an hour the fleet's attempts are spread over its longest pause.
    let mut due = fleet.start + Duration::from_secs(50).mul_f64(part()?);
    let source = Ipv4Addr::new(127, 0, 0, 2 + u8::try_from(at % usize::from(SOURCES))?);
    for turn in 0_u64.. {
        if due >= fleet.end {
            return Ok(());
        }
        sleep_until(due).await;
        let unique = (at as u64) * 1_000_000 + turn;
        gateway.next_request(unique, &mut request, &mut body)?;
        let slot = fleet.at_once.acquire().await?;
        fleet.met.borrow_mut().attempts += 1;
        let answered = timeout(ANSWER_WITHIN, beat(&fleet, source, &request, &gateway)).await;
        drop(slot);
        let pause = match answered {
            Ok(Ok(Heard::Verdict)) => {
                let met = &mut *fleet.met.borrow_mut();
                let since = fleet.start.elapsed();
                met.verdicts += 1;
                *met.seconds.entry(since.as_secs()).or_default() += 1;
                if !std::mem::replace(&mut recovered, true) {
                    met.recovered.push(u64::try_from(since.as_millis())?);
                }
                Duration::from_secs(60).mul_f64(0.9 + 0.2 * part()?)
            }
            Ok(Ok(Heard::ComeBack(seconds))) => {
                fleet.met.borrow_mut().refused += 1;
                Duration::from_secs(seconds.min(60)).mul_f64(1.0 + 0.1 * part()?)
            }
            Ok(Ok(Heard::Nothing)) => Duration::from_secs(50),
            Ok(Err(_)) | Err(_) => {
                fleet.met.borrow_mut().broken += 1;
                Duration::from_secs(50).mul_f64(0.8 + 0.2 * part()?)
            }
        };
        due = Instant::now() + pause;
    }
    Ok(())
}

enum Heard {
    Verdict,
    ComeBack(u64),
    /// Noted as wrong.
    Nothing,
}

async fn beat(fleet: &Fleet, source: Ipv4Addr, request: &[u8], gateway: &Gateway) -> anyhow::Result<Heard> {
    let mut connection = Connection::open_from(source, fleet.address).await?;
    let answer = connection.exchange(request).await?;
    if answer.status == 200 {
        let authentic = gateway.is_authentic(&answer, fleet.key);
        fleet.met.borrow_mut().forged += u64::from(!authentic);
        return Ok(Heard::Verdict);
    }
    let patience = answer.headers()?.get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
    match patience {
        Some(seconds) if answer.status == 503 => Ok(Heard::ComeBack(seconds)),
        _ => {
            *fleet.met.borrow_mut().wrong.entry(answer.status).or_default() += 1;
            sleep(Duration::ZERO).await;
            Ok(Heard::Nothing)
        }
    }
}

/// Between 0 and 1.
fn part() -> anyhow::Result<f64> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX))
}

fn print(met: &Met, servers: u64, peak: f64) -> anyhow::Result<()> {
    let mut recovered = met.recovered.clone();
    recovered.sort_unstable();
    let after = |share: usize| recovered.get((recovered.len() * share / 100).min(recovered.len().saturating_sub(1)));
    let seconds =
        |ms: Option<&u64>| ms.map_or_else(|| "–".to_owned(), |ms| format!("{}.{}", ms / 1000, ms % 1000 / 100));
    let peaks = |from: u64, to: u64| met.seconds.range(from..to).map(|(_, verdicts)| *verdicts).max().unwrap_or(0);
    writeln!(
        std::io::stdout(),
        "| Gateways | Recovered | half after s | 99 % after s | all after s | Attempts | 503 with Retry-After | \
         Broken or late | Most verdicts a second: first minute | second | third | Dashboard's peak MiB |\n\
         |--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n\
         | {servers} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {peak:.0} |",
        recovered.len(),
        seconds(after(50)),
        seconds(after(99)),
        seconds(recovered.last()),
        met.attempts,
        met.refused,
        met.broken,
        peaks(0, 60),
        peaks(60, 120),
        peaks(120, 180),
    )?;
    Ok(())
}

fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "bench: {line}");
}
