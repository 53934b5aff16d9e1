//! The example of a configuration file, and the settings table of the documentation: both follow the arguments.

use super::load;
use clap::Arg;
use std::fmt::Write as _;

/// The commented example file, with every setting that the file can hold.
#[must_use]
pub(crate) fn example() -> String {
    let mut text = "\
# Settings of proxima-dashboard. A line that begins with # is the default, or an example.
# Flags (`--listen`) and variables (`PROXIMA_LISTEN`) count more than this file.
# `proxima-dashboard check-config` says all that is wrong with it; a change needs a restart.
"
    .to_owned();
    let settings = load::settings();
    for arg in settings.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_id() != "config") {
        let help = arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string).unwrap_or_default();
        text.push('\n');
        for line in wrapped(&help) {
            let _ = writeln!(text, "# {line}");
        }
        let _ = writeln!(text, "#{} = {}", arg.get_id(), value(arg));
    }
    text
}

fn wrapped(help: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in help.split_whitespace() {
        let line = lines.last_mut().filter(|line| line.len() + word.len() < 100 || line.is_empty());
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The default, or an example of a value.
fn value(arg: &Arg) -> String {
    let example = match arg.get_id().as_str() {
        "database_url" => "postgres://proxima:PASSWORD@127.0.0.1/proxima",
        "database_url_file" => "/etc/proxima-dashboard/database-url",
        "public_url" => "https://panel.example.com",
        "gateway_url" => "https://gateways.example.com",
        "tls_cert" => "/etc/proxima-dashboard/tls/fullchain.pem",
        "tls_key" => "/etc/proxima-dashboard/tls/key.pem",
        "acme" => "letsencrypt",
        "acme_contact" => "operations@example.com",
        "acme_ca" => "/etc/proxima-dashboard/tls/authority.pem",
        "acme_eab_key_id" => "kid-1",
        "acme_eab_key_file" => "/etc/proxima-dashboard/acme-eab-key",
        "redirect_listen" => "[::]:80",
        "metrics_listen" => "127.0.0.1:9464",
        "gateway_binaries" => "/var/lib/proxima-dashboard/gateways",
        _ => "",
    };
    if arg.get_value_delimiter().is_some() {
        return "[\"10.0.0.0/8\"]".to_owned();
    }
    match load::default_of(arg) {
        Some(plain) if plain == "true" || plain == "false" || plain.parse::<i64>().is_ok() => plain,
        Some(text) => format!("{text:?}"),
        None => format!("{example:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> std::path::PathBuf {
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    /// `UPDATE=1` writes it.
    #[test]
    fn the_example_file_is_current() {
        let path = root().join("packaging/dashboard.toml");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(&path, example()).expect("written");
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        let remedy = "UPDATE=1 cargo test -p proxima-dashboard --lib config::reference";
        assert!(found == example(), "packaging/dashboard.toml is not current: {remedy}");
    }

    #[test]
    fn every_setting_has_an_example_and_a_row_in_the_documentation() {
        let page = std::fs::read_to_string(root().join("docs/dashboard.md")).expect("the page");
        for arg in load::settings().get_arguments().filter(|arg| !arg.is_hide_set()) {
            let (long, env) = (arg.get_long().expect("a flag"), arg.get_env().expect("a variable").to_string_lossy());
            let row = page.lines().find(|line| line.starts_with(&format!("| `--{long}` | `{env}` |")));
            let row =
                row.unwrap_or_else(|| panic!("docs/dashboard.md, Settings, lacks a row: | `--{long}` | `{env}` |"));
            if let Some(default) = load::default_of(arg) {
                assert!(row.contains(&format!("| `{default}` |")) || row.contains(&format!("| {default} |")), "{row}");
            }
            assert!(
                long == "config" || value(arg) != "\"\"",
                "--{long} has neither a default nor an example in config/reference.rs"
            );
        }
    }
}
