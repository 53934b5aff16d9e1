use super::database::{Use, open_app};
use super::{Refusal, say};
use crate::app::{Actor, AppError, sessions};
use crate::config::DataArgs;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) data: DataArgs,
    #[command(flatten)]
    whom: Whom,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Whom {
    /// The user to sign out.
    #[arg(long)]
    username: Option<String>,
    /// Everybody, admins too.
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let (app, database) = open_app(&args.data, Use::Command).await?;
    let console = Actor::console();
    let sign_out = async {
        match &args.whom.username {
            Some(username) => sessions::sign_out_by_name(&app, &console, username).await,
            None => sessions::sign_out_everybody(&app, &console).await,
        }
    };
    let done = database.attend(sign_out).await?;
    match (done, args.whom.username) {
        (Ok(1), _) => say("1 session has ended."),
        (Ok(ended), _) => say(&format!("{ended} sessions have ended.")),
        (Err(AppError::NotFound), Some(username)) => {
            Err(Refusal { message: format!("there is no user {username}"), code: 4 }.into())
        }
        (Err(error), _) => Err(error.into()),
    }
}
