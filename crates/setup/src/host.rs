//! The box, as everything here sees it.

use crate::commands::Commands;
use rustix::process::{getegid, geteuid};
use std::path::{Path, PathBuf};

/// What is needed of the world: tests put another in its place.
pub struct Host<'a> {
    /// `/`, or the folder that stands for it.
    pub root: PathBuf,
    pub commands: &'a dyn Commands,
    /// The box's clock in Unix milliseconds.
    pub now_ms: &'a dyn Fn() -> i64,
    /// The client that heartbeats use, or why there is none.
    pub http: &'a dyn Fn() -> Result<reqwest::Client, String>,
    /// Shows one line of progress to whoever watches. Never given a secret.
    pub log: &'a dyn Fn(&str),
}

impl Host<'_> {
    /// Where the absolute `path` really is.
    #[must_use]
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    pub(crate) fn is_real(&self) -> bool {
        self.root == Path::new("/")
    }

    /// Root's, on a real box: nobody else gets this far.
    pub(crate) fn owner(&self) -> Owner {
        Owner { uid: geteuid().as_raw(), gid: getegid().as_raw() }
    }

    pub(crate) fn say(&self, line: &str) {
        (self.log)(line);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub uid: u32,
    pub gid: u32,
}
