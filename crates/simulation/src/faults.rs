//! What goes wrong, and what operators do meanwhile.

use crate::disk::Health;
use crate::fleet::Next;
use crate::network::Link;
use crate::world::{Database, Process, World};
use chrono::TimeDelta;
use proxima_dashboard::keyring::Place;
use proxima_types::{InstallId, LicenseKey, LicenseStatus};
use rand::Rng as _;
use rand::rngs::StdRng;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    Dashboard(Process),
    Database(Database),
    /// The rows are as at an earlier backup.
    Restore,
    /// The operator accepts that; retired keys stay retired.
    AcceptRestore,
    Backup,
    DatabaseClock(i64),
    Link(usize, Link),
    Kill(usize),
    /// The process dies within its work on the disk.
    KillAtDisk(usize, u32),
    /// The power fails, for so long.
    PowerCut(usize),
    PowerOn(usize),
    Suspend(u64),
    WallClock(usize, i64),
    Disk(usize, Health),
    DamagedDisk(usize),
    Revoke(usize, u64),
    Reinstate(usize),
    ExpireByHand(usize),
    Regenerate(usize),
    Reinstall(usize, bool),
    Delete(usize),
    Rotate(usize, u64),
    CancelRotation(usize),
    OfflineLimit(Option<u32>),
}

/// One fault, and how it ends, with the milliseconds between.
fn one(rng: &mut StdRng, gateways: usize) -> (Fault, Option<(u64, Fault)>) {
    let g = rng.random_range(0..gateways);
    let lasts = rng.random_range(2_000..3 * MINUTE);
    let ends = |fault, end| (fault, Some((lasts, end)));
    let step = |rng: &mut StdRng| {
        let hours = [-200_000, -26, -2, 2, 26, 200_000][rng.random_range(0..6)];
        hours * i64::try_from(HOUR).unwrap_or_default()
    };
    match rng.random_range(0..32) {
        0 => ends(Fault::Dashboard(Process::Down), Fault::Dashboard(Process::Up)),
        1 => ends(Fault::Dashboard(Process::Hung), Fault::Dashboard(Process::Up)),
        2 => ends(Fault::Database(Database::Down), Fault::Database(Database::Good)),
        3 => ends(Fault::Database(Database::Slow), Fault::Database(Database::Good)),
        4 => ends(Fault::Restore, Fault::AcceptRestore),
        5 => (Fault::Backup, None),
        6 => (Fault::DatabaseClock(step(rng)), None),
        7 | 8 => {
            let links = [Link::Bad, Link::Partitioned, Link::Refusing, Link::Portal, Link::Corrupting, Link::Forging];
            ends(Fault::Link(g, links[rng.random_range(0..links.len())]), Fault::Link(g, Link::Good))
        }
        9 => ends(Fault::Link(g, Link::Replaying), Fault::Link(g, Link::Good)),
        10 => ends(Fault::Link(g, Link::Partitioned), Fault::Link(g, Link::Good)),
        11 | 12 => (Fault::Kill(g), None),
        13 => (Fault::KillAtDisk(g, rng.random_range(0..8)), None),
        14 => ends(Fault::PowerCut(g), Fault::PowerOn(g)),
        15..=17 => {
            let hours = [1, 13, 26, 30, 130][rng.random_range(0..5)];
            (Fault::Suspend(hours * HOUR + rng.random_range(0..HOUR)), None)
        }
        18 => (Fault::WallClock(g, step(rng)), None),
        19 => ends(Fault::Disk(g, Health::Full), Fault::Disk(g, Health::Good)),
        20 => ends(Fault::Disk(g, Health::ReadOnly), Fault::Disk(g, Health::Good)),
        21 => (Fault::DamagedDisk(g), None),
        22 | 23 => {
            let graces = [0, 20_000, 2 * MINUTE, 2 * HOUR, 120 * HOUR];
            (Fault::Revoke(g, graces[rng.random_range(0..graces.len())]), None)
        }
        24 => (Fault::Reinstate(g), None),
        25 => ends(Fault::ExpireByHand(g), Fault::Reinstate(g)),
        26 => ends(Fault::Regenerate(g), Fault::Reinstall(g, rng.random())),
        27 => (Fault::Reinstall(g, rng.random()), None),
        28 => (Fault::Delete(g), None),
        29 => (Fault::Rotate(g, [MINUTE, HOUR, 48 * HOUR][rng.random_range(0..3)]), None),
        30 => ends(Fault::Rotate(g, 48 * HOUR), Fault::CancelRotation(g)),
        _ => (Fault::OfflineLimit([None, Some(1), Some(3)][rng.random_range(0..3)]), None),
    }
}

