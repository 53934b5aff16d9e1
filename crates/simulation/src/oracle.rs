//! What must be true whatever happens, from the contract alone (product.md section 4). It sees what was asked and
//! delivered, what is on the disks, whether a gateway serves, and how its process ends.

use crate::fleet::Said;
use crate::world::World;
use proxima_db::heartbeats::Finding;
use proxima_gateway::agent::judge::{RawAnswer, StopReason};
use proxima_types::{InstallId, KeyDigest, LicenseKey};
use std::collections::BTreeMap;

/// From the moment on which nothing is in the way, the truth has reached a gateway after so many milliseconds: the
/// longest pause (66 s), two attempts that were under way (10 s each), and a little.
const BOUND: u64 = 91_000;
/// A start without an answer looks at the stored one after 10 s; two of the agent's looks more.
const STORED_BY: u64 = 12_000;
/// The agent's look at its clock is every 500 ms.
const LOOK: u64 = 1_500;
/// A deadline may be met so much early or late: clocks are read in the middle of work.
const SLACK: u64 = 2_000;

/// One authentic answer.
#[derive(Debug, Clone)]
pub struct Word {
    pub said: Said,
    pub install: InstallId,
    pub key: LicenseKey,
    /// When it reached the gateway whole.
    pub delivered: Option<Moment>,
}

/// A moment on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    at: u64,
    boot: u128,
    set_forward: u64,
}

/// What carries a process: an answer to serve.
#[derive(Debug, Clone, Copy)]
struct Carried {
    since: Moment,
    limit: Option<u64>,
}

/// One process of a gateway.
#[derive(Debug, Default)]
struct Watch {
    started: u64,
    serving: bool,
    carried: Option<Carried>,
    /// The last answers to this process, newest last.
    heard: Vec<(u64, Said)>,
    /// The stored answer that the process found whole at its start.
    stored: Option<Word>,
    /// That answer must do, unless something better comes.
    stored_must_do: bool,
    asked: Option<LicenseKey>,
    epoch: u64,
    must_stop_since: Option<u64>,
    must_serve_since: Option<u64>,
    over_since: Option<u64>,
}

#[derive(Debug, Default)]
pub struct Oracle {
    /// By nonce; a doubled request has two.
    pub words: BTreeMap<String, Vec<Word>>,
    watches: Vec<Watch>,
    cache: BTreeMap<String, Finding>,
    pub tally: Tally,
}

/// What the schedules have made happen, so that a run that tests nothing is seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub starts: u64,
    pub opened: u64,
    pub opened_from_stored: u64,
    pub stops_expired: u64,
    pub stops_retired: u64,
    pub stops_silence: u64,
    pub killed: u64,
    pub answers: u64,
    pub handovers: u64,
    /// Starts at which the stored answer had passed its deadline.
    pub stored_too_old: u64,
    /// Faults by their kind.
    pub struck: BTreeMap<String, u64>,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.starts += other.starts;
        self.opened += other.opened;
        self.opened_from_stored += other.opened_from_stored;
        self.stops_expired += other.stops_expired;
        self.stops_retired += other.stops_retired;
        self.stops_silence += other.stops_silence;
        self.killed += other.killed;
        self.answers += other.answers;
        self.handovers += other.handovers;
        self.stored_too_old += other.stored_too_old;
        for (kind, times) in &other.struck {
            *self.struck.entry(kind.clone()).or_default() += times;
        }
    }
}

impl Oracle {
    #[must_use]
    pub fn new(gateways: usize) -> Self {
        Self { watches: (0..gateways).map(|_| Watch::default()).collect(), ..Self::default() }
    }

    /// For the mutation that caches verdicts.
    pub(crate) fn cached(&mut self, digest: KeyDigest, finding: Finding) -> Finding {
        self.cache.entry(digest.to_string()).or_insert(finding).clone()
    }
}

