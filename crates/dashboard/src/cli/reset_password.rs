use super::database::{Use, open_app};
use super::{Refusal, password_from_stdin, say, words};
use crate::app::{Actor, AppError, sessions};
use crate::config::DataArgs;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) data: DataArgs,
    #[arg(long)]
    username: String,
    /// Read the new password from standard input instead of making one.
    #[arg(long)]
    password_stdin: bool,
    /// It has to be replaced at the next sign-in, within 7 days. One that is made here always has to.
    #[arg(long)]
    temporary: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let (app, database) = open_app(&args.data, Use::Command).await?;
    let password =
        if args.password_stdin { password_from_stdin()? } else { words::random_password(app.entropy.as_ref()) };
    let temporary = args.temporary || !args.password_stdin;
    let console = Actor::console();
    let done = database.attend(sessions::reset_password(&app, &console, &args.username, &password, temporary)).await?;
    match done {
        Ok(()) if args.password_stdin => say("Password set; every session of this user has ended."),
        Ok(()) => say(&password),
        Err(AppError::NotFound) => {
            Err(Refusal { message: format!("there is no user {}", args.username), code: 4 }.into())
        }
        Err(AppError::Invalid(errors)) => Err(Refusal { message: errors.to_string(), code: 2 }.into()),
        Err(error) => Err(error.into()),
    }
}
