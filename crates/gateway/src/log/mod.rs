//! Logging: `tracing` events as JSON (or text) on standard output, written by a thread of its
//! own. A reader that stops reading costs log lines, which are counted, never a request
//! (invariant 2).

mod access;
mod writer;

use crate::cli::LogFormat;
use crate::metrics::Metrics;
pub(crate) use access::AccessLog;
use std::sync::Arc;
use tracing_subscriber::EnvFilter;
pub use writer::{LogGuard, LogSink};

/// Starts logging. Lines still waiting are written when the guard is dropped.
///
/// # Errors
/// When `filter` is not a filter, or logging was started before.
pub fn start(format: LogFormat, filter: &str, metrics: Arc<Metrics>) -> anyhow::Result<(LogSink, LogGuard)> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| anyhow::anyhow!("--log: {error}. Use a level such as info, or target=level pairs."))?;
    let (writer, guard) = writer::start(std::io::stdout(), metrics)?;
    let sink = writer.clone();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    let started = match format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
        LogFormat::Text => builder.with_ansi(false).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging cannot start: {error}"))?;
    Ok((sink, guard))
}