impl World {
    fn moment(&self, gateway: usize) -> Moment {
        let host = &self.hosts[gateway];
        Moment { at: self.now(), boot: host.boot, set_forward: host.set_forward }
    }

    /// How much time a gateway may count at the most, and must count at the least, since `then`. Within one boot of
    /// the kernel both are what has passed; across a reboot the wall clock's way forward may count, and at the least
    /// the time since that reboot.
    fn elapsed(&self, gateway: usize, then: Moment) -> (u64, u64) {
        let (now, host) = (self.moment(gateway), &self.hosts[gateway]);
        let passed = now.at - then.at;
        if now.boot == then.boot {
            return (passed, passed);
        }
        (passed + now.set_forward - then.set_forward, (now.at - host.booted_at).min(passed))
    }

    /// An older answer of this gateway's, for somebody who replays them: one that stops, if there is one.
    pub(crate) fn replay(&mut self, gateway: usize) -> Option<RawAnswer> {
        let recorded = &self.hosts[gateway].recorded;
        let stops = |answer: &&RawAnswer| String::from_utf8_lossy(&answer.body).contains("EXPIRED");
        recorded.iter().find(stops).or_else(|| recorded.first()).cloned()
    }

    pub(crate) fn asked(&mut self, gateway: usize, key: &LicenseKey) {
        self.oracle.watches[gateway].asked = Some(key.clone());
    }

    /// An answer reaches the process that asked.
    pub(crate) fn delivered(&mut self, gateway: usize, life: u64, nonce: &str, word: Option<Word>, raw: &RawAnswer) {
        if self.hosts[gateway].life != life || self.hosts[gateway].dead {
            return;
        }
        let (now, awake) = (self.moment(gateway), self.awake());
        let Some(word) = word else {
            self.note(&format!("gateway {gateway} hears HTTP {} of somebody else", raw.status));
            return;
        };
        self.note(&format!("gateway {gateway} hears {:?} ({})", word.said, &nonce[..6]));
        for known in self.oracle.words.get_mut(nonce).into_iter().flatten().filter(|known| known.said == word.said) {
            known.delivered = Some(now);
        }
        self.oracle.tally.answers += 1;
        let offered = serde_json::from_slice::<serde_json::Value>(&raw.body).ok();
        let offered = offered.and_then(|body| LicenseKey::parse(body["nextApiKey"].as_str()?).ok());
        if let Some(next) = offered.filter(|_| !matches!(word.said, Said::Retired))
            && !self.hosts[gateway].obtained.contains(&next)
        {
            self.oracle.tally.handovers += 1;
            self.hosts[gateway].obtained.push(next);
        }
        let watch = &mut self.oracle.watches[gateway];
        watch.heard.push((awake, word.said));
        if let Said::Serve { limit } = word.said {
            watch.carried = Some(Carried { since: now, limit });
            watch.over_since = None;
        }
    }

    /// Whether an answer carries service still, with a minute to spare, by any clock that its gateway can have.
    fn in_time(&self, gateway: usize, word: &Word) -> bool {
        let Said::Serve { limit } = word.said else { return false };
        let (most, _) = word.delivered.map_or((u64::MAX, 0), |then| self.elapsed(gateway, then));
        limit.is_none_or(|limit| most.saturating_add(60_000) < limit)
    }

    /// A process begins.
    pub(crate) fn begins(&mut self, gateway: usize) {
        let host = &self.hosts[gateway];
        let nonce = host.disk.stored_nonce();
        let words = nonce.and_then(|nonce| self.oracle.words.get(&nonce));
        let delivered = words.and_then(|words| words.iter().find(|word| word.delivered.is_some()).cloned());
        let recent: Vec<_> = host.obtained.iter().rev().take(2).collect();
        let stored = delivered.filter(|word| word.install == host.identity.install_id);
        let usable = |word: &Word| {
            let known = if host.disk_trouble {
                word.key == host.identity.api_key && host.obtained.len() == 1
            } else {
                recent.contains(&&word.key)
            };
            known && self.in_time(gateway, word)
        };
        let stored_must_do = stored.as_ref().is_some_and(usable);
        let too_old = stored.as_ref().is_some_and(|word| match (word.said, word.delivered) {
            (Said::Serve { limit: Some(limit) }, Some(then)) => self.elapsed(gateway, then).1 >= limit,
            _ => false,
        });
        self.oracle.tally.starts += 1;
        self.oracle.tally.stored_too_old += u64::from(too_old);
        self.oracle.watches[gateway] =
            Watch { started: self.awake(), stored, stored_must_do, epoch: self.epoch, ..Watch::default() };
        self.note(&format!("gateway {gateway} starts"));
    }

