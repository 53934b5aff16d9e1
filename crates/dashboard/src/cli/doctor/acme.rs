//! The certificate that an authority issues.

use super::Finding;
use crate::cli::database::Database;
use crate::cli::ports::authority;
use crate::config::ServeArgs;
use proxima_db::acme::{CertificateRow, find};

/// How late a renewal is before it is one that nobody makes.
const LATE: chrono::Duration = chrono::Duration::days(1);

pub(super) async fn certificate(args: &ServeArgs, database: &Database) -> Option<Finding> {
    let name = "certificate";
    let authority = authority(args)?;
    let row = async {
        let mut connection = database.pool.acquire().await?;
        let row = find(&mut connection, &authority.host, &authority.directory).await?;
        anyhow::Ok((row, proxima_db::now(&database.pool).await?))
    };
    let (row, now) = match row.await {
        Ok(found) => found,
        Err(error) => return Some(Finding::problem(name, format!("cannot be looked at: {error:#}"))),
    };
    let Some(row) = row else {
        return Some(Finding::note(
            name,
            format!("{} was not asked for one yet: the dashboard does it when it starts", authority.directory),
        ));
    };
    let (failed, host) = (failure(&row), authority.host);
    Some(match (row.not_after, failed) {
        (Some(end), None) if end > now && row.renew_at.is_some_and(|at| at + LATE < now) => Finding::problem(
            name,
            format!("for {host} is good until {end} and should have been renewed by now: is a dashboard running?"),
        ),
        (Some(end), None) if end > now => Finding::ok(name, format!("for {host} is good until {end}")),
        (Some(end), Some(failed)) if end > now => {
            Finding::problem(name, format!("for {host} is good until {end}, and is not renewed: {failed}"))
        }
        (Some(end), failed) => {
            let failed = failed.unwrap_or_else(|| "the dashboard is not running".to_owned());
            Finding::problem(name, format!("for {host} has ended at {end}: {failed}"))
        }
        (None, failed) => Finding::problem(name, failed.unwrap_or_else(|| "is being issued".to_owned())),
    })
}

fn failure(row: &CertificateRow) -> Option<String> {
    let (told, at) = (row.last_error.as_ref()?, row.last_error_at?);
    let next = row.next_attempt_at;
    Some(format!(
        "{told} (attempt {} at {at}; the next is at {next}, or at once by `systemctl reload proxima-dashboard`)",
        row.failures
    ))
}
