//! The command line.

mod accept_restore;
mod archive;
mod audit;
mod backup;
mod check_config;
mod create_admin;
mod database;
mod doctor;
mod documents;
mod export_gateway_config;
mod healthcheck;
mod migrate;
mod owner;
mod ports;
mod reset_factors;
mod reset_password;
mod restore;
mod rotate_master_key;
mod rotate_signing_key;
mod serve;
mod service;
mod sign_out;
mod upgrade_database;
mod words;

use crate::config::load::{self, Stop};
use crate::config::{DataArgs, LogFormat, ServeArgs};
use crate::sentence::sentence;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::ffi::OsString;
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use zeroize::Zeroizing;

/// Control plane of Proxima Gateway: web UI, API and heartbeats.
#[derive(Debug, Parser)]
#[command(name = "proxima-dashboard", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant)]
enum Command {
    /// Run the dashboard
    Serve(ServeArgs),
    /// Bring the database's schema up to date and exit
    Migrate(DataArgs),
    /// Make an admin; without --password-stdin a random temporary password is made and printed once
    CreateAdmin(create_admin::Args),
    /// Set a user's password and end their sessions
    ResetPassword(reset_password::Args),
    /// Take a user's second factors away, and end their sessions
    ResetFactors(reset_factors::Args),
    /// End all sessions of one user, or of everybody at once
    SignOut(sign_out::Args),
    /// Write the config.json that a customer's gateway starts with (holds their license key; audited)
    ExportGatewayConfig(export_gateway_config::Args),
    /// Say all that is wrong with the configuration of `serve`, and start nothing
    CheckConfig(ServeArgs),
    /// Print a commented configuration file with every setting
    ExampleConfig,
    /// Move the embedded PostgreSQL's data to a newer major version that is installed; the old data is kept
    UpgradeDatabase(DataArgs),
    /// Write the whole database, without the key file, to one file
    Backup(backup::Args),
    /// Fill an empty database from a backup
    Restore(restore::Args),
    /// Replace the key that seals secrets in the database, while dashboards run
    RotateMasterKey(rotate_master_key::Args),
    /// Replace the key that signs answers to gateways, which follow by themselves
    RotateSigningKey(rotate_signing_key::Args),
    /// Check an installation and say what to mend
    Doctor(doctor::Args),
    /// Ask the dashboard that runs here whether it is ready; exit code 0 if so
    Healthcheck(ServeArgs),
    /// Go on with a database that was restored from a backup, or exchanged (stop nothing; audited)
    AcceptRestore(accept_restore::Args),
    /// Check the audit log, or an export of it
    Audit(audit::Args),
    /// Print the API's OpenAPI document
    Openapi,
    /// Print the completions of a shell
    Completions(documents::CompletionsArgs),
    /// Write the man pages
    #[command(hide = true)]
    Manual(documents::ManualArgs),
}

impl Command {
    /// The data that it works on, if any.
    fn data(&self) -> Option<&DataArgs> {
        match self {
            Self::Serve(args) | Self::CheckConfig(args) | Self::Healthcheck(args) => Some(&args.data),
            Self::Migrate(args) | Self::UpgradeDatabase(args) => Some(args),
            Self::CreateAdmin(args) => Some(&args.data),
            Self::ResetPassword(args) => Some(&args.data),
            Self::ResetFactors(args) => Some(&args.data),
            Self::SignOut(args) => Some(&args.data),
            Self::ExportGatewayConfig(args) => Some(&args.data),
            Self::Doctor(args) => Some(&args.serve.data),
            Self::AcceptRestore(args) => Some(&args.data),
            Self::Audit(args) => args.data(),
            Self::Backup(args) => Some(&args.data),
            Self::Restore(args) => Some(&args.data),
            Self::RotateMasterKey(args) => Some(&args.data),
            Self::RotateSigningKey(args) => Some(&args.data),
            Self::ExampleConfig | Self::Openapi | Self::Completions(_) | Self::Manual(_) => None,
        }
    }