    /// The disk was damaged after this process began: it looks at its stored answer later, and need not find it whole.
    pub(crate) fn stored_answer_is_unsure(&mut self, gateway: usize) {
        self.oracle.watches[gateway].stored_must_do = false;
    }

    /// Looks at a process that runs.
    pub(crate) fn observe(&mut self, gateway: usize, serving: bool) {
        let was = self.oracle.watches[gateway].serving;
        if serving && !was {
            self.opened(gateway);
        } else if was && !serving {
            self.violation(&format!("gateway {gateway} closed its ports while its process runs"));
        }
        self.oracle.watches[gateway].serving = serving;
        self.hold_to_the_truth(gateway, serving);
        self.hold_to_the_deadline(gateway, serving);
        let (awake, watch) = (self.awake(), &self.oracle.watches[gateway]);
        // It looks at its stored answer some seconds after it began; its machine may have slept until that was too old.
        let stored_must_do =
            watch.stored_must_do && watch.stored.as_ref().is_some_and(|word| self.in_time(gateway, word));
        if !serving && stored_must_do && awake - watch.started > STORED_BY {
            self.oracle.watches[gateway].stored_must_do = false;
            self.violation(&format!("gateway {gateway} does not serve although its stored answer carries it"));
        }
    }

    fn opened(&mut self, gateway: usize) {
        let (awake, watch) = (self.awake(), &self.oracle.watches[gateway]);
        self.oracle.tally.opened += 1;
        if watch.carried.is_some() {
            self.note(&format!("gateway {gateway} serves on an answer"));
            return;
        }
        let waited = awake - watch.started;
        let carried = watch.stored.as_ref().and_then(|word| match (word.said, word.delivered) {
            (Said::Serve { limit }, Some(since)) => Some(Carried { since, limit }),
            _ => None,
        });
        let carries = carried.is_some_and(|carried| {
            carried.limit.is_none_or(|limit| self.elapsed(gateway, carried.since).1 < limit + SLACK)
        });
        self.oracle.watches[gateway].carried = carried;
        self.oracle.tally.opened_from_stored += 1;
        if waited < 9_900 || !(carries || self.hosts[gateway].disk_damaged) {
            self.violation(&format!("gateway {gateway} serves after {waited} ms without an answer that allows it"));
        }
        self.note(&format!("gateway {gateway} serves on its stored answer"));
    }

    /// With nothing in the way the truth arrives within [`BOUND`].
    fn hold_to_the_truth(&mut self, gateway: usize, serving: bool) {
        let (awake, now, epoch) = (self.awake(), self.database_now(), self.epoch);
        let healthy = self.healthy(gateway);
        let said = |key: &LicenseKey| self.rows.contract(key.digest(), now);
        let all_stop =
            self.hosts[gateway].obtained.iter().all(|key| matches!(said(key), Said::Expired | Said::Retired));
        let asked_serves = self.oracle.watches[gateway].asked.as_ref().map(said);
        let must_stop = healthy && serving && all_stop;
        let must_serve = healthy && !serving && matches!(asked_serves, Some(Said::Serve { .. }));
        let watch = &mut self.oracle.watches[gateway];
        if std::mem::replace(&mut watch.epoch, epoch) != epoch {
            (watch.must_stop_since, watch.must_serve_since) = (None, None);
        }
        watch.must_stop_since = must_stop.then(|| watch.must_stop_since.unwrap_or(awake));
        watch.must_serve_since = must_serve.then(|| watch.must_serve_since.unwrap_or(awake));
        let late = |since: Option<u64>| since.is_some_and(|since| awake - since > BOUND);
        let (stop_missed, serve_missed) = (late(watch.must_stop_since), late(watch.must_serve_since));
        if stop_missed {
            self.oracle.watches[gateway].must_stop_since = Some(awake);
            self.violation(&format!("gateway {gateway} serves on although its license has ended: missed"));
        }
        if serve_missed {
            self.oracle.watches[gateway].must_serve_since = Some(awake);
            self.violation(&format!("gateway {gateway} does not serve although it is licensed and hears that"));
        }
    }