/// A silence that outlives a signed deadline: a limit is heard, then nothing more, and time passes. The limits are those
/// of a GRACE with its day of margin, or of the operator's offline limit.
fn long_silence(rng: &mut StdRng, gateways: usize) -> Vec<(u64, Fault)> {
    let g = rng.random_range(0..gateways);
    let limit = match rng.random_range(0..3) {
        0 => Fault::OfflineLimit(Some(1)),
        1 => Fault::Revoke(g, 5 * MINUTE),
        _ => Fault::Revoke(g, 2 * HOUR),
    };
    let begins = rng.random_range(0..2 * MINUTE);
    // The longest interval and an attempt: the limit has been heard.
    let silent = begins + 90_000;
    let passes = rng.random_range(26 * HOUR..32 * HOUR);
    let mut story =
        vec![(begins, limit), (silent, unreachable_dashboard(rng, g)), (silent + 1_000, Fault::Suspend(passes))];
    if rng.random() {
        // Its end is to be found by the next process, from the disk.
        story.push((silent + 1_200, Fault::Kill(g)));
    }
    story.push((silent + MINUTE, Fault::Link(g, Link::Good)));
    story.push((silent + MINUTE, Fault::Dashboard(Process::Up)));
    story
}

/// A process that begins while nobody answers: it has only what is on its disk.
fn start_in_the_dark(rng: &mut StdRng, gateways: usize) -> Vec<(u64, Fault)> {
    let g = rng.random_range(0..gateways);
    let begins = rng.random_range(20_000..3 * MINUTE);
    let dark = rng.random_range(40_000..2 * MINUTE);
    let mut story = vec![(begins, unreachable_dashboard(rng, g))];
    if rng.random() {
        story.extend([(begins + 2_000, Fault::PowerCut(g)), (begins + 4_000, Fault::PowerOn(g))]);
    } else {
        story.push((begins + 2_000, Fault::Kill(g)));
    }
    story.extend([(begins + dark, Fault::Link(g, Link::Good)), (begins + dark, Fault::Dashboard(Process::Up))]);
    story
}

fn unreachable_dashboard(rng: &mut StdRng, g: usize) -> Fault {
    match rng.random_range(0..4) {
        0 => Fault::Dashboard(Process::Down),
        1 => Fault::Dashboard(Process::Hung),
        2 => Fault::Link(g, Link::Portal),
        _ => Fault::Link(g, Link::Partitioned),
    }
}

impl Fault {
    /// What kind it is, without the gateway and the numbers: `LinkForging`.
    #[must_use]
    pub fn kind(&self) -> String {
        format!("{self:?}").chars().filter(char::is_ascii_alphabetic).collect()
    }
}

/// Faults in the order of their times, which are milliseconds awake.
#[must_use]
pub fn plan(rng: &mut StdRng, gateways: usize) -> Vec<(u64, Fault)> {
    let mut plan = match rng.random_range(0..4) {
        0 => long_silence(rng, gateways),
        1 => start_in_the_dark(rng, gateways),
        _ => Vec::new(),
    };
    for _ in 0..rng.random_range(3..12) {
        let at = rng.random_range(0..8 * MINUTE);
        let (fault, end) = one(rng, gateways);
        plan.push((at, fault));
        plan.extend(end.map(|(after, end)| (at + after, end)));
    }
    plan.sort_by_key(|(at, _)| *at);
    plan
}

/// All that is broken is mended; what operators did stays.
pub fn mend(world: &mut World) {
    if world.database == Database::Behind {
        accept(world);
    }
    (world.process, world.database) = (Process::Up, Database::Good);
    for host in &mut world.hosts {
        host.link = Link::Good;
        (host.disk.health, host.disk.dies_in) = (Health::Good, None);
        if !host.powered {
            host.powered = true;
        }
    }
    world.epoch += 1;
    world.note("all is mended");
}

/// Makes it happen.
pub fn strike(world: &mut World, fault: &Fault) {
    world.note(&format!("{fault:?}"));
    *world.oracle.tally.struck.entry(fault.kind()).or_default() += 1;
    world.epoch += 1;
    match *fault {
        Fault::Dashboard(process) => world.process = process,
        Fault::Database(database) if world.database != Database::Behind => world.database = database,
        Fault::Database(_) => {}
        Fault::Backup => world.backups.push(world.rows.clone()),
        Fault::Restore => restore(world),
        Fault::AcceptRestore => accept(world),
        Fault::DatabaseClock(step) => world.database_offset += step,
        Fault::Suspend(ms) => world.suspend(ms),
        Fault::OfflineLimit(days) => world.rows.offline_limit_days = days,
        Fault::Link(g, link) => world.hosts[g].link = link,
        Fault::Kill(g) => kill(world, g),
        Fault::KillAtDisk(g, operations) => world.hosts[g].disk.dies_in = Some(operations),
        Fault::PowerCut(g) => power_cut(world, g),
        Fault::PowerOn(g) => world.hosts[g].powered = true,
        Fault::WallClock(g, step) => {
            let host = &mut world.hosts[g];
            host.wall_offset += step;
            host.set_forward += u64::try_from(step).unwrap_or(0);
        }
        Fault::Disk(g, health) => {
            world.hosts[g].disk.health = health;
            world.hosts[g].disk_trouble = true;
        }
        Fault::DamagedDisk(g) => {
            let World { hosts, rng, .. } = world;
            hosts[g].disk.damage(rng);
            (hosts[g].disk_trouble, hosts[g].disk_damaged) = (true, true);
            world.stored_answer_is_unsure(g);
        }
        Fault::Revoke(..)
        | Fault::Reinstate(_)
        | Fault::ExpireByHand(_)
        | Fault::Regenerate(_)
        | Fault::Delete(_)
        | Fault::Rotate(..)
        | Fault::CancelRotation(_) => operate(world, fault),
        Fault::Reinstall(g, new_id) => reinstall(world, g, new_id),
    }
}

