//! A folder with what an install needs of a box, and a systemd and a useradd that work on it.

use super::changing;
use crate::commands::{self, CommandLine, Commands, Ended};
use crate::host::Host;
use proxima_types::setup::{ConfigText, SetupProblem, StepInput, place};
use proxima_types::{ApiSecret, LicenseKey};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use uuid::Uuid;

pub(super) const JOB: Uuid = Uuid::from_u128(7);

pub(super) struct FakeBox {
    pub root: PathBuf,
    /// Of systemd: whether the service runs, and its number of starts.
    service: RefCell<Service>,
    /// Programs that the box does not have.
    pub missing: Vec<&'static str>,
    /// What runs never comes up.
    pub broken: bool,
    /// What runs gets an answer of the dashboard.
    pub answered: bool,
    /// Its clock, in milliseconds since 1970.
    pub now_ms: i64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Service {
    pub runs: bool,
    pub starts: u32,
}

impl FakeBox {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("proxima-setup-unit-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        // In memory, where there is such a folder: thousands of files are synced.
        let memory = Path::new("/dev/shm");
        let root = if memory.is_dir() { memory.join(name) } else { std::env::temp_dir().join(name) };
        let _ = fs::remove_dir_all(&root);
        for folder in ["etc/systemd/system", "usr/local/bin", "usr/local/lib", "var/lib", "run/systemd/system"] {
            fs::create_dir_all(root.join(folder)).expect("a folder");
        }
        let fake =
            Self { root, service: RefCell::default(), missing: Vec::new(), broken: false, answered: false, now_ms: 0 };
        fake.put("/etc/passwd", b"root:x:0:0:root:/root:/bin/bash\n", 0o644);
        fake.put("/etc/group", b"root:x:0:\n", 0o644);
        fake
    }

    /// A box with a gateway that somebody installed in a way of his own.
    pub(super) fn with_another_install() -> Self {
        let fake = Self::new();
        fake.put(place::BINARY, &program(b"old"), 0o700);
        fake.put(place::PREVIOUS, &program(b"older"), 0o755);
        fake.put(place::LINK, b"#!/bin/sh\n", 0o711);
        fake.put(place::CONFIG, config(1).expose().as_bytes(), 0o640);
        fs::set_permissions(fake.at(place::CONFIG_FOLDER), fs::Permissions::from_mode(0o700)).expect("a mode");
        fake.put(place::UNIT_FILE, b"[Unit]\n", 0o664);
        fake.put(&format!("{}/verdict.json", place::STATE), b"{}", 0o600);
        fake.useradd("Somebody's");
        fake.set_service(|service| service.runs = true);
        fake.write_status();
        fake
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    pub(super) fn put(&self, path: &str, content: &[u8], mode: u32) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, content).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
    }

    pub(super) fn upload(&self) {
        self.put(place::STAGED, &program(b"new"), 0o755);
    }

