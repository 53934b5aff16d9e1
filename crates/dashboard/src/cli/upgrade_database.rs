//! `upgrade-database`: the embedded PostgreSQL's data moves to a newer major version.

use super::{Refusal, say};
use crate::config::DataArgs;
use proxima_db::{DbResult, census};
use proxima_embedded_postgres::{Moved, Options, Upgrade};

/// What is compared before and after: the rows of every table, and the head of the audit log's chain.
async fn facts(url: String) -> DbResult<String> {
    let pool = proxima_db::connect(&url, 1).await?;
    let census = census::take(&pool).await;
    pool.close().await;
    census
}

pub(super) async fn run(args: DataArgs) -> anyhow::Result<()> {
    if args.database_url.is_some() {
        let message = "the database is a server of your own: upgrade it by its own means. This command is for the \
                       PostgreSQL that the dashboard runs in its data folder";
        return Err(Refusal { message: message.to_owned(), code: 2 }.into());
    }
    let moved = match Upgrade::find(&args.postgres_folder(), Options::default()).await? {
        Upgrade::Nothing => {
            return say(
                "Nothing to upgrade: there is no data yet, or no PostgreSQL is installed that is newer than it.",
            );
        }
        Upgrade::Finished(moved) => moved,
        Upgrade::Possible(upgrade) => {
            say(&format!(
                "Upgrading from PostgreSQL {} to {}. The old data stays as it is.",
                upgrade.from(),
                upgrade.to()
            ))?;
            // A terminal that is gone is no reason to stop.
            upgrade.run(facts, |step| drop(say(&format!("- {step}")))).await?
        }
    };
    report(&moved)
}

fn report(moved: &Moved) -> anyhow::Result<()> {
    let former = moved.former.display();
    say(&format!("The database is PostgreSQL {} now, and holds what it held. Start the dashboard.", moved.to))?;
    say(&format!("PostgreSQL {}'s data is kept in {former}. When all is well: rm -r {former}", moved.from))
}
