//! `rotate-signing-key`: a new key for the answers to gateways, which follow by themselves.

use super::database::{Use, open_app};
use super::say;
use crate::app::keys::rotate_signing::{self, Progress};
use crate::app::{Actor, App};
use crate::config::DataArgs;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) data: DataArgs,
    /// Say which keys there are, how many gateways follow, and which do not; change nothing.
    #[arg(long, group = "what")]
    status: bool,
    /// End the old key: when every installed gateway follows. It leaves this host's key file.
    #[arg(long, group = "what")]
    finish: bool,
    /// With --finish: although gateways do not follow. They go on as they are, in silence, until they are installed again.
    #[arg(long, requires = "finish")]
    leave_behind: bool,
    /// Signing keys are lost for good: go on with a new one, which gateways trust after a re-install.
    #[arg(long, group = "what")]
    replace_lost: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let (app, database) = open_app(&args.data, Use::Command).await?;
    let work = async {
        match (args.status, args.finish, args.replace_lost) {
            (true, ..) => status(&app).await,
            (_, true, _) => finish(&app, args.leave_behind).await,
            (_, _, true) => replace_lost(&app).await,
            _ => rotate(&app).await,
        }
    };
    database.attend(work).await?
}

async fn rotate(app: &App) -> anyhow::Result<()> {
    let id = rotate_signing::announce(app, &Actor::console()).await?;
    say(&format!(
        "Signing key {id} is in {}, and is announced to gateways with their next heartbeats.",
        app.keyring.path().display()
    ))?;
    say(
        "Copy the key file to the other dashboards and to its backup. `rotate-signing-key --status` says who follows; then \
         `rotate-signing-key --finish` ends the old key.",
    )
}

async fn status(app: &App) -> anyhow::Result<()> {
    let Progress { keys, newest, open, gateways, following, behind, lacking } = rotate_signing::progress(app).await?;
    for key in &keys {
        say(&format!("signing key {}: {}, since {}, {}", key.id, key.state, key.created_at.date_naive(), key.key_id))?;
    }
    let Some(newest) = newest else { return say("No signing key is in use.") };
    say(&format!("{following} of {gateways} gateways follow signing key {newest}."))?;
    for gateway in &behind {
        let why = if gateway.says { "does not follow yet" } else { "its version does not say: update it" };
        say(&format!(
            "behind: {} ({}), version {}, last heard {}: {why}",
            gateway.username,
            gateway.server_name,
            gateway.version,
            gateway.last_heartbeat_at.format("%Y-%m-%d %H:%M UTC")
        ))?;
    }
    let named = i64::try_from(behind.len()).unwrap_or(i64::MAX);
    if gateways - following > named {
        say(&format!("… and {} more.", gateways - following - named))?;
    }
    for dashboard in &lacking {
        say(&format!(
            "the dashboard on {} does not hold signing key {newest}: copy the key file there",
            dashboard.hostname
        ))?;
    }
    say(if open { "A rotation is open." } else { "No rotation is open." })
}

async fn finish(app: &App, leave_behind: bool) -> anyhow::Result<()> {
    let retired = rotate_signing::finish(app, &Actor::console(), leave_behind).await?;
    say(&format!(
        "Retired: signing keys {retired:?}; they left {}. Gateways forget them with their next heartbeats.",
        app.keyring.path().display()
    ))?;
    say("Copy the key file to the other dashboards and to its backup.")
}

async fn replace_lost(app: &App) -> anyhow::Result<()> {
    let (lost, id) = rotate_signing::replace_lost(app, &Actor::console()).await?;
    say(&format!(
        "Given up: signing keys {lost:?}. Signing key {id} signs from now on, in {}.",
        app.keyring.path().display()
    ))?;
    say(
        "Every gateway goes on as it is, and takes no verdict until it is installed again. `rotate-signing-key --status` \
         names them. Back up the key file now.",
    )
}
