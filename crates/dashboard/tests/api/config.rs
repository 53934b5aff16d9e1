//! The configuration of the real program: flags, variables, file.

use crate::PROGRAM;
use proxima_test_support::{Finished, Folder, run_program, run_program_with};

/// Writes a configuration file and runs a command with it.
async fn run(file: &str, env: &[(&str, &str)], args: &[&str]) -> Finished {
    let folder = Folder::new();
    let path = folder.join("config.toml");
    std::fs::write(&path, file).unwrap();
    let line = [args, &["--config", path.to_str().unwrap()]].concat();
    let finished = run_program_with(PROGRAM, &line, env, "").await;
    let stderr = finished.stderr.replace(folder.path().to_str().unwrap(), "");
    Finished { stderr, ..finished }
}

const EVERYTHING_WRONG: &str = r#"# A comment.
lisen = "127.0.0.1:1"
public_url = "panel.example.com"
database_connections = 9999
trusted_proxies = ["10.0.0.0/8", "10.0.0.0/99"]
log_format = "xml"
heartbeat_seconds = [1, 2]
tls_key = "/nowhere"
[section]
"#;

#[tokio::test]
async fn every_problem_is_said_at_once_with_its_place_and_remedy() {
    let env = [("PROXIMA_JOBS_AT_ONCE", "many"), ("PROXIMA_GATEWAY_URL", "http://panel.example.com")];
    let finished = run(EVERYTHING_WRONG, &env, &["check-config", "--listen", "8080"]).await;
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""), "{finished:?}");
    for part in [
        "/config.toml:2: lisen: there is no such setting; did you mean listen?",
        "/config.toml:3: public_url cannot be \"panel.example.com\": expected https://HOST",
        "/config.toml:4: database_connections cannot be \"9999\": 9999 is not in 4..=200",
        "/config.toml:5: trusted_proxies cannot be \"10.0.0.0/99\": expected an IP address or a network",
        "/config.toml:6: log_format cannot be \"xml\": expected text or json",
        "/config.toml:7: heartbeat_seconds: takes one value, not a list",
        "/config.toml:8: tls_key needs tls_cert",
        "/config.toml:9: section: expected a text",
        "PROXIMA_JOBS_AT_ONCE: jobs_at_once cannot be \"many\"",
        "PROXIMA_GATEWAY_URL: gateway_url cannot be \"http://panel.example.com\"",
        "--listen: listen cannot be \"8080\": expected an address and a port",
    ] {
        assert!(finished.stderr.contains(part), "lacks: {part}\n{}", finished.stderr);
    }
    let lines: Vec<&str> = finished.stderr.lines().collect();
    assert!(lines.len() == 11 && lines.iter().all(|line| line.starts_with("proxima-dashboard: ")), "{lines:#?}");
}

#[tokio::test]
async fn a_flag_counts_more_than_a_variable_and_that_more_than_the_file() {
    let bad = "listen = \"from-file\"\n";
    let shown = async |env: &[(&str, &str)], args: &[&str]| run(bad, env, args).await.stderr;
    let file = shown(&[], &["check-config"]).await;
    assert!(file.contains("config.toml:1: listen cannot be \"from-file\""), "{file}");
    // What the file says is wrong in any case; what counts is the flag.
    let env = [("PROXIMA_LISTEN", "from-variable")];
    assert!(shown(&env, &["check-config"]).await.contains("PROXIMA_LISTEN: listen cannot be \"from-variable\""));
    let flag = shown(&env, &["check-config", "--listen", "from-flag"]).await;
    assert!(flag.contains("--listen: listen cannot be \"from-flag\"") && !flag.contains("from-variable"), "{flag}");
    let good = "listen = \"127.0.0.1:8080\"\npublic_url = \"https://panel.example.com\"\nproxy_protocol = false\n";
    // An empty variable is none, as in an EnvironmentFile with nothing behind the sign.
    let fine = run(good, &[("PROXIMA_PUBLIC_URL", ""), ("PROXIMA_METRICS_LISTEN", "")], &["check-config"]).await;
    assert_eq!(fine.code, Some(0), "{fine:?}");
}

