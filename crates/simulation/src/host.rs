//! A machine with systemd and the real agent on it.

use crate::clock::HostClock;
use crate::disk::HostDisk;
use crate::network::HostLink;
use crate::world::Shared;
use proxima_gateway::agent::judge::StopReason;
use proxima_gateway::agent::store::StateDir;
use proxima_gateway::agent::{Agent, Equipment};
use proxima_gateway::listen::{ListenSettings, Listeners, Workers};
use proxima_gateway::manage::desk::Desk;
use proxima_gateway::metrics::Metrics;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// `RestartSec` of the unit.
const RESTART: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(500);

enum End {
    Killed,
    Stopped(Option<StopReason>),
}

/// Starts the gateway, and starts it again, for ever.
pub async fn live(shared: Shared, gateway: usize) {
    loop {
        while !shared.lock().hosts[gateway].powered {
            sleep(LOOK).await;
        }
        let end = process(&shared, gateway).await;
        {
            let mut world = shared.lock();
            match &end {
                End::Killed => world.died(gateway),
                End::Stopped(reason) => world.stopped(gateway, reason.as_ref()),
            }
            world.hosts[gateway].dead = true;
        }
        sleep(RESTART).await;
    }
}

async fn process(shared: &Shared, gateway: usize) -> End {
    let (death, life, metrics) = begin(shared, gateway);
    let mut agent = Agent::new(equipment(shared, gateway, life, &metrics));
    let stop = CancellationToken::new();
    let mut run = pin!(agent.run(&stop));
    let observed = std::future::poll_fn(|context| {
        let polled = run.as_mut().poll(context);
        let mut world = shared.lock();
        if world.hosts[gateway].dead {
            return Poll::Ready(End::Killed);
        }
        match polled {
            Poll::Ready(reason) => Poll::Ready(End::Stopped(reason)),
            Poll::Pending => {
                world.observe(gateway, metrics.serving.get() == 1);
                Poll::Pending
            }
        }
    });
    tokio::select! {
        biased;
        () = death.notified() => End::Killed,
        end = observed => end,
    }
}

fn begin(shared: &Shared, gateway: usize) -> (Arc<Notify>, u64, Arc<Metrics>) {
    let mut world = shared.lock();
    let host = &mut world.hosts[gateway];
    host.life += 1;
    host.dead = false;
    host.death = Arc::new(Notify::new());
    let (death, life) = (Arc::clone(&host.death), host.life);
    world.begins(gateway);
    (death, life, Arc::new(Metrics::default()))
}

fn equipment(shared: &Shared, gateway: usize, life: u64, metrics: &Arc<Metrics>) -> Equipment {
    let (identity, judge, seed) = {
        let mut world = shared.lock();
        (world.hosts[gateway].identity.clone(), world.mutation.judge(), world.rng.random())
    };
    Equipment {
        identity,
        clock: Arc::new(HostClock { shared: shared.clone(), gateway }),
        transport: Box::new(HostLink { shared: shared.clone(), gateway, life }),
        judge,
        rng: StdRng::seed_from_u64(seed),
        state: StateDir::on(Box::new(HostDisk { shared: shared.clone(), gateway, life })),
        listeners: listeners(metrics),
        metrics: Arc::clone(metrics),
        desk: Arc::new(Desk::default()),
        start_timeout: Duration::from_secs(10),
    }
}

/// Of no ports: what is served is not this simulation's matter, only whether.
fn listeners(metrics: &Arc<Metrics>) -> Listeners {
    let settings = ListenSettings { address: None, max_connections: 1, drain: Duration::from_secs(1) };
    let ends = (CancellationToken::new(), CancellationToken::new());
    Listeners::new(settings, Arc::clone(metrics), Arc::new(Workers::default()), TaskTracker::new(), ends)
        .expect("randomness")
}