    /// A file that whoever calls it may read, and that the owner of the data perhaps may not.
    fn reads(&self) -> Option<&Path> {
        if let Self::Restore(args) = self { args.file() } else { None }
    }
}

impl Cli {
    /// Reads the command line, the environment and the configuration file. What is wrong with them is said on
    /// standard error, all at once.
    ///
    /// # Errors
    /// The exit code, when there is nothing to run.
    pub fn load() -> Result<Self, ExitCode> {
        let line: Vec<OsString> = std::env::args_os().collect();
        let usage = |error: clap::Error| {
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        };
        match load::merge(&Self::command(), &line) {
            Ok(matches) => Self::from_arg_matches(&matches).map_err(usage),
            Err(Stop::Usage(error)) => Err(usage(error)),
            Err(Stop::Problems(problems)) => {
                for problem in &problems {
                    let _ = writeln!(std::io::stderr(), "proxima-dashboard: {problem}");
                }
                Err(ExitCode::from(2))
            }
        }
    }
}

/// A failure with an exit code of its own, for scripts.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    pub message: String,
    pub code: u8,
}

/// Runs a command. Problems go to standard error as one sentence.
pub async fn run(cli: Cli) -> ExitCode {
    let as_owner = |data: &DataArgs| owner::act_as_owner_of(&data.data_dir, cli.command.reads());
    let outcome = match cli.command.data().map_or(Ok(()), as_owner) {
        Ok(()) => run_command(cli.command).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let code = error.downcast_ref::<Refusal>().map_or(1, |refusal| refusal.code);
            let _ = writeln!(std::io::stderr(), "proxima-dashboard: {}", sentence(&error));
            ExitCode::from(code)
        }
    }
}

async fn run_command(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(args) => serve::run(args).await,
        Command::Migrate(args) => migrate::run(args).await,
        Command::CreateAdmin(args) => create_admin::run(args).await,
        Command::ResetPassword(args) => reset_password::run(args).await,
        Command::ResetFactors(args) => reset_factors::run(args).await,
        Command::SignOut(args) => sign_out::run(args).await,
        Command::ExportGatewayConfig(args) => export_gateway_config::run(args).await,
        Command::CheckConfig(args) => check_config::run(&args),
        Command::ExampleConfig => say(crate::config::example().trim_end()),
        Command::UpgradeDatabase(args) => upgrade_database::run(args).await,
        Command::Backup(args) => backup::run(args).await,
        Command::Restore(args) => restore::run(args).await,
        Command::RotateMasterKey(args) => rotate_master_key::run(args).await,
        Command::RotateSigningKey(args) => rotate_signing_key::run(args).await,
        Command::Doctor(args) => doctor::run(args).await,
        Command::AcceptRestore(args) => accept_restore::run(args).await,
        Command::Audit(args) => audit::run(args).await,
        Command::Healthcheck(args) => healthcheck::run(args).await,
        Command::Openapi => crate::http::openapi_json().and_then(|json| say(json.trim_end())),
        Command::Completions(args) => documents::completions(&args),
        Command::Manual(args) => documents::manual(&args),
    }
}

/// Prints a line for the person or script that ran the command.
pub(crate) fn say(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}

/// Reads a password from standard input: its first line, or all of it when that has no line end.
pub(crate) fn password_from_stdin() -> anyhow::Result<Zeroizing<String>> {
    if std::io::stdin().is_terminal() {
        let _ = write!(std::io::stderr(), "Password (shown as you type): ");
    }
    let mut text = Zeroizing::new(String::new());
    if std::io::stdin().is_terminal() {
        std::io::stdin().read_line(&mut text)?;
    } else {
        std::io::stdin().take(1024).read_to_string(&mut text)?;
    }
    let line = text.lines().next().unwrap_or_default().to_owned();
    Ok(Zeroizing::new(line))
}

/// Log lines go to standard error; `RUST_LOG` chooses how many.
pub(crate) fn start_logging(format: LogFormat) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,sqlx=warn"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let result = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    // A second start in one process keeps the first.
    drop(result);
}
