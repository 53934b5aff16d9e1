//! What processes cost, from /proc: processor seconds and memory.

use anyhow::Context as _;
use std::fs;

/// Processor seconds used so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu {
    pub dashboard: f64,
    pub postgres: f64,
    pub generator: f64,
    /// Of the whole machine: everything that ran, and what the hypervisor took.
    pub machine: f64,
}

/// The processes that are measured; the generator is this one.
#[derive(Debug, Clone, Copy)]
pub struct Processes {
    pub dashboard: u32,
    pub postmaster: u32,
}

impl Processes {
    /// # Errors
    /// When one of them is gone.
    pub fn cpu(&self) -> anyhow::Result<Cpu> {
        let tick = ticks_per_second();
        let own = |pid: u32| -> anyhow::Result<f64> { Ok(Stat::read(pid)?.own_ticks / tick) };
        let postmaster = Stat::read(self.postmaster)?;
        let backends = children(self.postmaster)?;
        // One that ends meanwhile is then in the postmaster's own sum of children.
        let alive: f64 = backends.iter().filter_map(|pid| Stat::read(*pid).ok()).map(|stat| stat.own_ticks).sum();
        Ok(Cpu {
            dashboard: own(self.dashboard)?,
            postgres: (postmaster.own_ticks + postmaster.ended_children_ticks + alive) / tick,
            generator: own(std::process::id())?,
            machine: machine_ticks()? / tick,
        })
    }

    /// Starts the dashboard's peak of resident memory anew.
    ///
    /// # Errors
    /// When /proc does not allow it.
    pub fn reset_peak(&self) -> anyhow::Result<()> {
        fs::write(format!("/proc/{}/clear_refs", self.dashboard), "5").context("cannot reset the memory peak")
    }

    /// The dashboard's peak of resident memory since then, in MiB.
    ///
    /// # Errors
    /// When it is gone.
    pub fn dashboard_peak(&self) -> anyhow::Result<f64> {
        kilobytes(&format!("/proc/{}/status", self.dashboard), "VmHWM:").map(|kib| kib / 1024.0)
    }

    /// PostgreSQL's memory now, shared pages counted once, in MiB.
    ///
    /// # Errors
    /// When it is gone.
    pub fn postgres_memory(&self) -> anyhow::Result<f64> {
        let mut pids = children(self.postmaster)?;
        pids.push(self.postmaster);
        let sum: f64 = pids.iter().filter_map(|pid| kilobytes(&format!("/proc/{pid}/smaps_rollup"), "Pss:").ok()).sum();
        Ok(sum / 1024.0)
    }
}

impl std::ops::Sub for Cpu {
    type Output = Self;
    fn sub(self, earlier: Self) -> Self {
        Self {
            dashboard: self.dashboard - earlier.dashboard,
            postgres: self.postgres - earlier.postgres,
            generator: self.generator - earlier.generator,
            machine: self.machine - earlier.machine,
        }
    }
}

struct Stat {
    parent: u32,
    own_ticks: f64,
    ended_children_ticks: f64,
}

impl Stat {
    fn read(pid: u32) -> anyhow::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name in parentheses may hold anything.
        let fields: Vec<&str> =
            text.rsplit_once(") ").context("an odd /proc/…/stat")?.1.split_ascii_whitespace().collect();
        let number = |at: usize| -> anyhow::Result<f64> { Ok(fields.get(at).context("too few fields")?.parse()?) };
        Ok(Self {
            parent: fields.get(1).context("too few fields")?.parse()?,
            own_ticks: number(11)? + number(12)?,
            ended_children_ticks: number(13)? + number(14)?,
        })
    }
}

fn children(parent: u32) -> anyhow::Result<Vec<u32>> {
    Ok(fs::read_dir("/proc")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| Stat::read(*pid).is_ok_and(|stat| stat.parent == parent))
        .collect())
}

/// Everything but idle and waiting for the disk.
fn machine_ticks() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/stat")?;
    let fields: Vec<f64> =
        text.lines().next().context("an empty /proc/stat")?.split_whitespace().skip(1).flat_map(str::parse).collect();
    // user nice system idle iowait irq softirq steal; guest is in user already.
    Ok(fields.iter().take(8).enumerate().filter(|(at, _)| *at != 3 && *at != 4).map(|(_, ticks)| ticks).sum())
}

fn kilobytes(file: &str, field: &str) -> anyhow::Result<f64> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)).with_context(|| format!("no {field}"))?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

#[allow(clippy::cast_precision_loss)] // 100
fn ticks_per_second() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}
