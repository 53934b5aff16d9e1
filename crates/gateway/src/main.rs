//! Parses the command line, runs the command, says how it ended.

use clap::Parser as _;
use proxima_gateway::cli::{ByHand, Cli, Command};
use proxima_gateway::clock::{Clock as _, SystemClock};
use proxima_gateway::{check, manage, run, setup, status};
use std::io::Write as _;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let (mut out, mut problems) = (std::io::stdout(), std::io::stderr());
    let ended = match cli.command.unwrap_or(Command::Run) {
        Command::Run => run::run(&cli.options).map(|()| 0),
        Command::Check => check::run(&cli.options.config, &mut out, &mut problems)
            .map(|good| u8::from(!good))
            .map_err(anyhow::Error::from),
        Command::Status { json } => status::run(&cli.options.state_dir, json, SystemClock::new().read().wall, &mut out),
        Command::Setup { by_hand: None } => setup::serve(&mut out),
        Command::Setup { by_hand: Some(ByHand::Enroll { dashboard }) } => setup::enroll(dashboard, &mut out),
        Command::Setup { by_hand: Some(ByHand::Uninstall { yes }) } => setup::uninstall(yes, &mut out),
        Command::SetupUnit => out.write_all(proxima_setup::UNIT.as_bytes()).map(|()| 0).map_err(anyhow::Error::from),
        Command::SetupUpdate => setup::finish_update(),
        Command::ManagementFingerprint { renew } => {
            manage::fingerprint(&cli.options.state_dir, renew, &mut out, &mut problems)
        }
        Command::Openapi => {
            manage::openapi_document().and_then(|json| Ok(out.write_all(json.as_bytes()).map(|()| 0)?))
        }
    };
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let _ = writeln!(problems, "proxima-gateway: {error:#}");
            ExitCode::FAILURE
        }
    }
}
