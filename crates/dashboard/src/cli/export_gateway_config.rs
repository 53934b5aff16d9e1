//! `export-gateway-config`: the identity of a customer's gateway, for a start by hand. Installing
//! over SSH writes the same file without anybody seeing it.

use super::database::{Use, open_app};
use super::owner::not_written;
use super::{Refusal, say};
use crate::app::gateway_config;
use crate::app::{Actor, AppError};
use crate::config::DataArgs;
use proxima_types::identity::DashboardUrl;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) data: DataArgs,
    /// The customer.
    #[arg(long)]
    username: String,
    /// The URL under which the gateway reaches this dashboard: https://…, or http:// to loopback.
    #[arg(long, env = "PROXIMA_PUBLIC_URL", value_parser = DashboardUrl::parse)]
    dashboard_url: DashboardUrl,
    /// The file to write, readable by its owner only.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let (app, database) = open_app(&args.data, Use::Command).await?;
    let console = Actor::console();
    let exported = gateway_config::export(&app, &console, &args.username, args.dashboard_url);
    let identity = database.attend(exported).await?;
    match identity {
        Ok(identity) => {
            write_private(&args.output, identity.to_json().as_bytes())
                .map_err(|error| anyhow::anyhow!(not_written(&args.output, &args.data.data_dir, &error)))?;
            say(&format!("Wrote {}. It holds the license key: keep it private.", args.output.display()))
        }
        Err(AppError::NotFound) => {
            Err(Refusal { message: format!("there is no customer {} with a server", args.username), code: 4 }.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// A temporary file, synced, then renamed: never half a file, never readable by others.
fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let temporary = path.with_extension("json.new");
    let _ = std::fs::remove_file(&temporary);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}
