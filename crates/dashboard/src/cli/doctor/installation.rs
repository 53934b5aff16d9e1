//! The installation as its database knows it: its dashboards, admins, notifications and backups.

use super::Finding;
use crate::cli::database::Database;
use crate::config::{SecondFactorPolicy, ServeArgs};
use proxima_db::keys::DashboardRow;
use proxima_db::notifications::endpoints::{self, EndpointRow};
use proxima_db::{DbResult, backup, keys, users};
use proxima_types::Role;

/// The package makes one a day; one that is older was missed, in hours.
const BACKUP_EVERY: i64 = 48;
/// How many names a finding has.
const NAMED_MAX: usize = 5;
/// How many it counts: of 100,000 customers nobody reads the exact number.
const COUNTED_MAX: i64 = 1000;

pub(super) async fn look(args: &ServeArgs, database: &Database) -> Vec<Finding> {
    let looked = async {
        let mut connection = database.pool.acquire().await.map_err(proxima_db::DbError::from)?;
        let mut findings = vec![
            dashboards(&keys::running(&mut connection).await?),
            admins(&users::without_factor(&mut *connection, Role::Admin, COUNTED_MAX).await?, args.admin_second_factor),
        ];
        if args.customer_second_factor == SecondFactorPolicy::Required {
            findings.push(customers(&users::without_factor(&mut *connection, Role::Customer, COUNTED_MAX).await?));
        }
        findings.extend(notifications(&endpoints::list(&mut *connection, None).await?));
        findings.push(backups(backup::newest(&mut *connection).await?));
        DbResult::Ok(findings)
    };
    looked.await.unwrap_or_else(|error| vec![Finding::problem("installation", error.to_string())])
}

/// Old and new beside each other is how a rolling restart looks; it is to end.
fn dashboards(running: &[DashboardRow]) -> Finding {
    let (name, own) = ("dashboards", env!("CARGO_PKG_VERSION"));
    let shown = |row: &DashboardRow| format!("{} (version {})", row.hostname, row.version);
    let troubled: Vec<String> = running
        .iter()
        .filter(|row| !row.problems.is_empty())
        .map(|row| format!("{}: {}", row.hostname, row.problems.join("; ")))
        .collect();
    let others: Vec<String> = running.iter().filter(|row| row.version != own).map(shown).collect();
    if !troubled.is_empty() {
        return Finding::problem(name, troubled.join("; "));
    }
    if !others.is_empty() {
        return Finding::problem(
            name,
            format!(
                "{} of {} that run are not of version {own}, as this program is: {}. Install it there, and restart them one after the other \
                 (`systemctl restart proxima-dashboard`)",
                others.len(),
                running.len(),
                others.join(", ")
            ),
        );
    }
    match running {
        [] => Finding::note(name, "none runs"),
        all => {
            Finding::ok(name, format!("{} run: {}", all.len(), all.iter().map(shown).collect::<Vec<_>>().join(", ")))
        }
    }
}

/// The first few names, and how many more there are.
fn some_of(names: &[String]) -> String {
    let mut shown = names[..names.len().min(NAMED_MAX)].join(", ");
    if names.len() > NAMED_MAX {
        shown.push_str(&format!(" and {} more", names.len() - NAMED_MAX));
    }
    shown
}

/// Where customers must have one.
fn customers(without: &[String]) -> Finding {
    let name = "second factors of customers";
    if without.is_empty() {
        return Finding::ok(name, "every customer has one");
    }
    let names = some_of(without);
    Finding::note(name, format!("{names} can do nothing before they have added one; their gateways go on"))
}

fn admins(without: &[String], policy: SecondFactorPolicy) -> Finding {
    let name = "second factors";
    if without.is_empty() {
        return Finding::ok(name, "every admin has one");
    }
    let names = some_of(without);
    Finding::note(
        name,
        match policy {
            SecondFactorPolicy::Required => {
                format!(
                    "{names} can do nothing before they have added one: whoever knows the password could do that, so let it be soon"
                )
            }
            SecondFactorPolicy::Optional => format!(
                "a password alone lets into the account of {names}: add one there (Account), or write admin_second_factor = \"required\""
            ),
        },
    )
}

fn notifications(all: &[EndpointRow]) -> Vec<Finding> {
    let name = "notifications";
    if all.is_empty() {
        let text =
            "nobody is told when something happens: add a webhook or an e-mail address (Settings, Notifications)";
        return vec![Finding::note(name, text)];
    }
    let failing: Vec<Finding> = all.iter().filter_map(|endpoint| unheard(name, endpoint)).collect();
    if failing.is_empty() {
        vec![Finding::ok(name, format!("{} receivers, none of them failing", all.len()))]
    } else {
        failing
    }
}

fn unheard(name: &'static str, endpoint: &EndpointRow) -> Option<Finding> {
    let what = match (endpoint.disabled_reason.as_deref(), endpoint.failing_since) {
        (Some("BY_ADMIN"), _) => return None,
        (Some("GONE"), _) => "was ended by its receiver, who is gone".to_owned(),
        (Some(_), _) => "was ended after days of failures".to_owned(),
        (None, Some(since)) => format!("has reached nobody since {}", since.format("%F %H:%M UTC")),
        (None, None) => return None,
    };
    let (kind, waiting) = (endpoint.kind.to_lowercase(), endpoint.waiting);
    Some(Finding::problem(
        name,
        format!(
            "the {kind} \"{}\" {what}; {waiting} wait. Settings, Notifications, shows what its receiver answers; send a test when that is mended",
            endpoint.description
        ),
    ))
}

fn backups(newest: Option<backup::Made>) -> Finding {
    let name = "backups";
    let remedy = "see `systemctl list-timers proxima-dashboard-backup` and `journalctl -u proxima-dashboard-backup`, or run \
                  `proxima-dashboard backup --output FILE`";
    match newest {
        None => Finding::note(
            name,
            "this program has made none yet: `systemctl enable --now proxima-dashboard-backup.timer` makes one a day, unless the database is \
             backed up by other means",
        ),
        Some(made) if !made.succeeded => {
            Finding::problem(name, format!("the last one, of {}, failed: {remedy}", made.at.format("%F %H:%M UTC")))
        }
        Some(made) if made.hours_ago > BACKUP_EVERY => {
            Finding::problem(name, format!("the newest is of {}: {remedy}", made.at.format("%F %H:%M UTC")))
        }
        Some(made) => Finding::ok(name, format!("the newest is {} hours old", made.hours_ago)),
    }
}
