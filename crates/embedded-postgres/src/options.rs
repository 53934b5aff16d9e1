use std::time::Duration;

/// How the server is run. [`Options::default`] is right for a real installation.
#[derive(Debug, Clone)]
pub struct Options {
    pub(crate) server_user: String,
    pub(crate) fsync: bool,
    pub(crate) start_timeout: Duration,
    pub(crate) stop_timeout: Duration,
    pub(crate) any_major: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            server_user: "postgres".to_owned(),
            fsync: true,
            start_timeout: Duration::from_secs(120),
            stop_timeout: Duration::from_secs(60),
            any_major: false,
        }
    }
}

impl Options {
    /// The unprivileged user that a root process runs the server as; without root the server runs as the process's own user.
    pub fn server_user(mut self, name: impl Into<String>) -> Self {
        self.server_user = name.into();
        self
    }

    /// `false` makes a throwaway cluster that is fast and does not survive a crash: for tests only.
    pub fn fsync(mut self, fsync: bool) -> Self {
        self.fsync = fsync;
        self
    }

    /// How long a start may take; recovery after a crash counts.
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.start_timeout = timeout;
        self
    }

    /// How long an orderly stop may take before the server is stopped at once (it then recovers at the next start).
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.stop_timeout = timeout;
        self
    }

    /// `true` upgrades to the newest installed PostgreSQL even when the data is of that major already: for tests only, on machines that
    /// have one.
    pub fn upgrade_to_any_major(mut self, any: bool) -> Self {
        self.any_major = any;
        self
    }
}
