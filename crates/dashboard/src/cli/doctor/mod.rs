//! `doctor`: looks at an installation and says what to mend. Changes nothing.

mod acme;
mod data;
mod host;
mod installation;
mod public;
mod seen;

use super::database::{Database, Use};
use super::{Refusal, say};
use crate::config::ServeArgs;
use crate::sentence::sentence;
use proxima_db::pulse;
use serde::Serialize;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) serve: ServeArgs,

    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    /// Worth knowing; nothing is broken.
    Note,
    Problem,
}

/// What a check found.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    level: Level,
    /// What was looked at.
    name: &'static str,
    /// The fact, or what is wrong with its remedy.
    text: String,
}

impl Finding {
    fn ok(name: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Ok, name, text: text.into() }
    }

    fn note(name: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Note, name, text: text.into() }
    }

    fn problem(name: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Problem, name, text: text.into() }
    }

    /// A fact, or a problem.
    fn of(name: &'static str, result: Result<String, String>) -> Self {
        result.map_or_else(|problem| Self::problem(name, problem), |fact| Self::ok(name, fact))
    }
}

/// What is wrong with the settings was said before this runs.
pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let (serve, json) = (&args.serve, args.json);
    let mut findings = vec![data::folder(&serve.data), data::space(&serve.data)];
    if Database::is_to_be_made(&serve.data) {
        findings.push(Finding::note("database", "none yet; the first start makes it in the data folder"));
    } else {
        match Database::connect(&serve.data, 2, Use::Command).await {
            Err(error) => findings.push(Finding::problem("database", sentence(&error))),
            Ok(database) => match pulse::attend(&database.url, look(serve, &database)).await {
                Err(silent) => findings.push(Finding::problem("database", silent.to_string())),
                Ok(looked) => {
                    findings.extend(looked);
                    database.close().await?;
                }
            },
        }
    }
    findings.extend(public::certificate(serve));
    findings.extend(public::proxy(serve));
    findings.extend(public::address(serve).await);
    findings.extend(seen::client_address(serve).await);
    findings.push(host::programs(serve).await);
    findings.extend(host::clock().await);
    findings.extend(host::unit().await);
    report(&findings, json)
}

/// What the database shows.
async fn look(serve: &ServeArgs, database: &Database) -> Vec<Finding> {
    let mut findings = data::database(&serve.data, database).await;
    // Without the schema there is nothing more to see.
    if findings.len() > 1 {
        findings.extend(installation::look(serve, database).await);
        findings.extend(acme::certificate(serve, database).await);
    }
    findings
}

fn report(findings: &[Finding], json: bool) -> anyhow::Result<()> {
    if json {
        say(&serde_json::to_string_pretty(findings)?)?;
    } else {
        for Finding { level, name, text } in findings {
            let mark = match level {
                Level::Ok => "ok     ",
                Level::Note => "note   ",
                Level::Problem => "PROBLEM",
            };
            say(&format!("{mark}  {name}: {text}"))?;
        }
    }
    match findings.iter().filter(|finding| finding.level == Level::Problem).count() {
        0 if json => Ok(()),
        0 => say("Nothing to mend."),
        count => Err(Refusal { message: format!("{count} to mend"), code: 1 }.into()),
    }
}
