//! The certificate that an authority issues.

use super::Finding;
use crate::cli::database::Database;
use crate::cli::ports::authority;
use crate::config::ServeArgs;
use chrono::{DateTime, Utc};
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
    Some(judge(&row, &authority.host, now))
}

fn judge(row: &CertificateRow, host: &str, now: DateTime<Utc>) -> Finding {
    let (name, failed) = ("certificate", failure(row));
    match (row.not_after, failed) {
        (Some(end), None) if end > now && row.renew_at.is_some_and(|at| at + LATE < now) => Finding::problem(
            name,
            format!("for {host} is good until {end} and should have been renewed by now: is a dashboard running?"),
        ),
        (Some(end), None) if end > now => Finding::ok(name, format!("for {host} is good until {end}")),
        (Some(end), Some(failed)) if end > now => {
            Finding::problem(name, format!("for {host} is good until {end}, and is not renewed: {failed}"))
        }
        (Some(end), failed) => {
            let failed = failed.unwrap_or_else(|| "nobody tried to renew it: is a dashboard running?".to_owned());
            Finding::problem(name, format!("for {host} has ended at {end}: {failed}"))
        }
        (None, Some(failed)) => Finding::problem(name, failed),
        (None, None) => Finding::problem(name, format!("for {host} is being issued: look again in a minute")),
    }
}

fn failure(row: &CertificateRow) -> Option<String> {
    let (told, at) = (row.last_error.as_ref()?, row.last_error_at?);
    let next = row.next_attempt_at;
    Some(format!(
        "{told} (attempt {} at {at}; the next is at {next}, or at once by `systemctl reload proxima-dashboard`)",
        row.failures
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Level;

    fn day(number: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(number * 24 * 3600, 0).expect("in range")
    }

    #[test]
    fn every_state_is_said_with_what_to_do() {
        let said = |ends: Option<i64>, failed: bool| {
            let row = CertificateRow {
                id: uuid::Uuid::nil(),
                chain: None,
                key_ciphertext: None,
                not_after: ends.map(day),
                renew_at: ends.map(|end| day(end - 30)),
                failures: i32::from(failed),
                last_error: failed.then(|| "no way in".to_owned()),
                last_error_at: failed.then(|| day(99)),
                next_attempt_at: day(101),
            };
            let finding = judge(&row, "panel.example.com", day(100));
            (finding.level, finding.text)
        };
        for (ends, failed, level, parts) in [
            (Some(160), false, Level::Ok, &["is good until 1970-06-10"][..]),
            (Some(120), false, Level::Problem, &["should have been renewed by now", "is a dashboard running"]),
            (Some(120), true, Level::Problem, &["and is not renewed: no way in (attempt 1 at ", "systemctl reload"]),
            (
                Some(100),
                false,
                Level::Problem,
                &["for panel.example.com has ended at 1970-04-11", "is a dashboard running"],
            ),
            (
                Some(90),
                true,
                Level::Problem,
                &["has ended at 1970-04-01", ": no way in (attempt 1 at ", "systemctl reload"],
            ),
            (None, true, Level::Problem, &["no way in (attempt 1 at ", "the next is at 1970-04-12"]),
            (None, false, Level::Problem, &["is being issued"]),
        ] {
            let (is, text) = said(ends, failed);
            assert!(is == level && parts.iter().all(|part| text.contains(part)), "{ends:?} {failed}: {is:?} {text}");
        }
    }
}
