//! `serve`: the dashboard itself.

use super::database::{Database, Use, open_keyring};
use super::ports::Ports;
use super::{say, service, start_logging, words};
use crate::app::{App, anchor, keys, sessions};
use crate::config::{AppConfig, FirstAdmin, ServeArgs};
use crate::entropy::OsEntropy;
use crate::listen::Ending;
use crate::listen::tls::Reload;
use crate::{http, jobs};
use anyhow::Context as _;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};

/// How long requests under way may still take after a stop was asked for.
const DRAIN: Duration = Duration::from_secs(20);
/// How long systemd and others wait for a SIGHUP to be done.
const RELOADED_WITHIN: Duration = Duration::from_secs(5);
/// How long nudges of the last changes may take.
const LAST_NUDGES: Duration = Duration::from_secs(1);
/// The username of the admin that a first start makes.
const FIRST_ADMIN: &str = "admin";

pub(super) async fn run(args: ServeArgs) -> anyhow::Result<()> {
    start_logging(args.log_format);
    // The ports and certificates before anything else: what is wrong with them is said at once.
    let ports = Ports::open(&args)?;
    let metrics = PrometheusBuilder::new().install_recorder().context("metrics could not be set up")?;
    // From here on a signal is remembered: one that comes while PostgreSQL starts stops it again.
    let mut signals = Signals::new()?;
    let database = Database::open(&args.data, args.database_connections, Use::Serve).await?;
    let served = serve(&args, ports, metrics, &database, &mut signals).await;
    let closed = database.close().await;
    served.and(closed)
}

async fn serve(
    args: &ServeArgs,
    ports: Ports,
    metrics: PrometheusHandle,
    database: &Database,
    signals: &mut Signals,
) -> anyhow::Result<()> {
    let keyring = open_keyring(&args.data, &database.pool).await?;
    let app = App::new(database.pool.clone(), keyring, Arc::new(OsEntropy), AppConfig::from_args(args))?;
    // A database that was emptied gets no new admin: it is not the one that this dashboard has worked with.
    let known = anchor::look(&app).await?;
    keys::adopt(&app).await?;
    let mut keeper = jobs::keys::Keeper::new(Arc::clone(&app));
    keeper.round().await?;
    match known {
        Ok(()) if args.first_admin == FirstAdmin::Auto => make_first_admin(&app).await?,
        Ok(()) => {}
        Err(lag) => say(&format!("WARNING: {}", lag.sentence))?,
    }
    let sweeps = tokio::spawn(jobs::run(Arc::clone(&app)));
    let anchoring = tokio::spawn(jobs::keep_anchor(Arc::clone(&app)));
    let retention = tokio::spawn(jobs::keep_retention(Arc::clone(&app)));
    let forgetting = tokio::spawn(jobs::keep_installs_few(Arc::clone(&app)));
    let (stop, stopping) = watch::channel(false);
    let farewell = keeper.farewell();
    let keeper = tokio::spawn(keeper.run());
    let nudges = tokio::spawn(jobs::nudges::run(Arc::clone(&app)));
    let runner = tokio::spawn(jobs::runner::run(Arc::clone(&app), stopping.clone()));
    let ending = Ending { leaving: app.leaving.clone(), ..Ending::default() };
    let (reload, reloads) = mpsc::channel(1);
    let notifications = tokio::spawn(jobs::notifications::run(Arc::clone(&app), stopping));
    // The port that the system chose, when 0 was asked for.
    let address = ports.address()?;
    let upkeep = tokio::spawn(jobs::keep_metrics(metrics.clone()));
    let mut server = tokio::spawn(ports.serve(args, &app, metrics, &ending, reloads)?);
    tracing::info!(listen = %address, version = env!("CARGO_PKG_VERSION"), "the dashboard is ready");
    service::ready(&address);
    let beat = tokio::spawn(service::beat(http::router(Arc::clone(&app))?));
    tokio::select! {
        () = signals.until_end(&reload) => {}
        ended = &mut server => anyhow::bail!("the ports closed by themselves: {ended:?}"),
    }
    service::stopping();
    tracing::info!("stopping: requests under way may finish");
    ending.leaving.cancel();
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(args.drain_delay.into())) => {}
        () = signals.until_end(&reload) => tracing::info!("asked again: the port closes now"),
    }
    let _ = stop.send(true);
    ending.closing.cancel();
    if tokio::time::timeout(DRAIN, &mut server).await.is_err() {
        tracing::warn!("some requests did not finish in time");
        ending.cut.cancel();
        let _ = server.await;
    }
    // It lets go of its jobs: another dashboard, or the next start, goes on with them.
    if tokio::time::timeout(DRAIN, runner).await.is_err() {
        tracing::warn!("a job could not be let go of in time");
    }
    // What is cut off here is sent again, with the same id.
    if tokio::time::timeout(DRAIN, notifications).await.is_err() {
        tracing::warn!("a notification under way could not be finished in time");
    }
    // What is dropped here arrives with the gateways' next heartbeats.
    let _ = tokio::time::timeout(LAST_NUDGES, app.nudges.quiet()).await;
    for task in [nudges, sweeps, beat, anchoring, retention, forgetting, keeper, upkeep] {
        task.abort();
    }
    farewell.await;
    // What was committed last is in the anchor, too.
    let _ = tokio::time::timeout(LAST_NUDGES, anchor::look(&app)).await;
    Ok(())
}

/// What the dashboard does when it is told to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until a stop is asked for; SIGHUP reads the certificates again meanwhile. (The key file, too: `jobs/keys.rs`.)
    async fn until_end(&mut self, reload: &mpsc::Sender<Reload>) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {
                    tracing::info!("SIGHUP: the TLS certificate is read again; other settings need a restart");
                    service::reloading();
                    let (done, finished) = oneshot::channel();
                    // Without a certificate nobody takes it; and one that waits already is enough.
                    if reload.try_send(done).is_ok() {
                        let _ = tokio::time::timeout(RELOADED_WITHIN, finished).await;
                    }
                    service::reloaded();
                }
            }
        }
    }
}

/// There is never a default password: a first start makes one at random and prints it once.
async fn make_first_admin(app: &App) -> anyhow::Result<()> {
    if proxima_db::users::count_admins(&app.db).await? > 0 {
        return Ok(());
    }
    let password = words::random_password(app.entropy.as_ref());
    match sessions::create_admin(app, FIRST_ADMIN, &password, true).await {
        Ok(()) => say(&format!("First admin: username {FIRST_ADMIN}, password {} (shown once)", password.as_str())),
        // Another dashboard that starts at the same time made it first.
        Err(_) if proxima_db::users::count_admins(&app.db).await? > 0 => Ok(()),
        Err(error) => Err(error).context("the first admin could not be made"),
    }
}
