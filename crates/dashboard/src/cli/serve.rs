//! `serve`: the dashboard itself.

use super::database::{Database, Use, open_keyring};
use super::{say, start_logging, words};
use crate::app::{App, sessions};
use crate::config::{AppConfig, FirstAdmin, ServeArgs};
use crate::entropy::OsEntropy;
use crate::{http, jobs};
use anyhow::Context as _;
use axum::Router;
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// How long requests under way may still take after a stop was asked for.
const DRAIN: Duration = Duration::from_secs(20);
/// How long nudges of the last changes may take.
const LAST_NUDGES: Duration = Duration::from_secs(1);
/// The username of the admin that a first start makes.
const FIRST_ADMIN: &str = "admin";

pub(super) async fn run(args: ServeArgs) -> anyhow::Result<()> {
    start_logging(args.log_format);
    // Both ports before anything else: a taken one is said at once.
    let listener = bind(args.listen, "--listen").await?;
    let metrics_listener = match args.metrics_listen {
        Some(address) => Some(bind(address, "--metrics-listen").await?),
        None => None,
    };
    let metrics = PrometheusBuilder::new().install_recorder().context("metrics could not be set up")?;
    // From here on a signal is remembered: one that comes while PostgreSQL starts stops it again.
    let mut endings = Endings::new()?;
    let database = Database::open(&args.data, args.database_connections, Use::Serve).await?;
    let served = serve(&args, listener, metrics_listener, metrics, &database, &mut endings).await;
    let closed = database.close().await;
    served.and(closed)
}

async fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: free the port, or choose another one with {flag}"))
}

async fn serve(
    args: &ServeArgs,
    listener: TcpListener,
    metrics_listener: Option<TcpListener>,
    metrics: PrometheusHandle,
    database: &Database,
    endings: &mut Endings,
) -> anyhow::Result<()> {
    let keyring = open_keyring(&args.data, &database.pool).await?;
    let app = App::new(database.pool.clone(), keyring, Arc::new(OsEntropy), AppConfig::from_args(args))?;
    if args.first_admin == FirstAdmin::Auto {
        make_first_admin(&app).await?;
    }
    let sweeps = tokio::spawn(jobs::run(Arc::clone(&app)));
    let exporter = metrics_listener.map(|listener| tokio::spawn(export_metrics(listener, metrics)));
    let (stop, stopping) = watch::channel(false);
    let nudges = tokio::spawn(jobs::nudges::run(Arc::clone(&app)));
    let runner = tokio::spawn(jobs::runner::run(Arc::clone(&app), stopping.clone()));
    let router = http::router(Arc::clone(&app))?.into_make_service_with_connect_info::<SocketAddr>();
    // The port that the system chose, when 0 was asked for.
    tracing::info!(listen = %listener.local_addr()?, version = env!("CARGO_PKG_VERSION"), "the dashboard is ready");
    let server = axum::serve(listener, router).with_graceful_shutdown(wait(stopping)).into_future();
    let server = tokio::spawn(server);
    endings.next().await;
    tracing::info!("stopping: requests under way may finish");
    let _ = stop.send(true);
    if tokio::time::timeout(DRAIN, server).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
    // It lets go of its jobs: another dashboard, or the next start, goes on with them.
    if tokio::time::timeout(DRAIN, runner).await.is_err() {
        tracing::warn!("a job could not be let go of in time");
    }
    // What is dropped here arrives with the gateways' next heartbeats.
    let _ = tokio::time::timeout(LAST_NUDGES, app.nudges.quiet()).await;
    nudges.abort();
    sweeps.abort();
    if let Some(exporter) = exporter {
        exporter.abort();
    }
    Ok(())
}

async fn wait(mut stopping: watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// The signals that end the dashboard in order.
struct Endings {
    terminate: Signal,
    interrupt: Signal,
}

impl Endings {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// There is never a default password: a first start makes one at random and prints it once.
async fn make_first_admin(app: &App) -> anyhow::Result<()> {
    if proxima_db::users::count_admins(&app.db).await? > 0 {
        return Ok(());
    }
    let password = words::random_password(app.entropy.as_ref());
    match sessions::create_admin(app, FIRST_ADMIN, &password).await {
        Ok(()) => say(&format!("First admin: username {FIRST_ADMIN}, password {} (shown once)", password.as_str())),
        // Another dashboard that starts at the same time made it first.
        Err(_) if proxima_db::users::count_admins(&app.db).await? > 0 => Ok(()),
        Err(error) => Err(error).context("the first admin could not be made"),
    }
}

async fn export_metrics(listener: TcpListener, metrics: PrometheusHandle) {
    let router = Router::new().route("/metrics", get(move || std::future::ready(metrics.render())));
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the metrics listener ended");
    }
}
