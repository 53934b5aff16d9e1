//! What packages bring beside the program: man pages, completions of shells.

use clap::CommandFactory as _;
use clap_complete::Shell;
use std::io::Write as _;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct ManualArgs {
    /// Folder for the pages: one for each command.
    #[arg(long)]
    output: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    shell: Shell,
}

pub(super) fn manual(args: &ManualArgs) -> anyhow::Result<()> {
    std::fs::create_dir_all(&args.output)?;
    clap_mangen::generate_to(super::Cli::command(), &args.output)?;
    Ok(())
}

pub(super) fn completions(args: &CompletionsArgs) -> anyhow::Result<()> {
    let mut command = super::Cli::command();
    let name = command.get_name().to_owned();
    // In memory first: it panics when its reader has gone.
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut text);
    Ok(std::io::stdout().write_all(&text)?)
}
