use super::database::{Use, open_app};
use super::{Refusal, say};
use crate::app::{Actor, AppError, factors};
use crate::config::DataArgs;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) data: DataArgs,
    #[arg(long)]
    username: String,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let (app, database) = open_app(&args.data, Use::Command).await?;
    let done = database.attend(factors::reset_by_name(&app, &Actor::console(), &args.username)).await?;
    match done {
        Ok(()) => {
            say("Second factors taken away; every session of this user has ended. They sign in by password alone now.")
        }
        Err(AppError::NotFound) => {
            Err(Refusal { message: format!("there is no user {}", args.username), code: 4 }.into())
        }
        Err(AppError::NotNow { .. }) => {
            Err(Refusal { message: format!("{} has no second factor", args.username), code: 3 }.into())
        }
        Err(error) => Err(error.into()),
    }
}
