//! Asks backends now and then whether they are well.

use super::Backend;
use super::connect::{self, Connected};
use crate::names::Names;
use proxima_http1::{Limits, ResponseHead, Scan};
use proxima_types::gateway_config::HealthCheck;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::task::JoinSet;

const LIMITS: Limits = Limits { bytes: 32 * 1024, request_line: 16 * 1024, fields: 256 };

/// The checks of one pool. They end when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    _tasks: JoinSet<()>,
}

impl Checks {
    pub fn start<'a>(check: &HealthCheck, backends: impl Iterator<Item = &'a Arc<Backend>>, names: &Names) -> Self {
        let mut tasks = JoinSet::new();
        for backend in backends {
            tasks.spawn(watch(Arc::clone(backend), check.clone(), names.clone()));
        }
        Self { _tasks: tasks }
    }
}

async fn watch(backend: Arc<Backend>, check: HealthCheck, names: Names) {
    let timeout = Duration::from_secs(check.timeout_seconds.into());
    let (mut bad, mut good) = (0, 0);
    loop {
        let found = match tokio::time::timeout(timeout, ask(&backend, &names, &check.path)).await {
            Ok(found) => found,
            Err(_) => Err(format!("no answer within {} s", check.timeout_seconds)),
        };
        match &found {
            Ok(()) => (bad, good) = (0, good + 1),
            Err(_) => (bad, good) = (bad + 1, 0),
        }
        if good >= u32::from(check.healthy_after) && backend.health.checked(true) {
            tracing::info!(backend = backend.name, "the backend is well again");
        }
        if let Err(why) = &found
            && bad >= u32::from(check.unhealthy_after)
            && backend.health.checked(false)
        {
            tracing::warn!(
                backend = backend.name,
                why,
                "the backend is ill: it gets no requests while others are well"
            );
        }
        tokio::time::sleep(Duration::from_secs(check.interval_seconds.into())).await;
    }
}

async fn ask(backend: &Backend, names: &Names, path: &str) -> Result<(), String> {
    let status = match connect::connect(backend, names).await.map_err(|error| error.to_string())? {
        Connected::Tcp(tcp) => status(tcp, path, &backend.host).await,
        Connected::Tls(tls) => status(tls, path, &backend.host).await,
    }?;
    if (200..400).contains(&status) { Ok(()) } else { Err(format!("it answered {status}")) }
}

async fn status(mut io: impl AsyncRead + AsyncWrite + Unpin, path: &str, host: &str) -> Result<u16, String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    io.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    io.flush().await.map_err(|error| error.to_string())?;
    let (mut bytes, mut scan, mut head) = (Vec::with_capacity(4096), Scan::default(), ResponseHead::default());
    loop {
        if let Some((start, end)) = scan.look(&bytes, &LIMITS).map_err(|violation| violation.to_string())? {
            head.parse(&bytes[start..end], &LIMITS).map_err(|violation| violation.to_string())?;
            return Ok(head.status);
        }
        if io.read_buf(&mut bytes).await.map_err(|error| error.to_string())? == 0 {
            return Err("it closed the connection without an answer".to_owned());
        }
    }
}
