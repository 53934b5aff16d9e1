//! The ports of `serve`: opened before anything else, served once the dashboard is ready.

use crate::acme::{Authority, ExternalAccount};
use crate::app::App;
use crate::app::certificates::{self, Questions, Shown, ShownCertificate};
use crate::config::ServeArgs;
use crate::http;
use crate::jobs::certificate::Certificates;
use crate::listen::tls::{Files, Reload, Tls};
use crate::listen::{self, Ending, Listener, Options, Times};
use anyhow::Context as _;
use axum::Router;
use axum::routing::get;
use chrono::DateTime;
use listenfd::ListenFd;
use metrics_exporter_prometheus::PrometheusHandle;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Connections of the ports that people do not use.
const SMALL: usize = 64;
/// How long an order under way may take to be let go of.
const LET_GO: Duration = Duration::from_secs(2);
/// File descriptors for everything but connections: PostgreSQL, jobs, files.
const RESERVED_FILES: u64 = 512;

pub(super) struct Ports {
    main: Listener,
    redirect: Option<Listener>,
    metrics: Option<Listener>,
    tls: Option<Arc<Tls>>,
    connections: usize,
}

impl Ports {
    /// Takes systemd's sockets, or binds. Nothing is accepted yet.
    pub(super) fn open(args: &ServeArgs) -> anyhow::Result<Self> {
        let mut passed = ListenFd::from_env();
        let mut take = |index| passed.take_tcp_listener(index).context("a socket of systemd is no TCP listener");
        let main = match take(0)? {
            Some(listener) => Listener::adopt(listener)?,
            None => bind(args.listen, "--listen")?,
        };
        let redirect = match (args.redirect_listen, take(1)?) {
            (None, _) => None,
            (Some(_), Some(listener)) => Some(Listener::adopt(listener)?),
            (Some(address), None) => Some(bind(address, "--redirect-listen")?),
        };
        let metrics = match args.metrics_listen {
            Some(address) => Some(bind(address, "--metrics-listen")?),
            None => None,
        };
        let tls = match (tls_files(args), authority(args)) {
            (Some(files), _) => Some(Tls::open(files).context("TLS")?),
            (None, Some(authority)) => Some(Tls::by_authority(authority.host).context("TLS")?),
            (None, None) => None,
        };
        Ok(Self { main, redirect, metrics, tls, connections: connections(args.max_connections) })
    }

    pub(super) fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.main.local_addr()?)
    }

    /// The work of all ports; it ends when they have closed.
    pub(super) fn serve(
        self,
        args: &ServeArgs,
        app: &Arc<App>,
        metrics: PrometheusHandle,
        ending: &Ending,
        reloads: mpsc::Receiver<Reload>,
    ) -> anyhow::Result<impl Future<Output = ()> + Send + use<>> {
        let follower = self.tls.as_ref().map(|tls| match authority(args) {
            Some(authority) => have_issued(app, authority, tls, reloads, ending),
            None => tokio::spawn(Arc::clone(tls).follow(reloads)),
        });
        if let Some(tls) = &self.tls {
            show(app, args, tls);
        }
        let ordered = args.acme.is_some();
        let options = Options {
            name: "main",
            max_connections: self.connections,
            max_per_address: usize::try_from(args.max_connections_per_address)?,
            trusted: args.trusted_proxies.clone(),
            proxy_protocol: args.proxy_protocol,
            tls: self.tls,
            times: Times::default(),
        };
        let main = listen::serve(self.main, http::router(Arc::clone(app))?, options, ending.clone());
        let redirect = self.redirect.zip(args.public_url.as_ref()).map(|(listener, public)| {
            let options = Options { name: "redirect", ..small(args) };
            listen::serve(listener, listen::redirect_router(public), options, ending.clone())
        });
        let exporter = self.metrics.map(|listener| {
            let router = Router::new().route("/metrics", get(move || std::future::ready(metrics.render())));
            let options = Options { name: "metrics", trusted: Vec::new(), proxy_protocol: false, ..small(args) };
            listen::serve(listener, router, options, ending.clone())
        });
        Ok(async move {
            tokio::join!(main, maybe(redirect), maybe(exporter));
            if let Some(mut follower) = follower {
                if ordered {
                    // It lets go of its order.
                    let _ = tokio::time::timeout(LET_GO, &mut follower).await;
                }
                follower.abort();
            }
        })
    }
}

