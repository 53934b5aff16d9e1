//! What the guide and the rules of Prometheus name is there.

use super::guide::{self, repository};
use proxima_test_support::run_program;
use std::collections::BTreeSet;
use std::path::Path;

/// Words of the text that begin with this, to their end.
fn words(text: &str, start: &str) -> BTreeSet<String> {
    let is_of_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.match_indices(start)
        .filter(|(at, _)| !text[..*at].ends_with(is_of_word))
        .map(|(at, _)| text[at..].chars().take_while(|c| is_of_word(*c)).collect())
        .collect()
}

fn sources(folder: &Path, found: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push_str(&std::fs::read_to_string(&path).expect("a source"));
        }
    }
}

#[test]
fn every_metric_of_the_rules_and_of_the_guide_exists() {
    let mut code = String::new();
    sources(&repository().join("crates/dashboard/src"), &mut code);
    let rules = std::fs::read_to_string(repository().join("packaging/alerts.yml")).expect("the rules");
    let named = words(&rules, "proxima_");
    assert!(named.len() > 3, "{named:?}");
    let table: String = guide::text().lines().filter(|line| line.starts_with("| `proxima_")).collect();
    for metric in named.iter().chain(&words(&table, "proxima_")) {
        assert!(code.contains(&format!("\"{metric}\"")), "no metric {metric}");
    }
    for alert in rules.split("- alert: ").skip(1) {
        for part in ["expr: ", "for: ", "severity: ", "summary: ", "description: "] {
            assert!(alert.contains(part), "{part}is missing in {alert}");
        }
    }
}

async fn help(arguments: &[&str]) -> String {
    let done = run_program(env!("CARGO_BIN_EXE_proxima-dashboard"), arguments, "").await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    done.stdout
}

#[tokio::test]
async fn every_command_and_setting_of_the_guide_exists() {
    let text = guide::text();
    let commands = help(&["--help"]).await;
    let of_lines = text.match_indices("proxima-dashboard ").map(|(at, start)| &text[at + start.len()..]);
    let mut seen = 0;
    for command in of_lines.filter_map(|rest| rest.split(|c: char| !(c.is_ascii_lowercase() || c == '-')).next()) {
        // Prose says other things after the name, and a container's commands its options.
        let is_command = command.contains('-') && !command.starts_with('-');
        if is_command || ["serve", "doctor", "backup", "restore", "healthcheck"].contains(&command) {
            seen += 1;
            assert!(commands.contains(&format!("\n  {command} ")), "no command {command} in {commands}");
        }
    }
    assert!(seen > 8, "{seen}");

    let settings = help(&["serve", "--help"]).await;
    let code = text.split('`').skip(1).step_by(2).filter_map(|code| code.split_once(" = "));
    let mut seen = 0;
    for (name, _) in code.filter(|(name, _)| name.chars().all(|c| c.is_ascii_lowercase() || c == '_')) {
        seen += 1;
        assert!(settings.contains(&format!("--{} ", name.replace('_', "-"))), "no setting {name}");
    }
    assert!(seen > 5, "{seen}");
}
