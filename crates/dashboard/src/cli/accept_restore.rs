//! `accept-restore`: goes on with a database that is not the known one, after saying what that means.

use super::database::{Use, open_app};
use super::{Refusal, say};
use crate::app::anchor::{self, Plan};
use crate::app::{Actor, AppError};
use crate::config::DataArgs;
use std::io::{IsTerminal as _, Write as _};

/// What a person types.
const CONFIRMATION: &str = "accept";
/// How many servers are named.
const NAMED_MAX: usize = 20;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) data: DataArgs,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let (app, database) = open_app(&args.data, Use::Command).await?;
    database.attend(accept(&app, args.yes)).await?
}

async fn accept(app: &crate::app::App, yes: bool) -> anyhow::Result<()> {
    let Some(plan) = anchor::plan(app).await? else {
        return say("There is nothing to accept: the database is the one that this dashboard knows.");
    };
    describe(&plan)?;
    if !yes && !confirmed()? {
        return Err(Refusal { message: "nothing was changed".to_owned(), code: 4 }.into());
    }
    let accepted = match anchor::accept(app, &Actor::console(), &plan).await {
        Err(error @ AppError::NotNow { .. }) => return Err(Refusal { message: error.to_string(), code: 4 }.into()),
        accepted => accepted?,
    };
    say(&format!(
        "Accepted: incarnation {}. {} retired keys were retired again; {} jobs, {} sign-ins and {} install commands were ended.",
        accepted.incarnation,
        accepted.retirements,
        accepted.stale.jobs,
        accepted.stale.sessions,
        accepted.stale.install_tokens
    ))?;
    say("Dashboards that run on this database follow within seconds; gateways get their verdicts again.")
}

fn describe(plan: &Plan) -> anyhow::Result<()> {
    say(&plan.lag.sentence)?;
    say("")?;
    match &plan.known {
        Some(mark) => say(&format!("This dashboard knows the audit log up to row {}.", mark.audit_id))?,
        None => {
            say("What this dashboard knew cannot be read; keys that were retired since the backup stay unknown to it.")?
        }
    }
    let time =
        plan.head_time.map_or_else(|| "has none".to_owned(), |time| format!("ends on {}", time.format("%F %T UTC")));
    say(&format!("The database's ends at row {}: it {time}.", plan.seen.head_id))?;
    say(
        "What was done after that is lost: accounts, passwords, roles, licenses revoked and reinstated, configurations.",
    )?;
    say("Look at the licenses of customers who were changed since, and at who is an admin.")?;
    say("")?;
    say(&format!("{} keys that were retired since will be retired again.", plan.forgotten.len()))?;
    if !plan.carriers.is_empty() {
        say("The database believes these servers to have one of them. They get a new key; re-install their gateways:")?;
        for carrier in plan.carriers.iter().take(NAMED_MAX) {
            say(&format!("  {} (of {})", carrier.server_name, carrier.owner_username))?;
        }
        if plan.carriers.len() > NAMED_MAX {
            say(&format!(
                "  and {} more, which the audit log and the servers list name",
                plan.carriers.len() - NAMED_MAX
            ))?;
        }
    }
    say("Jobs that had not ended are cancelled, and everybody is signed out.")
}

fn confirmed() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        let message = "not asked, because nobody is at the terminal: say --yes".to_owned();
        return Err(Refusal { message, code: 4 }.into());
    }
    let _ = write!(std::io::stderr(), "Type {CONFIRMATION} to go on with this database: ");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    Ok(line.trim() == CONFIRMATION)
}