/// Lets admins see what is served.
fn show(app: &App, args: &ServeArgs, tls: &Arc<Tls>) {
    let authority = authority(args);
    let Some(host) = authority.as_ref().map(|it| it.host.clone()).or_else(|| tls_files(args).map(|files| files.host))
    else {
        return;
    };
    let (directory, tls) = (authority.map(|authority| authority.directory), Arc::clone(tls));
    let shown = move || Shown {
        host: host.clone(),
        authority: directory.clone(),
        certificate: tls.served().and_then(|served| {
            Some(ShownCertificate {
                issuer: served.issuer.clone(),
                not_after: DateTime::from_timestamp(served.not_after, 0)?,
                defects: served.defects.clone(),
            })
        }),
    };
    // Once for each process.
    let _ = app.certificate_shown.set(Box::new(shown));
}

/// Answers the authority's questions, and keeps the certificate.
fn have_issued(
    app: &Arc<App>,
    authority: Authority,
    tls: &Arc<Tls>,
    reloads: mpsc::Receiver<Reload>,
    ending: &Ending,
) -> JoinHandle<()> {
    let (asked, host) = (Arc::clone(app), authority.host.clone());
    let questions = Arc::new(Questions::new(move || {
        let (app, host) = (Arc::clone(&asked), host.clone());
        Box::pin(async move { certificates::challenge(&app, &host).await })
    }));
    tls.answer_challenges(Box::new(move || {
        let questions = Arc::clone(&questions);
        Box::pin(async move { questions.answer().await })
    }));
    let certificates = Certificates::new(Arc::clone(app), authority, Arc::clone(tls));
    tokio::spawn(certificates.run(reloads, ending.closing.clone()))
}

async fn maybe(work: Option<impl Future<Output = ()>>) {
    if let Some(work) = work {
        work.await;
    }
}

fn small(args: &ServeArgs) -> Options {
    Options {
        name: "",
        max_connections: SMALL,
        max_per_address: SMALL / 4,
        trusted: args.trusted_proxies.clone(),
        proxy_protocol: args.proxy_protocol,
        tls: None,
        times: Times { idle: Times::default().head, ..Times::default() },
    }
}

/// The files of the dashboard's own certificate, if it has one.
pub(super) fn tls_files(args: &ServeArgs) -> Option<Files> {
    let (cert, key) = args.tls_cert.clone().zip(args.tls_key.clone())?;
    let host = args.public_url.as_ref()?.host_str()?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Some(Files { cert, key, host })
}

/// Who issues the dashboard's certificate, if it is not in files.
pub(super) fn authority(args: &ServeArgs) -> Option<Authority> {
    let external = args.acme_eab_key_id.clone().zip(args.acme_eab_key_file.clone());
    Some(Authority {
        host: args.public_url.as_ref()?.domain()?.to_owned(),
        directory: args.acme.as_ref()?.to_string(),
        contact: args.acme_contact.clone(),
        ca: args.acme_ca.clone(),
        external_account: external.map(|(key_id, key_file)| ExternalAccount { key_id, key_file }),
    })
}

fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<Listener> {
    Listener::bind(address)
        .with_context(|| format!("cannot listen on {address}: free the port, or choose another one with {flag}"))
}

/// Connections that the open files allow: the soft limit is raised to the hard one first.
fn connections(asked: u32) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let allowed = if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
    let room = allowed.map_or(u64::MAX, |files| files.saturating_sub(RESERVED_FILES).max(SMALL as u64));
    if u64::from(asked) > room {
        tracing::warn!(
            asked,
            room,
            "the limit of open files allows fewer connections: raise LimitNOFILE= or `ulimit -n`"
        );
    }
    usize::try_from(room.min(asked.into())).unwrap_or(usize::MAX)
}