    pub(super) fn with_host<T>(&self, action: impl FnOnce(&Host<'_>) -> T) -> T {
        let http = || Err("no network".to_owned());
        action(&Host { root: self.root.clone(), commands: self, now_ms: &|| self.now_ms, http: &http, log: &|_| {} })
    }

    pub(super) fn service(&self) -> Service {
        *self.service.borrow()
    }

    fn set_service(&self, change: impl FnOnce(&mut Service)) {
        change(&mut self.service.borrow_mut());
    }

    /// Everything: kind, mode, owner, content, and whether the service runs.
    pub(super) fn snapshot(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        walk(&self.root, &self.root, &mut found);
        // Of a running gateway, which writes it as it likes; and of the setup, which is no part of the box.
        found.retain(|path, _| !path.ends_with("/status.json"));
        found.insert("service runs".to_owned(), self.service().runs.to_string());
        found
    }

    fn useradd(&self, comment: &str) {
        // Only root can give files away.
        let (uid, gid) = match fs::metadata(&self.root).expect("the root") {
            root if root.uid() == 0 => (990, 991),
            own => (own.uid(), own.gid()),
        };
        let line = format!("{}:x:{uid}:{gid}:{comment}:/nonexistent:/usr/sbin/nologin\n", place::USER);
        self.append("/etc/passwd", &line);
        self.append("/etc/group", &format!("{}:x:{gid}:\n", place::USER));
    }

    fn append(&self, path: &str, line: &str) {
        let text = fs::read_to_string(self.at(path)).expect("a file");
        if !text.contains(&format!("{}:", place::USER)) {
            fs::write(self.at(path), text + line).expect("written");
        }
    }

    fn strike(&self, path: &str) {
        let text = fs::read_to_string(self.at(path)).expect("a file");
        let kept: String = text.split_inclusive('\n').filter(|line| !line.starts_with(place::USER)).collect();
        fs::write(self.at(path), kept).expect("written");
    }

    /// As a gateway does that has read its configuration.
    fn write_status(&self) {
        let starts = self.service().starts;
        let status = serde_json::json!({
            "bootId": Uuid::from_u128(u128::from(starts) + 1),
            "process": { "pid": 41 },
            "answeredAt": self.answered.then_some("2026-11-22T00:00:00Z"),
        });
        self.put(&format!("{}/status.json", place::STATE), status.to_string().as_bytes(), 0o600);
    }

    fn wanted(&self) -> PathBuf {
        self.at(crate::steps::start::WANTED)
    }

    fn show(&self) -> String {
        let service = self.service();
        let active = if service.runs { "active" } else { "inactive" };
        let load = if self.at(place::UNIT_FILE).exists() { "loaded" } else { "not-found" };
        let enabled = if self.wanted().is_symlink() { "enabled" } else { "disabled" };
        let pid = if service.runs { 41 } else { 0 };
        format!("LoadState={load}\nActiveState={active}\nUnitFileState={enabled}\nMainPID={pid}\n")
    }
}

impl Commands for FakeBox {
    fn run(&self, line: CommandLine) -> io::Result<Ended> {
        if self.missing.contains(&line.0[0]) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let done = |stdout: String| Ok(Ended { success: true, stdout, stderr: String::new() });
        if line == commands::SHOW {
            return done(self.show());
        }
        if line == commands::PRINT_UNIT {
            let program = fs::read(self.at(place::BINARY))?;
            return done(format!("[Service]\n# of {}\n", hex::encode(&program[20..])));
        }
        changing();
        match line {
            commands::USERADD | commands::USERADD_INTO_GROUP => self.useradd("Proxima Gateway"),
            commands::USERDEL => {
                self.strike("/etc/passwd");
                self.strike("/etc/group");
            }
            commands::GROUPDEL => self.strike("/etc/group"),
            commands::ENABLE => {
                fs::create_dir_all(self.wanted().parent().expect("a parent"))?;
                let _ = fs::remove_file(self.wanted());
                std::os::unix::fs::symlink(place::UNIT_FILE, self.wanted())?;
            }
            commands::DISABLE => fs::remove_file(self.wanted())?,
            commands::RESTART => {
                self.set_service(|service| {
                    service.runs = true;
                    service.starts += 1;
                });
                if !self.broken {
                    self.write_status();
                }
                if fs::read_to_string(self.at(place::UNIT_FILE))?.contains("\nRuntimeDirectory=") {
                    fs::create_dir_all(self.at(place::RUNTIME))?;
                }
            }
            commands::STOP => {
                self.set_service(|service| service.runs = false);
                let _ = fs::remove_dir_all(self.at(place::RUNTIME));
            }
            _ => {}
        }
        changing();
        done(String::new())
    }
}

impl Drop for FakeBox {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let metadata = fs::symlink_metadata(&entry).expect("metadata");
        let content = if metadata.is_symlink() {
            format!("-> {}", fs::read_link(&entry).expect("a link").display())
        } else if metadata.is_dir() {
            walk(root, &entry, found);
            "folder".to_owned()
        } else {
            let modified = (metadata.mtime(), metadata.mtime_nsec());
            // useradd and its siblings write these; a text of the same content is the same.
            let modified = if entry.starts_with(root.join("etc/passwd")) || entry.starts_with(root.join("etc/group")) {
                (0, 0)
            } else {
                modified
            };
            format!("{modified:?} {}", String::from_utf8_lossy(&fs::read(&entry).expect("a file")))
        };
        let mode = if metadata.is_symlink() { 0 } else { metadata.mode() };
        let path = entry.strip_prefix(root).expect("below").display().to_string();
        found.insert(path, format!("{mode:o} {}:{} {content}", metadata.uid(), metadata.gid()));
    }
}

/// Something with the header of a program for this machine.
pub(super) fn program(what: &[u8]) -> Vec<u8> {
    let machine: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1];
    bytes.resize(18, 0);
    bytes.extend(machine.to_le_bytes());
    bytes.extend(what);
    bytes
}

pub(super) fn config(server: u128) -> ConfigText {
    let config = serde_json::json!({
        "dashboardUrl": "https://panel.example.com",
        "dashboardPublicKeys": ["AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="],
        "serverId": Uuid::from_u128(server),
        "apiKey": LicenseKey::from_random_bytes([2; 32]),
        "apiSecret": ApiSecret::from_random_bytes([3; 32]),
        "installId": Uuid::from_u128(9),
    });
    ConfigText::new(config.to_string())
}

/// All steps of an install, in their order.
pub(super) fn install() -> Vec<StepInput> {
    use sha2::Digest as _;
    let sha256 = hex::encode(sha2::Sha256::digest(program(b"new")));
    vec![
        StepInput::Binary { sha256, version: "9.9.9".to_owned() },
        StepInput::User {},
        StepInput::Config { config: config(2), replace_other_server: true },
        StepInput::Unit {},
        StepInput::Start { wait_seconds: 5 },
    ]
}

pub(super) fn apply_all(fake: &FakeBox) -> Result<(), SetupProblem> {
    fake.with_host(|host| install().iter().try_for_each(|input| crate::steps::apply(host, JOB, input).map(|_| ())))
}

pub(super) fn revert_all(fake: &FakeBox) -> Result<(), SetupProblem> {
    use proxima_types::setup::BoxStep;
    fake.with_host(|host| {
        BoxStep::ALL.iter().rev().try_for_each(|&step| crate::steps::revert(host, JOB, step).map(|_| ()))
    })
}
