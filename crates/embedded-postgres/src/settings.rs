//! PostgreSQL's settings for the embedded server.

use std::path::Path;

/// The settings file's name; `postgresql.conf` includes it, and it is rewritten before every start.
pub(crate) const FILE: &str = "proxima.conf";

/// What is appended to the `postgresql.conf` that `initdb` wrote.
pub(crate) const INCLUDE: &str =
    "\n# Rewritten at every start; put your own settings below it.\ninclude_if_exists = 'proxima.conf'\n";

/// What people wrote below [`INCLUDE`].
pub(crate) fn own(postgresql_conf: &str) -> &str {
    postgresql_conf.split_once(INCLUDE).map_or("", |(_, own)| own)
}

/// Of all memory the server's cache gets an eighth, within these, in MiB: it shares the machine with the dashboard.
const CACHE_MIB: std::ops::RangeInclusive<u64> = 128..=4096;

/// The cache for so many bytes of memory, in MiB.
fn cache_mib(memory: u64) -> u64 {
    (memory / 8 / 1024 / 1024).clamp(*CACHE_MIB.start(), *CACHE_MIB.end())
}

/// `jit` is off because it needs memory that is writable and executable in turn, which a hardened unit forbids, and because no query here is
/// long enough to gain by it. Checkpoints are seldom: after each one every page is written whole into the log once, which doubled the log of
/// a million gateways when there was one a minute.
pub(crate) fn render(socket_dir: &Path, fsync: bool, memory: u64) -> String {
    let socket_dir = socket_dir.display().to_string().replace('\'', "''");
    let cache = cache_mib(memory);
    let durable = if fsync { "on" } else { "off" };
    format!(
        "# Written by Proxima at every start; changes here are lost.
listen_addresses = ''
unix_socket_directories = '{socket_dir}'
port = 5432
max_connections = 100
shared_buffers = {cache}MB
work_mem = 8MB
maintenance_work_mem = 64MB
max_wal_size = 4GB
checkpoint_timeout = 15min
jit = off
password_encryption = 'scram-sha-256'
fsync = {durable}
synchronous_commit = on
full_page_writes = {durable}
timezone = 'UTC'
log_timezone = 'UTC'
idle_in_transaction_session_timeout = 60s
logging_collector = on
log_directory = 'log'
log_filename = 'postgresql-%Y%m%d-%H%M%S.log'
log_rotation_age = 1d
log_rotation_size = 10MB
log_min_messages = warning
log_line_prefix = '%m [%p] %q%u@%d '
log_min_duration_statement = 1s
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_an_eighth_within_bounds() {
        let gib = 1024 * 1024 * 1024;
        assert_eq!([0, gib, 8 * gib, 64 * gib].map(cache_mib), [128, 128, 1024, 4096]);
        let rendered = render(Path::new("/run/it's"), true, 16 * gib);
        assert!(rendered.contains("shared_buffers = 2048MB\n") && rendered.contains("'/run/it''s'"), "{rendered}");
    }
}
