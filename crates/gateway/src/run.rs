//! `proxima-gateway run`: puts the rooms together, waits for a signal, drains.

use crate::agent::client::HeartbeatClient;
use crate::agent::judge::{StopReason, judge};
use crate::agent::store::StateDir;
use crate::agent::{Agent, Equipment};
use crate::cli::{Options, Switch};
use crate::clock::{Clock, SystemClock};
use crate::listen::{ListenSettings, Listeners, Workers};
use crate::manage::desk::Desk;
use crate::manage::{Management, ManagementListen, ManagementSettings};
use crate::metrics::Metrics;
use crate::proxy::{ProxyContext, ProxySettings, RequestIds, VisitorTimings};
use crate::upstream::BackendTimings;
use crate::{identity, log, metrics};
use anyhow::Context as _;
use proxima_types::identity::GatewayIdentity;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use rustix::process::{Resource, Rlimit, Signal, getpid, getrlimit, kill_process, setrlimit};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long the agent may take to leave its last status.
const AGENT_END: Duration = Duration::from_secs(5);

/// What ends the process, from outside in.
#[derive(Clone, Default)]
struct Lifecycle {
    /// Stop accepting, let requests in flight end.
    stop: CancellationToken,
    /// The drain is over.
    kill: CancellationToken,
    tasks: TaskTracker,
    /// Why it ends, unless the agent knows better.
    why: Arc<OnceLock<&'static str>>,
}

/// Serves until a signal or a verdict. `Ok` is an orderly end.
///
/// # Errors
/// What keeps the gateway from starting: all of it local, none of it the dashboard's.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let metrics = Arc::new(Metrics::default());
    let identity = identity::load(&options.config).map_err(|found| anyhow::anyhow!(identity::describe(&found)))?;
    let (log, _guard) = log::start(options.log_format, &options.log, Arc::clone(&metrics))?;
    let state = StateDir::open(&options.state_dir)?;
    raise_file_limit(options.max_connections);
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let mut rng = StdRng::from_os_rng();
    let lifecycle = Lifecycle::default();
    let context = Arc::new(ProxyContext {
        settings: proxy_settings(options),
        metrics: Arc::clone(&metrics),
        request_ids: RequestIds::new(rng.random()),
    });
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let ends = (lifecycle.stop.clone(), lifecycle.kill.clone());
    let threads = options.threads.map_or_else(cpus, |threads| threads as usize);
    let workers = Arc::new(Workers::start(threads, &context, &log, &clock)?);
    let listeners = Listeners::new(
        listen_settings(options),
        Arc::clone(&metrics),
        Arc::clone(&workers),
        lifecycle.tasks.clone(),
        ends,
    )?;
    let desk = Arc::new(Desk::default());
    let management = start_management(options, &identity, &desk, &metrics);
    let agent = Agent::new(Equipment {
        transport: Box::new(HeartbeatClient::new(&identity)),
        judge,
        identity,
        clock,
        rng,
        state,
        listeners,
        metrics: Arc::clone(&metrics),
        desk,
        start_timeout: options.timings.start_timeout_seconds,
    });
    runtime.block_on(live(options, agent, management, metrics, &lifecycle))?;
    // Its last log lines come before the log ends.
    drop(workers);
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(())
}

fn start_management(
    options: &Options,
    identity: &GatewayIdentity,
    desk: &Arc<Desk>,
    metrics: &Arc<Metrics>,
) -> Option<Management> {
    let ManagementListen::At(address) = options.management_listen else { return None };
    let settings = ManagementSettings { address, state_dir: options.state_dir.clone() };
    Some(Management::start(settings, identity, Arc::clone(desk), Arc::clone(metrics)))
}

