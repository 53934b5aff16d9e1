//! The rows as Markdown tables.

use crate::scenarios::{Row, Scenario, count};
use std::fmt::Write as _;

/// Both tables: what gateways see and what it costs, and what happened inside.
///
/// # Errors
/// Never in practice: it writes into memory.
pub fn markdown(rows: &[Row], rate: f64, cores: usize) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(
        text,
        "| Load | Offered /s | Answered /s | p50 ms | p99 ms | max ms | CPU s per 100,000: dashboard | PostgreSQL | \
         generator | Dashboard's peak MiB | Other work on the machine, % |"
    )?;
    writeln!(text, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
    for row in rows {
        let per = 100_000.0 / count((row.tally.judged + row.tally.refused).max(1));
        let latency = |quantile: f64| count(row.tally.latency.value_at_quantile(quantile)) / 1000.0;
        let cpu = row.cpu;
        let others = (cpu.machine - cpu.dashboard - cpu.postgres - cpu.generator).max(0.0);
        #[allow(clippy::cast_precision_loss)] // a few cores
        let others = 100.0 * others / (row.took.as_secs_f64() * cores as f64);
        writeln!(
            text,
            "| {} | {} | {:.0} | {:.1} | {:.1} | {:.1} | {:.2} | {:.2} | {:.2} | {:.0} | {others:.0} |",
            title(row, rate),
            row.offered.map_or_else(|| "–".to_owned(), |offered| format!("{offered:.0}")),
            row.rate(),
            latency(0.5),
            latency(0.99),
            count(row.tally.latency.max()) / 1000.0,
            cpu.dashboard * per,
            cpu.postgres * per,
            cpu.generator * per,
            row.dashboard_peak,
        )?;
    }
    writeln!(
        text,
        "\n| Load | Answered | 503 with Retry-After | Skipped | Anything else | Signatures checked | forged | \
         Heartbeats per batch | WAL bytes per heartbeat | HOT updates % | PostgreSQL's MiB |"
    )?;
    writeln!(text, "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")?;
    for row in rows {
        let tally = &row.tally;
        let inside = row.inside;
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {:.1} | {:.0} | {} | {:.0} |",
            title(row, rate),
            tally.judged,
            tally.refused,
            tally.skipped,
            tally.wrong.values().sum::<u64>(),
            tally.checked,
            tally.forged,
            inside.batched / inside.batches.max(1.0),
            inside.wal_bytes / count(tally.judged.max(1)),
            if inside.updates > 0.0 {
                format!("{:.0}", 100.0 * inside.hot_updates / inside.updates)
            } else {
                "–".to_owned()
            },
            row.postgres_memory,
        )?;
    }
    Ok(text)
}

fn title(row: &Row, rate: f64) -> String {
    let connections = row.connections;
    match row.scenario {
        Scenario::First => format!("first heartbeat of every gateway, {connections} connections"),
        Scenario::Saturated | Scenario::Wide => format!("saturated, {connections} connections"),
        Scenario::Rate => format!("{rate:.0}/s, {connections} connections"),
        Scenario::Seventy => format!("70 % of saturated, {connections} connections"),
        Scenario::Overload => format!("twice saturated, {connections} connections"),
        Scenario::Mixed => {
            format!("{rate:.0}/s, {connections} connections, a quarter each ACTIVE, GRACE, EXPIRED, retired")
        }
    }
}
