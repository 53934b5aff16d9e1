//! What a box is, before anything of ours is on it: read by a constant script, judged by a pure
//! function.

mod judge;
mod parse;

pub use judge::{CLOCK_SECONDS_MAX, Requirements, SYSTEMD_VERSION_MIN, judge_facts};

use serde::{Deserialize, Serialize};

/// What the facts script found. Texts are clean and bounded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// `uname -s`: `Linux`.
    pub kernel: String,
    /// `uname -m`: `x86_64`, `aarch64`, … Letters, digits and `_` only: it names a folder.
    pub architecture: String,
    /// `ID` of os-release: `debian`; empty when there is no os-release.
    pub os_id: String,
    /// `PRETTY_NAME` of os-release, else the kernel's name.
    pub os_name: String,
    /// `VERSION_ID` of os-release; empty for a rolling distribution.
    pub os_version: String,
    /// Whether systemd runs this box.
    pub systemd_running: bool,
    /// systemd's major version.
    pub systemd_version: Option<u32>,
    /// The name of process 1.
    pub init: String,
    pub disks: Vec<DiskFact>,
    /// The box's clock, seconds since 1970 UTC.
    pub clock: i64,
}

/// Free space where an install writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiskFact {
    /// `/usr/local`, `/etc`, `/var`.
    pub path: String,
    pub free_kib: u64,
}

/// Prints one `name=value` a line, between two marks so that what login scripts print does not
/// mix with it. One line, no quotes and no `!` inside: it must read the same to every login
/// shell, csh and fish included. Reads nothing from its standard input.
pub const FACTS_COMMAND: &str = concat!(
    "exec env LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin sh -c '",
    "echo proxima-facts-begin; ",
    "echo \"kernel=$(uname -s)\"; ",
    "echo \"architecture=$(uname -m)\"; ",
    "for f in /etc/os-release /usr/lib/os-release; do ",
    "if [ -r \"$f\" ]; then head -n 50 \"$f\" | head -c 8192 | sed \"s/^/os./\"; echo; break; fi; done; ",
    "if [ -d /run/systemd/system ]; then echo systemd=running; else echo systemd=no; fi; ",
    "echo \"systemd_version=$(systemctl --version 2>/dev/null | head -n 1)\"; ",
    "echo \"init=$(head -n 1 /proc/1/comm 2>/dev/null)\"; ",
    "for d in /usr/local /etc /var; do ",
    "echo \"disk=$d $(df -Pk \"$d\" 2>/dev/null | tail -n 1)\"; done; ",
    "echo \"clock=$(date -u +%s)\"; ",
    "echo proxima-facts-end'",
);

impl Facts {
    /// Reads what [`FACTS_COMMAND`] printed.
    ///
    /// # Errors
    /// What is missing or malformed; the sentence repeats nothing of the output.
    pub fn parse(output: &str) -> Result<Self, String> {
        parse::parse(output)
    }
}
