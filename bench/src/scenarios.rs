//! What is measured, one phase after the other on one dashboard.

use crate::dashboard::Dashboard;
use crate::fleet::{self, Gateway};
use crate::load::{Load, Pace};
use crate::processes::{Cpu, Processes};
use crate::tally::Tally;
use anyhow::Context as _;
use sqlx::PgPool;
use std::time::Duration;

/// A rest between two phases, in which PostgreSQL also publishes its statistics.
const REST: Duration = Duration::from_millis(1500);

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// Every gateway's first heartbeat, as fast as they are answered
    First,
    /// As fast as they are answered
    Saturated,
    /// As fast as they are answered, on more connections: the batches are larger
    Wide,
    /// The fixed rate
    Rate,
    /// 70 % of the saturated rate
    Seventy,
    /// Twice the saturated rate, on many connections
    Overload,
    /// The fixed rate with licenses in all states
    Mixed,
}

/// How much of everything.
#[derive(Debug, Clone)]
pub struct Size {
    pub connections: usize,
    pub wide_connections: usize,
    pub overload_connections: usize,
    pub rate: f64,
    pub time: Duration,
}

/// What one phase gave.
pub struct Row {
    pub scenario: Scenario,
    /// Heartbeats a second that were to be sent; `None` for as many as possible.
    pub offered: Option<f64>,
    pub connections: usize,
    pub tally: Tally,
    pub took: Duration,
    pub cpu: Cpu,
    pub dashboard_peak: f64,
    pub postgres_memory: f64,
    pub inside: Inside,
}

/// What the dashboard and its database counted.
#[derive(Debug, Clone, Copy)]
pub struct Inside {
    pub batches: f64,
    pub batched: f64,
    pub wal_bytes: f64,
    pub updates: f64,
    pub hot_updates: f64,
}

impl std::ops::Sub for Inside {
    type Output = Self;
    fn sub(self, earlier: Self) -> Self {
        Self {
            batches: self.batches - earlier.batches,
            batched: self.batched - earlier.batched,
            wal_bytes: self.wal_bytes - earlier.wal_bytes,
            updates: self.updates - earlier.updates,
            hot_updates: self.hot_updates - earlier.hot_updates,
        }
    }
}

impl Row {
    /// Answered heartbeats a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        count(self.tally.judged) / self.took.as_secs_f64()
    }

    /// Why this phase is a failure, if it is one. Too much load may be refused; nothing may be answered wrongly.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let Tally { wrong, forged, refused, .. } = &self.tally;
        if self.tally.wrong_total() > 0 {
            return Some(format!("{:?}: unexpected answers {wrong:?}, {forged} forged", self.scenario));
        }
        if self.scenario != Scenario::Overload && *refused > 0 {
            return Some(format!("{:?}: {refused} heartbeats were refused", self.scenario));
        }
        let offered = self.offered.filter(|_| self.scenario != Scenario::Overload)?;
        let rate = self.rate();
        (rate < 0.99 * offered).then(|| format!("{:?}: {rate:.0} instead of {offered:.0} a second", self.scenario))
    }
}

/// Runs the phases in their order.
///
/// # Errors
/// When one cannot be measured; wrong answers are in the rows.
pub async fn run(
    dashboard: &Dashboard,
    mut gateways: Vec<Gateway>,
    scenarios: &[Scenario],
    size: &Size,
    say: impl Fn(&str),
) -> anyhow::Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut sent = 0;
    for &scenario in scenarios {
        let saturated = rows
            .iter()
            .filter(|row| matches!(row.scenario, Scenario::Saturated | Scenario::Wide))
            .map(Row::rate)
            .max_by(f64::total_cmp);
        let wanted = "the saturated rate is not known: measure it too";
        let (pace, offered, connections) = match scenario {
            Scenario::First => (Pace::Once, None, size.connections),
            Scenario::Saturated => (Pace::Saturating, None, size.connections),
            Scenario::Wide => (Pace::Saturating, None, size.wide_connections),
            Scenario::Rate => (Pace::Rate(size.rate), Some(size.rate), size.connections),
            Scenario::Mixed => (Pace::Rate(size.rate), Some(size.rate), size.wide_connections),
            Scenario::Seventy => {
                let rate = 0.7 * saturated.context(wanted)?;
                (Pace::Rate(rate), Some(rate), size.wide_connections)
            }
            Scenario::Overload => {
                let rate = 2.0 * saturated.context(wanted)?;
                (Pace::Overload(rate), Some(rate), size.overload_connections)
            }
        };
        if scenario == Scenario::Mixed {
            fleet::mix_states(&dashboard.db, &mut gateways).await?;
        }
        let mut load = Load::open(dashboard.address, dashboard.public_key, connections, gateways, sent).await?;
        let row = measure(dashboard, &mut load, scenario, pace, size.time).await?;
        (gateways, sent) = load.close();
        say(&format!("{scenario:?}: {:.0} a second", row.rate()));
        rows.push(Row { offered, connections, ..row });
    }
    Ok(rows)
}

async fn measure(
    dashboard: &Dashboard,
    load: &mut Load,
    scenario: Scenario,
    pace: Pace,
    time: Duration,
) -> anyhow::Result<Row> {
    tokio::time::sleep(REST).await;
    let processes = Processes { dashboard: dashboard.pid, postmaster: dashboard.postmaster };
    processes.reset_peak()?;
    let inside = inside(dashboard).await?;
    let cpu = processes.cpu()?;
    let (tally, took) = load.run(pace, time).await?;
    let cpu = processes.cpu()? - cpu;
    let (dashboard_peak, postgres_memory) = (processes.dashboard_peak()?, processes.postgres_memory()?);
    tokio::time::sleep(REST).await;
    let inside = self::inside(dashboard).await? - inside;
    Ok(Row { scenario, offered: None, connections: 0, tally, took, cpu, dashboard_peak, postgres_memory, inside })
}

async fn inside(dashboard: &Dashboard) -> anyhow::Result<Inside> {
    let (status, metrics) = crate::wire::get(dashboard.metrics_address, "/metrics").await?;
    anyhow::ensure!(status == 200, "the metrics answer with {status}");
    let metric = |name: &str| -> f64 {
        metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or_default()
    };
    let (wal_bytes, updates, hot_updates) = database_counters(&dashboard.db).await?;
    Ok(Inside {
        batches: metric("proxima_heartbeat_batch_size_count "),
        batched: metric("proxima_heartbeat_batch_size_sum "),
        wal_bytes,
        updates,
        hot_updates,
    })
}

async fn database_counters(db: &PgPool) -> anyhow::Result<(f64, f64, f64)> {
    let counters = sqlx::query_as(
        "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8, n_tup_upd::float8, n_tup_hot_upd::float8
         FROM pg_stat_user_tables WHERE relname = 'gateway_installs'",
    )
    .fetch_one(db)
    .await;
    counters.context("PostgreSQL gives no counters")
}

/// A count as a number to divide.
#[allow(clippy::cast_precision_loss)] // far below 2^53
#[must_use]
pub fn count(number: u64) -> f64 {
    number as f64
}
