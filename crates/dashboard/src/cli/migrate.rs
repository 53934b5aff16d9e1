use super::database::{Database, Use};
use super::say;
use crate::config::DataArgs;

pub(super) async fn run(args: DataArgs) -> anyhow::Result<()> {
    Database::open(&args, 2, Use::Setup).await?.close().await?;
    say("The database's schema is up to date.")
}
