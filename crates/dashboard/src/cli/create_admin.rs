use super::database::{Use, open_app};
use super::{Refusal, password_from_stdin, say, words};
use crate::app::{AppError, sessions};
use crate::config::DataArgs;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) data: DataArgs,
    #[arg(long, default_value = "admin")]
    username: String,
    /// Read the password from standard input instead of making one.
    #[arg(long)]
    password_stdin: bool,
    /// It has to be replaced at the first sign-in, within 7 days. One that is made here always has to.
    #[arg(long)]
    temporary: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let (app, database) = open_app(&args.data, Use::Setup).await?;
    let password =
        if args.password_stdin { password_from_stdin()? } else { words::random_password(app.entropy.as_ref()) };
    let temporary = args.temporary || !args.password_stdin;
    let made = database.attend(sessions::create_admin(&app, &args.username, &password, temporary)).await?;
    match made {
        Ok(()) if args.password_stdin => say("Admin made."),
        // The password alone on its line, for scripts.
        Ok(()) => say(&password),
        Err(AppError::Conflict(error)) => Err(Refusal { message: error.message, code: 3 }.into()),
        Err(AppError::Invalid(errors)) => Err(Refusal { message: errors.to_string(), code: 2 }.into()),
        Err(error) => Err(error.into()),
    }
}
