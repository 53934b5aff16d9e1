//! What the dashboard needs of its machine.

use super::Finding;
use crate::config::{AppConfig, ServeArgs};
use std::path::Path;
use tokio::process::Command;

pub(super) async fn programs(args: &ServeArgs) -> Finding {
    let name = "gateway programs";
    let store = AppConfig::from_args(args).binaries();
    let architectures = store.architectures().await;
    if architectures.is_empty() {
        let folder = store.folder().display();
        let text =
            format!("there are none in {folder}: nothing can be installed. Put them there as x86_64/proxima-gateway");
        return Finding::note(name, text);
    }
    Finding::ok(name, format!("version {} for {}", env!("CARGO_PKG_VERSION"), architectures.join(", ")))
}

/// The first word that a program prints; none when it cannot be asked.
async fn says(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().await.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(str::to_owned).filter(|line| !line.is_empty())
}

fn has_systemd() -> bool {
    Path::new("/run/systemd/system").exists()
}

pub(super) async fn clock() -> Option<Finding> {
    if !has_systemd() {
        return None;
    }
    let synchronised = says("timedatectl", &["show", "--property=NTPSynchronized", "--value"]).await?;
    let name = "time";
    Some(if synchronised == "yes" {
        Finding::ok(name, "synchronised")
    } else {
        Finding::note(name, "this machine's clock is not synchronised: run `timedatectl set-ntp true`")
    })
}

pub(super) async fn unit() -> Option<Finding> {
    if !has_systemd() {
        return None;
    }
    let loaded = says("systemctl", &["show", "proxima-dashboard", "--property=LoadState", "--value"]).await?;
    if loaded != "loaded" {
        return None;
    }
    let (name, state) = ("unit", says("systemctl", &["is-active", "proxima-dashboard"]).await?);
    Some(match state.as_str() {
        "active" => Finding::ok(name, "proxima-dashboard is active"),
        "failed" => Finding::problem(name, "proxima-dashboard has failed: run `journalctl -u proxima-dashboard -e`"),
        other => Finding::note(name, format!("proxima-dashboard is {other}: run `systemctl start proxima-dashboard`")),
    })
}
