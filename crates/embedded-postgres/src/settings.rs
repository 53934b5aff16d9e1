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

/// `jit` is off because it needs memory that is writable and executable in turn, which a hardened unit forbids, and because no query here is
/// long enough to gain by it.
pub(crate) fn render(socket_dir: &Path, fsync: bool) -> String {
    let socket_dir = socket_dir.display().to_string().replace('\'', "''");
    let durable = if fsync { "on" } else { "off" };
    format!(
        "# Written by Proxima at every start; changes here are lost.
listen_addresses = ''
unix_socket_directories = '{socket_dir}'
port = 5432
max_connections = 100
shared_buffers = 128MB
work_mem = 8MB
maintenance_work_mem = 64MB
max_wal_size = 1GB
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
