//! `rotate-master-key`: a new key for the secrets in the database, while dashboards run.

use super::database::{Use, open_app};
use super::say;
use crate::app::keys::rotate_master::{self, Stage};
use crate::app::keys::{self, Resealed};
use crate::app::{Actor, App};
use crate::config::DataArgs;
use anyhow::bail;
use proxima_db::keys::DashboardRow;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) data: DataArgs,
    /// Say which keys there are and how far a rotation is; change nothing.
    #[arg(long, group = "what")]
    status: bool,
    /// End the old key: when nothing is sealed with it any more. It leaves this host's key file.
    #[arg(long, group = "what")]
    retire_old: bool,
    /// Master keys are lost for good: give up what is sealed with them, and go on with a new one.
    #[arg(long, group = "what")]
    replace_lost: bool,
    /// Seconds to wait for running dashboards to read the key file, 0 to 600.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=600))]
    wait: u32,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let (app, database) = open_app(&args.data, Use::Command).await?;
    let work = async {
        match (args.status, args.retire_old, args.replace_lost) {
            (true, ..) => status(&app).await,
            (_, true, _) => retire(&app).await,
            (_, _, true) => replace_lost(&app).await,
            _ => rotate(&app, args.wait).await,
        }
    };
    database.attend(work).await?
}

async fn status(app: &App) -> anyhow::Result<()> {
    let view = keys::get(app, &Actor::console()).await?;
    let counts = keys::count_by_key(app).await?;
    for (key, held) in &view.masters {
        let sealed = counts.iter().find(|(id, _)| *id == i64::from(key.id)).map_or(0, |(_, count)| *count);
        let held = if *held { "" } else { ", not in this key file" };
        say(&format!(
            "master key {}: {}, since {}, {sealed} secrets{held}",
            key.id,
            key.state,
            key.created_at.date_naive()
        ))?;
    }
    for dashboard in &view.dashboards {
        let sealing = dashboard.sealing_key_id.map_or("nothing".to_owned(), |id| format!("master key {id}"));
        say(&format!(
            "dashboard on {}: holds {:?}, seals with {sealing}",
            dashboard.hostname, dashboard.master_key_ids
        ))?;
    }
    say(match rotate_master::stage(app).await? {
        Stage::Settled { .. } => "No rotation is open.",
        Stage::Announced { .. } => "A rotation is open: run rotate-master-key again to go on.",
        Stage::InUse { .. } => "A rotation is open: run rotate-master-key again, then rotate-master-key --retire-old.",
        Stage::NoneActive => "No master key is in use.",
    })
}

/// Goes on from wherever it is.
async fn rotate(app: &App, wait: u32) -> anyhow::Result<()> {
    let stage = match rotate_master::stage(app).await? {
        Stage::Settled { .. } => {
            let next = rotate_master::announce(app, &Actor::console()).await?;
            say(&format!("Master key {next} is in {}.", app.keyring.path().display()))?;
            Stage::Announced { next }
        }
        stage => stage,
    };
    match stage {
        Stage::Announced { next } => {
            let holds = |dashboard: &DashboardRow| dashboard.master_key_ids.contains(&next);
            let remedy =
                format!("do not hold master key {next} yet: copy the key file there (0600), and run this again");
            wait_for(app, wait, holds, &remedy).await?;
            let active = rotate_master::activate(app, &Actor::console()).await?;
            say(&format!("Master key {active} seals from now on."))?;
        }
        Stage::NoneActive => bail!("no master key is in use: see --status and --replace-lost"),
        Stage::InUse { .. } | Stage::Settled { .. } => {}
    }
    let active = app.keyring.sealing_key()?;
    let seals = |dashboard: &DashboardRow| dashboard.sealing_key_id == Some(active);
    wait_for(app, wait, seals, "do not seal with the new key yet: look at their logs, and run this again").await?;
    report(&keys::reseal(app).await?)?;
    say("Back up the key file now. Then `rotate-master-key --retire-old` ends the old key.")
}

fn report(resealed: &Resealed) -> anyhow::Result<()> {
    say(&format!("{} secrets were sealed anew.", resealed.done))?;
    for (place, trouble) in &resealed.unreadable {
        say(&format!("left as it is: {place}: {trouble}"))?;
    }
    Ok(())
}

/// Waits until every running dashboard is so.
async fn wait_for(app: &App, seconds: u32, so: impl Fn(&DashboardRow) -> bool, remedy: &str) -> anyhow::Result<()> {
    let mut left = seconds;
    loop {
        let mut connection = app.db.acquire().await?;
        let others: Vec<String> = proxima_db::keys::running(&mut connection)
            .await?
            .into_iter()
            .filter(|dashboard| !so(dashboard))
            .map(|dashboard| dashboard.hostname)
            .collect();
        drop(connection);
        if others.is_empty() {
            return Ok(());
        }
        if left == 0 {
            bail!("the dashboards on {} {remedy}", others.join(", "));
        }
        left -= 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn retire(app: &App) -> anyhow::Result<()> {
    let retired = rotate_master::retire(app, &Actor::console()).await?;
    if retired.is_empty() {
        return say("No old master key was in use.");
    }
    say(&format!("Retired: master keys {retired:?}; they left {}.", app.keyring.path().display()))?;
    say(
        "Copy the key file to the other dashboards and to its backup. Keep the old backup of it for as long as you keep \
         database backups from before: those need it.",
    )
}

async fn replace_lost(app: &App) -> anyhow::Result<()> {
    let (lost, active) = rotate_master::replace_lost(app, &Actor::console()).await?;
    say(&format!(
        "Given up: master keys {lost:?}. Master key {active} seals from now on, in {}.",
        app.keyring.path().display()
    ))?;
    say(
        "What was sealed with them cannot be opened: rotate each license (its gateway goes on), re-install for the port \
         6060, and have SSH logins typed again. Back up the key file now.",
    )
}