async fn live(
    options: &Options,
    agent: Agent,
    mut management: Option<Management>,
    metrics: Arc<Metrics>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<()> {
    let mut signals = Endings::new()?;
    if let Some(address) = options.metrics_listen {
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot serve metrics at {address}"))?;
        tokio::spawn(metrics::server::serve(listener, metrics));
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), config = %options.config.display(), "starting");
    let agent = start_agent(agent, lifecycle.clone())?;
    let drain = tokio::select! {
        signal = signals.next() => {
            tracing::info!(signal, "a signal");
            options.drain_seconds
        }
        drain = drain_asked(management.as_mut()) => {
            let _ = lifecycle.why.set("drained at the dashboard's request");
            tracing::info!("the dashboard asked for a drain");
            drain
        }
    };
    tracing::info!(drain_seconds = drain.as_secs_f64(), "stopping: ports closed, draining");
    lifecycle.stop.cancel();
    lifecycle.tasks.close();
    tokio::select! {
        () = lifecycle.tasks.wait() => tracing::info!("drained"),
        () = tokio::time::sleep(drain) => {
            tracing::warn!(left = lifecycle.tasks.len(), "the drain's time is over; closing what is left");
        }
        signal = signals.next() => tracing::warn!(signal, "a second signal: closing at once"),
    }
    lifecycle.kill.cancel();
    let ended = tokio::time::timeout(AGENT_END, tokio::task::spawn_blocking(move || agent.join())).await;
    if let Some(management) = management {
        let _ = tokio::time::timeout(AGENT_END, tokio::task::spawn_blocking(move || management.end())).await;
    }
    tracing::info!("stopped");
    match ended {
        Ok(Ok(Err(_))) => anyhow::bail!("the agent failed"),
        _ => Ok(()),
    }
}

/// Never, without a management API.
async fn drain_asked(management: Option<&mut Management>) -> Duration {
    if let Some(management) = management
        && let Ok(drain) = (&mut management.drain).await
    {
        return drain;
    }
    std::future::pending().await
}

/// The agent's thread. When a verdict ends service it sends this process SIGTERM, so that there
/// is one way to stop.
fn start_agent(mut agent: Agent, lifecycle: Lifecycle) -> anyhow::Result<JoinHandle<()>> {
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start the agent's runtime")?;
    let start = move || {
        let terminate = TerminateOnDrop;
        let ended = runtime.block_on(agent.run(&lifecycle.stop));
        match &ended {
            Some(reason) => log_end(reason),
            None => std::mem::forget(terminate),
        }
        let why = lifecycle.why.get().copied().unwrap_or("stopped by a signal");
        let why = ended.map_or_else(|| why.to_owned(), |reason| reason.to_string());
        agent.leave_status(&why);
    };
    std::thread::Builder::new().name("agent".to_owned()).spawn(start).context("cannot start the agent's thread")
}

fn log_end(reason: &StopReason) {
    tracing::error!(reason = reason.to_string(), "service ends: sending this process SIGTERM");
}

/// Also when the agent panics: a gateway that nobody governs must restart.
struct TerminateOnDrop;

impl Drop for TerminateOnDrop {
    fn drop(&mut self) {
        let _ = kill_process(getpid(), Signal::TERM);
    }
}

struct Endings {
    terminate: Signals,
    interrupt: Signals,
}

impl Endings {
    fn new() -> anyhow::Result<Self> {
        let open = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { terminate: open(SignalKind::terminate())?, interrupt: open(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

fn listen_settings(options: &Options) -> ListenSettings {
    ListenSettings {
        address: options.listen_address,
        max_connections: options.max_connections as usize,
        drain: options.drain_seconds,
    }
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn proxy_settings(options: &Options) -> ProxySettings {
    let timings = &options.timings;
    ProxySettings {
        access_log: options.access_log == Switch::On,
        log_format: options.log_format,
        tunnel_idle: timings.tunnel_idle_seconds,
        visitor: VisitorTimings {
            header: timings.header_read_seconds,
            keep_alive: timings.keep_alive_seconds,
            stall: timings.visitor_stall_seconds,
        },
        backend: BackendTimings { connect: timings.backend_connect_seconds, header: timings.backend_header_seconds },
    }
}

/// Two descriptors per visitor: his and the backend's.
fn raise_file_limit(max_connections: u32) {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(error = error.to_string(), "the limit of open files cannot be raised");
    }
    let needed = u64::from(max_connections) * 2 + 256;
    if limit.maximum.is_some_and(|maximum| maximum < needed) {
        tracing::warn!(limit = limit.maximum, needed, "the limit of open files is too low for --max-connections");
    }
}