#[tokio::test]
async fn contradictions_are_said_beside_other_problems() {
    let file = "metrics_listen = \"127.0.0.1:8080\"\nproxy_protocol = true\nredirect_listen = \"[::]:80\"\ntls_cert = \"c\"\n\
                trusted_proxies = [\"0.0.0.0/0\"]\nnonsense = 1\n";
    let finished = run(file, &[], &["check-config"]).await;
    for part in [
        "toml:1: metrics_listen and listen are both 127.0.0.1:8080",
        "toml:3: redirect_listen sends browsers to public_url",
        "toml:4: tls_cert needs tls_key",
        "toml:4: with a certificate public_url must be set",
        "toml:5: trusted_proxies holds every address",
        "toml:6: nonsense: there is no such setting",
    ] {
        assert!(finished.stderr.contains(part), "lacks: {part}\n{}", finished.stderr);
    }
}

#[tokio::test]
async fn a_secret_comes_from_its_own_file_and_is_in_no_message() {
    let folder = Folder::new();
    let (url, secret) = ("postgres://somebody:canary-word@127.0.0.1:1/nothing", folder.join("database-url"));
    std::fs::write(&secret, format!("{url}\n")).unwrap();
    let file = format!("database_url_file = {:?}\n", secret.to_str().unwrap());
    let data = folder.path().to_str().unwrap();
    // Both: which one was meant?
    let both = run(&file, &[("DATABASE_URL", url)], &["migrate", "--data-dir", data]).await;
    assert_eq!(both.code, Some(2), "{both:?}");
    assert!(both.stderr.contains("config.toml:1: database_url is given by DATABASE_URL already"), "{both:?}");
    // It is used: nothing listens there.
    for (file, env) in [(file.as_str(), vec![]), ("", vec![("CREDENTIALS_DIRECTORY", data)])] {
        let finished = run(file, &env, &["migrate", "--data-dir", data]).await;
        assert!(
            finished.code == Some(1)
                && finished.stderr.contains("cannot connect to the PostgreSQL")
                && finished.stderr.contains("nothing listens there"),
            "{finished:?}"
        );
        assert!(!finished.stderr.contains("canary-word"), "{finished:?}");
    }
    for content in ["", "\n\n", "one\ntwo"] {
        std::fs::write(&secret, content).unwrap();
        let finished = run(&file, &[], &["check-config"]).await;
        assert!(finished.code == Some(2) && finished.stderr.contains("config.toml:1: "), "{content:?}: {finished:?}");
    }
    for broken in [format!("database_url = \"{url}\nlisten = 5"), format!("database_url = [\"{url}\", \"b\"]")] {
        let finished = run(&broken, &[], &["check-config"]).await;
        assert!(finished.code == Some(2) && !finished.stderr.contains("canary-word"), "{finished:?}");
    }
}

#[tokio::test]
async fn the_example_is_a_configuration() {
    let example = run_program(PROGRAM, &["example-config"], "").await.stdout;
    assert_eq!(run(&example, &[], &["check-config"]).await.code, Some(0));
    // Each of its lines is possible, but for those that name files.
    let lines = example.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if !setting.starts_with(' ') => setting,
        _ => "",
    });
    let all: Vec<&str> =
        lines.filter(|line| !line.starts_with("database_url_file") && !line.starts_with("tls_")).collect();
    let finished = run(&all.join("\n"), &[], &["check-config"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let missing = run_program(PROGRAM, &["check-config", "--config", "/nowhere/config.toml"], "").await;
    assert!(missing.code == Some(2) && missing.stderr.contains("/nowhere/config.toml: cannot be read"), "{missing:?}");
}
