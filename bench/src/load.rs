//! Gateways at work: each connection carries the heartbeats of its own gateways, one at a time, as a real gateway's
//! connection does.

use crate::fleet::Gateway;
use crate::tally::Tally;
use crate::wire::Connection;
use anyhow::Context as _;
use proxima_types::identity::DashboardPublicKey;
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// Of so many answers one has its signature checked.
const CHECKED_EVERY: u64 = 64;
/// How long answers may take after the last heartbeat was sent.
const LAST_ANSWERS: Duration = Duration::from_secs(30);
/// How long the first heartbeats of all gateways may take.
const ONCE_AT_MOST: Duration = Duration::from_secs(1800);
/// How many connections are opened between two pauses: the listener's backlog is bounded.
const OPENED_AT_ONCE: usize = 256;

/// When heartbeats are sent.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// Each connection sends its next one as soon as it has the answer.
    Saturating,
    /// So many a second in all, each connection in turn. Latency counts from when a heartbeat was due, so one that
    /// had to wait for its connection has waited.
    Rate(f64),
    /// As `Rate`, but a heartbeat that is due while its connection still waits is skipped: gateways do not queue
    /// heartbeats. Latency counts from sending.
    Overload(f64),
    /// Each gateway once.
    Once,
}

/// Open connections, each with its share of the gateways.
pub struct Load {
    address: SocketAddr,
    key: DashboardPublicKey,
    lanes: Vec<Lane>,
    sent: Rc<Cell<u64>>,
}

struct Lane {
    connection: Connection,
    gateways: Vec<Gateway>,
    next: usize,
}

impl Load {
    /// Opens `connections` and deals the gateways out to them.
    ///
    /// # Errors
    /// When the dashboard does not accept.
    pub async fn open(
        address: SocketAddr,
        key: DashboardPublicKey,
        connections: usize,
        gateways: Vec<Gateway>,
        sent: u64,
    ) -> anyhow::Result<Self> {
        let mut lanes: Vec<Lane> = Vec::with_capacity(connections);
        for at in 0..connections.min(gateways.len()) {
            if at % OPENED_AT_ONCE == OPENED_AT_ONCE - 1 {
                sleep(Duration::from_millis(20)).await;
            }
            let connection = Connection::open(address).await.context("a connection was not accepted")?;
            lanes.push(Lane { connection, gateways: Vec::new(), next: 0 });
        }
        for (at, gateway) in gateways.into_iter().enumerate() {
            let lane = at % lanes.len();
            lanes[lane].gateways.push(gateway);
        }
        Ok(Self { address, key, lanes, sent: Rc::new(Cell::new(sent)) })
    }

    /// Closes the connections: the gateways back in their order, and how many heartbeats they have sent in all.
    #[must_use]
    pub fn close(self) -> (Vec<Gateway>, u64) {
        let total = self.lanes.iter().map(|lane| lane.gateways.len()).sum();
        let mut gateways = Vec::with_capacity(total);
        let mut lanes: Vec<_> = self.lanes.into_iter().map(|lane| lane.gateways.into_iter()).collect();
        while gateways.len() < total {
            gateways.extend(lanes.iter_mut().filter_map(Iterator::next));
        }
        (gateways, self.sent.get())
    }

    /// Sends heartbeats for `time`; returns what came back, and how long it took until the last answer.
    ///
    /// # Errors
    /// When answers are still missing half a minute after the last heartbeat, or half an hour after the first of
    /// [`Pace::Once`], which takes the time it takes.
    pub async fn run(&mut self, pace: Pace, time: Duration) -> anyhow::Result<(Tally, Duration)> {
        let tally = Rc::new(RefCell::new(Tally::new()?));
        let count = self.lanes.len();
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for (at, lane) in self.lanes.drain(..).enumerate() {
            let worker = Worker {
                lane,
                address: self.address,
                key: self.key,
                tally: Rc::clone(&tally),
                sent: Rc::clone(&self.sent),
                request: Vec::with_capacity(1024),
                body: Vec::with_capacity(1024),
            };
            tasks.spawn_local(worker.run(pace, at, count, start, start + time));
        }
        let enough = if matches!(pace, Pace::Once) { ONCE_AT_MOST } else { time + LAST_ANSWERS };
        let lanes = tokio::time::timeout(enough, tasks.join_all()).await;
        self.lanes = lanes.context("some heartbeats were not answered")?.into_iter().collect::<Result<_, _>>()?;
        let took = start.elapsed();
        let tally = Rc::into_inner(tally).context("a worker is still running")?.into_inner();
        Ok((tally, took))
    }
}

struct Worker {
    lane: Lane,
    address: SocketAddr,
    key: DashboardPublicKey,
    tally: Rc<RefCell<Tally>>,
    sent: Rc<Cell<u64>>,
    request: Vec<u8>,
    body: Vec<u8>,
}

impl Worker {
    async fn run(mut self, pace: Pace, at: usize, of: usize, start: Instant, end: Instant) -> anyhow::Result<Lane> {
        match pace {
            Pace::Saturating => {
                while Instant::now() < end {
                    self.beat(Instant::now()).await?;
                }
            }
            Pace::Once => {
                for _ in 0..self.lane.gateways.len() {
                    self.beat(Instant::now()).await?;
                }
            }
            Pace::Rate(rate) | Pace::Overload(rate) => {
                #[allow(clippy::cast_precision_loss)] // a few thousand connections
                let (mut due, period) =
                    (start + Duration::from_secs_f64(at as f64 / rate), Duration::from_secs_f64(of as f64 / rate));
                while due < end {
                    let now = Instant::now();
                    if due > now {
                        sleep_until(due).await;
                    } else if matches!(pace, Pace::Overload(_)) && due + period < now {
                        self.tally.borrow_mut().skipped += 1;
                        due += period;
                        continue;
                    }
                    self.beat(if matches!(pace, Pace::Rate(_)) { due } else { Instant::now() }).await?;
                    due += period;
                }
            }
        }
        Ok(self.lane)
    }

    /// One heartbeat of the next gateway, counted from `since`.
    async fn beat(&mut self, since: Instant) -> anyhow::Result<()> {
        let Lane { connection, gateways, next } = &mut self.lane;
        let at = *next;
        *next = (at + 1) % gateways.len();
        let gateway = &mut gateways[at];
        let unique = self.sent.replace(self.sent.get() + 1);
        gateway.next_request(unique, &mut self.request, &mut self.body)?;
        match connection.exchange(&self.request).await {
            Ok(answer) => {
                let latency = since.elapsed();
                let tally = &mut *self.tally.borrow_mut();
                tally.note(answer.status, gateway.expected_status, answer.retry_after, latency);
                if unique.is_multiple_of(CHECKED_EVERY) && answer.status == gateway.expected_status {
                    tally.checked += 1;
                    tally.forged += u64::from(!gateway.is_authentic(&answer, self.key));
                }
            }
            Err(_) => {
                self.tally.borrow_mut().note(0, gateway.expected_status, false, since.elapsed());
                sleep(Duration::from_millis(100)).await;
                *connection = Connection::open(self.address).await?;
            }
        }
        Ok(())
    }
}
