//! `setup uninstall`: what a person does on the box who cannot, or does not want to, let the dashboard do it.

use crate::host::Host;
use crate::problem::Result;
use crate::serve::require_root;
use crate::{files, lock, uninstall as whole};
use proxima_types::setup::{StepOutcome, Uninstalled};
use std::io::Write;

/// Made by an install over SSH for a user without root's password.
const SUDOERS: &str = "/etc/sudoers.d/proxima-gateway";
/// How the dashboard's lines in `authorized_keys` end: with this and the server's id.
const MARK: &str = " proxima-gateway:";
const MAX_BYTES: u64 = 1024 * 1024;

/// Removes the gateway as the dashboard's Uninstall does, and says so on `out`. False when something could not be removed.
pub fn uninstall(host: &Host<'_>, out: &mut dyn Write) -> bool {
    match remove(host) {
        Ok((outcome, report)) => {
            let nothing = outcome == StepOutcome::Unchanged;
            let head =
                if nothing { "There was nothing to remove." } else { "Uninstalled. Visitors are refused from now on." };
            let _ = writeln!(out, "{head}");
            for (word, things) in [("Removed", &report.removed), ("Left on purpose", &report.left)] {
                things.iter().for_each(|thing| drop(writeln!(out, "  {word}: {thing}")));
            }
            true
        }
        Err(problem) => {
            let _ = writeln!(out, "Not uninstalled: {}\n  {}", problem.sentence, problem.remedy);
            false
        }
    }
}

fn remove(host: &Host<'_>) -> Result<(StepOutcome, Uninstalled)> {
    require_root(host)?;
    let _lock = lock::take(host)?;
    let (mut outcome, mut report) = whole::uninstall(host)?;
    if files::remove(&host.at(SUDOERS)).map_err(files::at(host, SUDOERS))? {
        report.removed.push(SUDOERS.to_owned());
        outcome = StepOutcome::Changed;
    }
    report.left.extend(authorized(host).into_iter().map(|path| {
        format!("{path}: the line of the dashboard's access key; “Forget access” in the dashboard makes it worthless, or delete it")
    }));
    let _ = files::remove(&host.at(lock::LOCK));
    Ok((outcome, report))
}

/// The files that let a dashboard log in.
fn authorized(host: &Host<'_>) -> Vec<String> {
    let passwd = files::read(host, "/etc/passwd", MAX_BYTES).ok().flatten().unwrap_or_default();
    let mut homes: Vec<&str> = passwd.lines().filter_map(|line| line.split(':').nth(5)).collect();
    homes.sort_unstable();
    homes.dedup();
    let files = homes.iter().map(|home| format!("{}/.ssh/authorized_keys", home.trim_end_matches('/')));
    files
        .filter(|path| files::read(host, path, MAX_BYTES).ok().flatten().is_some_and(|text| text.contains(MARK)))
        .collect()
}
