//! `audit`: checks the audit log against its head and the anchor, or an export of it alone.

use super::database::{Use, open_app};
use super::{Refusal, say};
use crate::app::audit_chain;
use crate::app::audit_export::{self, NoExport, Verifier};
use crate::config::DataArgs;
use crate::keyring::Keyring;
use crate::sentence::io_reason;
use anyhow::Context as _;
use proxima_types::identity::DashboardPublicKey;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

/// The exit code for a log, or an export, that was tampered with.
const TAMPERED: u8 = 3;
/// The exit code for something that is no export.
const USAGE: u8 = 2;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

impl Args {
    /// The data that it works on; an export is checked with a public key alone.
    pub(super) fn data(&self) -> Option<&DataArgs> {
        match &self.command {
            Command::Verify(args) if args.public_key.is_some() => None,
            Command::Verify(args) => Some(&args.data),
            Command::PublicKey(data) => Some(data),
        }
    }
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check every row against the chain, the head and the anchor; exit code 3 names what was tampered with
    Verify(VerifyArgs),
    /// Print the public key that exports are checked with
    PublicKey(DataArgs),
}

#[derive(Debug, clap::Args)]
struct VerifyArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Check this exported file instead of the database
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// With --export: the public key (base64) to check it with, instead of the key file's; then neither the data folder nor
    /// the database is needed
    #[arg(long, requires = "export", value_name = "KEY", value_parser = public_key)]
    public_key: Option<DashboardPublicKey>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Verify(args) => match &args.export {
            Some(path) => verify_export(&args, path),
            None => verify_log(&args.data).await,
        },
        Command::PublicKey(data) => {
            let keyring = Keyring::load(&data.key_file())?;
            say(&keyring.public_key().context("the key file holds no signing key")?.to_string())
        }
    }
}

async fn verify_log(data: &DataArgs) -> anyhow::Result<()> {
    let (app, database) = open_app(data, Use::Command).await?;
    let terminal = std::io::stderr().is_terminal();
    let verified = database.attend(audit_chain::verify(&app, |done, head| {
        if terminal {
            let _ = write!(std::io::stderr(), "\r{done} of {head} rows");
        }
    }));
    let verified = verified.await;
    if terminal {
        let _ = writeln!(std::io::stderr());
    }
    match verified?? {
        Ok(verified) if verified.to < verified.from => say("The audit log is whole: it has no rows."),
        Ok(verified) => say(&format!(
            "The audit log is whole: rows {} to {}, head {}.",
            verified.from, verified.to, verified.head_hash
        )),
        Err(wrong) => {
            Err(Refusal { message: format!("the audit log was tampered with: {wrong}"), code: TAMPERED }.into())
        }
    }
}

fn verify_export(args: &VerifyArgs, path: &Path) -> anyhow::Result<()> {
    let refused = |error: std::io::Error| not_verified(path, &error.into());
    let mut file = BufReader::new(std::fs::File::open(path).map_err(refused)?);
    // What it is comes before what it is checked with.
    if audit_export::format_of(file.fill_buf().map_err(refused)?).is_none() {
        return Err(not_verified(path, &NoExport.into()).into());
    }
    let keyring;
    let verifier = match args.public_key {
        Some(key) => Verifier::PublicKey(key),
        None => {
            keyring = Keyring::load(&args.data.key_file()).context("without --public-key the key file is needed")?;
            Verifier::Keyring(&keyring)
        }
    };
    let manifest = audit_export::verify(file, &verifier).map_err(|error| not_verified(path, &error))?;
    let what = if manifest.filter.as_object().is_none_or(serde_json::Map::is_empty) {
        "of the whole log".to_owned()
    } else {
        format!("of rows with {}", manifest.filter)
    };
    say(&format!(
        "The export is good: {} rows {what}, exported by {} at {}, installation {}.",
        manifest.rows,
        manifest.exported_by,
        manifest.exported_at.format("%F %T UTC"),
        manifest.installation_id
    ))
}

/// A file that is none, or cannot be read, was not tampered with.
fn not_verified(path: &Path, error: &anyhow::Error) -> Refusal {
    let shown = path.display();
    if error.is::<NoExport>() {
        return Refusal { message: format!("{shown} cannot be checked: {error}"), code: USAGE };
    }
    match error.downcast_ref::<std::io::Error>() {
        Some(error) => Refusal { message: format!("cannot read {shown}: {}", io_reason(error)), code: USAGE },
        None => Refusal { message: format!("the export is not good: {error:#}"), code: TAMPERED },
    }
}

fn public_key(text: &str) -> Result<DashboardPublicKey, String> {
    DashboardPublicKey::parse(text.trim()).map_err(|_| {
        "a public key is 44 characters of base64 that end with =. The audit page shows it, and `proxima-dashboard audit public-key` \
         prints it; the id of a key, as an export names it, is only its digest and checks nothing"
            .to_owned()
    })
}
