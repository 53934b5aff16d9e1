//! A gateway host's clocks.

use crate::world::Shared;
use chrono::{DateTime, TimeDelta, Utc};
use proxima_gateway::clock::{Clock, Reading};

/// The wall clock's reading at the world's beginning.
const BEGINNING: i64 = 1_800_000_000_000;

/// A moment of the world as a date, `offset` milliseconds off.
#[must_use]
pub fn date(world_ms: u64, offset: i64) -> DateTime<Utc> {
    let beginning = DateTime::from_timestamp_millis(BEGINNING).unwrap_or_default();
    beginning + TimeDelta::milliseconds(i64::try_from(world_ms).unwrap_or_default() + offset)
}

pub struct HostClock {
    pub shared: Shared,
    pub gateway: usize,
}

impl Clock for HostClock {
    fn read(&self) -> Reading {
        let world = self.shared.lock();
        let (now, host) = (world.now(), &world.hosts[self.gateway]);
        let wall = date(now, host.wall_offset);
        let since_boot_ms = if world.mutation == crate::Mutation::WallClockCounts {
            u64::try_from(wall.timestamp_millis() - BEGINNING / 2).unwrap_or_default()
        } else {
            now - host.booted_at
        };
        Reading { kernel_boot: Some(uuid::Uuid::from_u128(host.boot)), since_boot_ms, wall }
    }
}
