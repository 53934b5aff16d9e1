//! The rooms of ARCHITECTURE.md: which crate may use which, and how large a file may grow.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Each crate, and the crates of ours that it may use outside tests.
const ARROWS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("http1", &[]),
    ("certs", &[]),
    ("signing", &["types"]),
    ("embedded-postgres", &[]),
    ("db", &["types"]),
    ("setup", &["types"]),
    ("gateway", &["types", "http1", "certs", "signing", "setup"]),
    ("installer", &["types"]),
    ("dashboard", &["types", "certs", "signing", "db", "embedded-postgres", "installer"]),
    ("simulation", &["types", "signing", "db", "dashboard", "gateway"]),
    ("test-support", &["types", "signing", "db", "dashboard"]),
];

/// What must never be linked into the program that runs on customers' machines, or into pure crates.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("gateway", &["sqlx", "russh", "axum"]),
    ("types", &["tokio", "hyper", "reqwest", "sqlx"]),
    ("http1", &["tokio", "hyper"]),
    ("db", &["axum"]),
];

const FILE_LINES_MAX: usize = 800;
const MAIN_LINES_MAX: usize = 100;

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("crates/").to_owned()
}

fn dependencies(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(crates().join(name).join("Cargo.toml")).expect("a manifest");
    let manifest: toml::Table = text.parse().expect("toml");
    manifest["dependencies"].as_table().expect("dependencies").keys().cloned().collect()
}

#[test]
fn arrows_point_one_way() {
    let known: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    for entry in std::fs::read_dir(crates()).expect("crates/") {
        let name = entry.expect("an entry").file_name().into_string().expect("utf-8");
        let allowed = known.get(name.as_str()).unwrap_or_else(|| panic!("add {name} to ARROWS and ARCHITECTURE.md"));
        for dependency in dependencies(&name).iter().filter_map(|name| name.strip_prefix("proxima-")) {
            assert!(allowed.contains(&dependency), "{name} must not use {dependency}");
        }
    }
}

#[test]
fn what_must_not_be_linked_is_not() {
    for (name, forbidden) in FORBIDDEN {
        let used = dependencies(name);
        for dependency in *forbidden {
            assert!(!used.iter().any(|used| used == dependency), "{name} must not use {dependency}");
        }
    }
}

#[test]
fn files_stay_small() {
    let mut folders = vec![crates()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let lines = std::fs::read_to_string(&path).expect("text").lines().count();
                let main = path.file_name().is_some_and(|name| name == "main.rs")
                    && !path.display().to_string().contains("/tests/");
                let max = if main { MAIN_LINES_MAX } else { FILE_LINES_MAX };
                assert!(lines <= max, "{} has {lines} lines, more than {max}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "only {seen} files were seen");
}