fn kill(world: &mut World, g: usize) {
    let host = &mut world.hosts[g];
    if !host.dead {
        host.dead = true;
        host.death.notify_one();
    }
}

fn power_cut(world: &mut World, g: usize) {
    kill(world, g);
    let (now, boot) = (world.now(), world.rng.random());
    let World { hosts, rng, .. } = world;
    let host = &mut hosts[g];
    host.disk.lose_power(rng);
    host.disk.dies_in = None;
    host.powered = false;
    (host.boot, host.booted_at) = (boot, now);
}

fn restore(world: &mut World) {
    let Some(older) = world.backups.pop() else { return };
    let known = std::mem::replace(&mut world.rows, older).retired;
    world.database = Database::Behind;
    // What the dashboard's anchor remembers; nobody is answered before it is replayed.
    let missing = known.into_iter().filter(|(digest, ..)| !world.rows.retired.iter().any(|(old, ..)| old == digest));
    let missing: Vec<_> = missing.collect();
    world.rows.retired.extend(missing);
}

fn accept(world: &mut World) {
    if world.database == Database::Behind {
        world.database = Database::Good;
    }
}

/// What an administrator does, when it is allowed now.
fn operate(world: &mut World, fault: &Fault) {
    if world.database != Database::Good || world.process != Process::Up {
        return;
    }
    let now = world.database_now();
    let key = LicenseKey::from_random_bytes(world.rng.random());
    let app = world.app.clone();
    let rows = &mut world.rows;
    let (Fault::Revoke(g, _)
    | Fault::Reinstate(g)
    | Fault::ExpireByHand(g)
    | Fault::Regenerate(g)
    | Fault::Delete(g)
    | Fault::Rotate(g, _)
    | Fault::CancelRotation(g)) = *fault
    else {
        return;
    };
    let Some(row) = rows.servers[g].as_mut() else { return };
    let (id, mut retired) = (row.id, Vec::new());
    match *fault {
        Fault::Revoke(_, grace) => {
            let end = now + TimeDelta::milliseconds(i64::try_from(grace).unwrap_or_default());
            (row.stored, row.grace_end) = (LicenseStatus::Grace, Some(end));
        }
        Fault::Reinstate(_) => (row.stored, row.grace_end) = (LicenseStatus::Active, None),
        Fault::ExpireByHand(_) => (row.stored, row.grace_end) = (LicenseStatus::Expired, None),
        Fault::Regenerate(_) => {
            retired.extend(row.next.take().map(|next| (next.key.digest(), "REGENERATED")));
            retired.push((std::mem::replace(&mut row.present, key).digest(), "REGENERATED"));
        }
        Fault::Rotate(_, limit) if row.next.is_none() => {
            let place = Place { table: "servers", row: id.0, column: "api_key" };
            let Ok(sealed) = app.keyring.seal(place, key.expose(), app.entropy.as_ref()) else { return };
            let limit_at = now + TimeDelta::milliseconds(i64::try_from(limit).unwrap_or_default());
            row.next = Some(Next { key, sealed, started_at: now, limit_at });
        }
        Fault::CancelRotation(_) => {
            let overdue = row.next.as_ref().is_some_and(|next| next.limit_at <= now);
            if !overdue {
                retired.extend(row.next.take().map(|next| (next.key.digest(), "CANCELLED")));
            }
        }
        Fault::Delete(_) => {
            retired.push((row.present.digest(), "DELETED"));
            retired.extend(row.next.take().map(|next| (next.key.digest(), "DELETED")));
            rows.servers[g] = None;
        }
        _ => {}
    }
    for (digest, reason) in retired {
        rows.retire(digest, id, reason);
    }
}

/// The customer installs again: the newest key, and either the same installation or a new one.
fn reinstall(world: &mut World, g: usize, new_id: bool) {
    if world.database != Database::Good || world.process != Process::Up {
        return;
    }
    let Some(row) = world.rows.servers[g].as_ref() else { return };
    let key = row.next.as_ref().map_or(&row.present, |next| &next.key).clone();
    let install = InstallId(uuid::Builder::from_random_bytes(world.rng.random()).into_uuid());
    kill(world, g);
    let host = &mut world.hosts[g];
    host.identity.api_key = key.clone();
    if new_id {
        host.identity.install_id = install;
    }
    host.obtained = vec![key];
}