    /// A silence ends at its signed deadline.
    fn hold_to_the_deadline(&mut self, gateway: usize, serving: bool) {
        let awake = self.awake();
        let Some(Carried { since, limit: Some(limit) }) = self.oracle.watches[gateway].carried else { return };
        let over = serving && self.elapsed(gateway, since).1 >= limit && !self.hosts[gateway].disk_damaged;
        let watch = &mut self.oracle.watches[gateway];
        watch.over_since = over.then(|| watch.over_since.unwrap_or(awake));
        if watch.over_since.is_some_and(|since| awake.saturating_sub(since) > LOOK) {
            watch.over_since = Some(awake + 3_600_000);
            self.violation(&format!("gateway {gateway} serves on past its signed deadline: missed"));
        }
    }

    /// The process was killed, or lost its power.
    pub(crate) fn died(&mut self, gateway: usize) {
        self.oracle.tally.killed += 1;
        self.note(&format!("gateway {gateway} was killed"));
    }

    /// The gateway has stopped itself.
    pub(crate) fn stopped(&mut self, gateway: usize, reason: Option<&StopReason>) {
        self.note(&format!("gateway {gateway} stops: {reason:?}"));
        let Some(reason) = reason else { return };
        if *reason == StopReason::SilenceLimit {
            self.oracle.tally.stops_silence += 1;
            let carried = self.oracle.watches[gateway].carried;
            let over = carried.is_some_and(|Carried { since, limit }| {
                limit.is_some_and(|limit| self.elapsed(gateway, since).0 + SLACK >= limit)
            });
            if !over && !self.hosts[gateway].disk_damaged {
                self.violation(&format!("gateway {gateway} stopped for silence before its deadline: wrong kill"));
            }
            return;
        }
        if *reason == StopReason::Expired {
            self.oracle.tally.stops_expired += 1;
        } else {
            self.oracle.tally.stops_retired += 1;
        }
        if !self.is_explained(gateway) {
            self.violation(&format!("gateway {gateway} stopped without a delivered verdict: wrong kill"));
        }
    }

    /// EXPIRED was heard just now; or that the key is retired, and nothing to serve since: a gateway whose newest key
    /// is retired may have asked with the one before, for two attempts' time.
    fn is_explained(&self, gateway: usize) -> bool {
        let (awake, now, host) = (self.awake(), self.database_now(), &self.hosts[gateway]);
        let heard = &self.oracle.watches[gateway].heard;
        let explained = match heard.last() {
            Some((at, Said::Expired | Said::Retired)) if *at == awake => true,
            _ => heard
                .iter()
                .rev()
                .take_while(|(at, said)| awake - at <= 10_500 && !matches!(said, Said::Serve { .. }))
                .any(|(_, said)| *said == Said::Retired),
        };
        let serves = |key: &LicenseKey| matches!(self.rows.contract(key.digest(), now), Said::Serve { .. });
        let forgot_its_key = heard.last().is_some_and(|(_, said)| *said == Said::Retired)
            && !host.disk_trouble
            && self.healthy(gateway)
            && host.obtained.iter().any(serves);
        explained && !forgot_its_key
    }
}
