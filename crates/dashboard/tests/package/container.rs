//! The container file. No image can be built here (there is no registry); its commands are run in a plain Debian that has no systemd running.

use super::guide::repository;
use super::machine::{Machine, package};
use proxima_test_support::{Lab, LabOptions};
use serde_json::Value;

/// Instructions with their arguments, continued lines joined.
fn instructions() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(repository().join("packaging/Containerfile")).expect("the file");
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (instruction, arguments) = line.split_once(' ').expect("arguments");
            (instruction.to_owned(), arguments.trim().to_owned())
        })
        .collect()
}

fn only(instruction: &str) -> String {
    let all = instructions();
    let mut found = all.iter().filter(|(name, _)| name == instruction);
    let first = found.next().unwrap_or_else(|| panic!("no {instruction}")).1.clone();
    assert!(found.next().is_none(), "{instruction} twice");
    first
}

/// A command as JSON, as a shell is given it.
fn exec_form(text: &str) -> String {
    let words: Vec<Value> = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    words.iter().map(|word| word.as_str().expect("a word")).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_container_file_is_of_known_instructions_that_fit_together() {
    const KNOWN: [&str; 11] =
        ["FROM", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD"];
    let all = instructions();
    assert_eq!(all[0].0, "FROM");
    for (name, arguments) in &all {
        assert!(KNOWN.contains(&name.as_str()), "{name} {arguments}");
    }
    assert_eq!(only("STOPSIGNAL"), "SIGTERM");
    assert!(only("ENV").contains(&format!("0.0.0.0:{}", only("EXPOSE"))));
    assert!(only("RUN").contains(&format!("adduser --system --group --uid 900 --home {} ", only("VOLUME"))));
    assert_eq!(
        (exec_form(&only("ENTRYPOINT")).as_str(), exec_form(&only("CMD")).as_str()),
        (only("USER").as_str(), "serve")
    );
}

#[tokio::test]
async fn vps_lab_the_container_files_commands_make_a_dashboard_that_is_healthy() {
    let package = package().await;
    let options = LabOptions { apt: true, no_systemd: true, ..LabOptions::default() };
    let machine = Machine { lab: Lab::up(options).await };
    let copy = only("COPY");
    let (pattern, target) = copy.split_once(' ').expect("from and to");
    let name = package.file_name().and_then(|name| name.to_str()).expect("a name");
    let (start, end) = pattern.split_once('*').expect("any version");
    assert!(name.starts_with(start) && name.ends_with(end), "{name} is not {pattern}");
    machine.lab.put(&package, &format!("{target}{name}")).await;
    machine.run(&only("RUN")).await;

    let healthcheck = only("HEALTHCHECK");
    let healthcheck = exec_form(healthcheck.split_once("CMD ").expect("a command").1);
    let (user, environment) = (only("USER"), only("ENV"));
    let within = format!(
        "setpriv --reuid {user} --regid {user} --clear-groups --no-new-privs --bounding-set -all env {environment}"
    );
    assert_eq!(machine.run(&format!("id -u {user}")).await, "900\n");
    let unhealthy = machine.attempt(&format!("{within} {healthcheck}")).await;
    assert_eq!(unhealthy.code, Some(1), "nothing runs yet: {unhealthy:?}");
    let serve = format!("{} {}", exec_form(&only("ENTRYPOINT")), exec_form(&only("CMD")));
    machine.run(&format!("cd /; nohup {within} {serve} >/tmp/log 2>&1 & echo $! >/tmp/pid")).await;
    let until =
        format!("for try in $(seq 600); do {within} {healthcheck} && exit 0; sleep 0.1; done; cat /tmp/log; exit 1");
    machine.run(&until).await;
    machine.run("kill -TERM $(cat /tmp/pid); tail --pid $(cat /tmp/pid) -f /dev/null; ! pgrep -x postgres").await;
}
