//! A box of the VPS lab: a real Debian with systemd and SSH, by `scripts/lab`. Tests that use it have
//! `vps_lab` in their names, and run as root by `./test lab`; one alone:
//! `scripts/lab run cargo test -p PACKAGE NAME`.

use crate::{Finished, run_program};
use proxima_dashboard::entropy::{EntropyExt as _, OsEntropy};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/lab");

/// What is there: kinds, modes, owners, contents, times of files that nobody should have touched.
/// Left out: what useradd, sudo and their siblings keep for themselves, and systemd's own state.
const SNAPSHOT: &str = r"
find /etc /usr/local /var/lib /root /home /opt /srv -xdev \
    \( -path /var/lib/systemd -o -path /var/lib/sudo -o -path /etc/.pwd.lock -o -path '/etc/*-' \) -prune -o -type f -printf '%p f %m %U:%G ' -exec sha256sum '{}' \; -o -printf '%p %y %m %U:%G %l\n'
find /etc /usr/local -xdev -type f \( -path /etc/.pwd.lock -o -path '/etc/*-' -o -name passwd -o -name group -o -name shadow -o -name gshadow \) -o -type f -printf '%p-time %T@\n'
systemctl list-unit-files --no-legend --no-pager 2>/dev/null | sed 's/^/unit-/'
echo service $(systemctl is-active proxima-gateway.service 2>/dev/null)
ls -d /run/proxima-gateway 2>/dev/null
true";

/// What is unusual about a box; `scripts/lab --help` says more of each.
#[derive(Debug, Clone, Default)]
pub struct LabOptions {
    pub no_systemd: bool,
    pub noexec_tmp: bool,
    pub no_sftp: bool,
    /// apt works, without a network, for what the dashboard's package asks for.
    pub apt: bool,
    /// A Debian 13 with the PostgreSQL of Debian 12, too.
    pub upgraded: bool,
    /// The size of its whole disk, in MiB.
    pub small_disk: Option<u32>,
    /// What `uname -m` says instead of the truth.
    pub arch_lie: Option<&'static str>,
    /// Ports that another service has already.
    pub busy_ports: Vec<u16>,
    /// A certificate authority that it trusts, as a PEM file.
    pub trust: Option<PathBuf>,
    /// In the box, 127.0.0.1 with this port is the same port of [`Lab::machine_address`].
    pub dashboard_port: Option<u16>,
}

impl LabOptions {
    fn arguments(&self) -> Vec<String> {
        let flags = [
            ("--no-systemd", self.no_systemd),
            ("--noexec-tmp", self.noexec_tmp),
            ("--no-sftp", self.no_sftp),
            ("--apt", self.apt),
            ("--upgraded", self.upgraded),
        ];
        let mut arguments: Vec<String> =
            flags.iter().filter(|(_, wanted)| *wanted).map(|(flag, _)| (*flag).to_owned()).collect();
        let mut add = |name: &str, value: Option<String>| {
            arguments.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
        };
        add("--small-disk", self.small_disk.map(|mebibytes| mebibytes.to_string()));
        add("--arch-lie", self.arch_lie.map(str::to_owned));
        self.busy_ports.iter().for_each(|port| add("--busy-port", Some(port.to_string())));
        add("--trust", self.trust.as_ref().map(|path| path.display().to_string()));
        add("--dashboard-port", self.dashboard_port.map(|port| port.to_string()));
        arguments
    }
}

/// Somebody who can log in by password.
#[derive(Debug, Clone)]
pub struct LabUser {
    pub name: String,
    pub password: String,
}

/// How to restart a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reboot {
    Clean,
    /// The power is cut; what was written stays.
    PowerCut,
}

/// What the cable does with packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cable {
    Whole,
    /// Nothing passes.
    Cut,
    /// What the box opens itself does not pass; SSH to it does.
    NoOutbound,
    /// This percentage is lost, either way.
    Loss(u8),
    /// Kilobits a second, either way.
    Slow(u32),
}

/// A box that is up, until this is dropped or the test ends.
#[derive(Debug)]
pub struct Lab {
    pub name: String,
    pub address: Ipv4Addr,
    pub ssh_port: u16,
    /// This machine's end of the cable: a dashboard that listens here can be reached from the box.
    pub machine_address: Ipv4Addr,
    pub root: LabUser,
    /// Asked for the password by sudo.
    pub sudo: LabUser,
    /// Not asked by sudo.
    pub nopasswd: LabUser,
    /// May not use sudo.
    pub plain: LabUser,
    /// `SHA256:…`, as OpenSSH shows it.
    pub host_key_ed25519: String,
    pub host_key_ecdsa: String,
}

impl Lab {
    /// Boots a fresh one, within a few seconds when the base system is there.
    pub async fn up(options: LabOptions) -> Self {
        refuse_a_way_out();
        let name = format!("test-{}", &OsEntropy.uuid().simple().to_string()[..12]);
        let with = std::process::id().to_string();
        let mut arguments = vec!["up".to_owned(), name, "--with".to_owned(), with];
        arguments.extend(options.arguments());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let up = run_program(SCRIPT, &arguments, "").await;
        assert_eq!(up.code, Some(0), "scripts/lab {arguments:?}: {}", up.stderr);
        Self::read(&up.stdout)
    }

    fn read(lines: &str) -> Self {
        let values: BTreeMap<&str, &str> = lines.lines().filter_map(|line| line.split_once('=')).collect();
        let text = |key: &str| (*values.get(key).unwrap_or_else(|| panic!("no {key} in {lines}"))).to_owned();
        let user =
            |kind: &str| LabUser { name: text(&format!("{kind}_USER")), password: text(&format!("{kind}_PASSWORD")) };
        Self {
            name: text("NAME"),
            address: text("ADDRESS").parse().expect("an address"),
            ssh_port: text("SSH_PORT").parse().expect("a port"),
            machine_address: text("MACHINE_ADDRESS").parse().expect("an address"),
            root: user("ROOT"),
            sudo: user("SUDO"),
            nopasswd: user("NOPASSWD"),
            plain: user("PLAIN"),
            host_key_ed25519: text("HOST_KEY_ED25519"),
            host_key_ecdsa: text("HOST_KEY_ECDSA"),
        }
    }

    /// Runs a command in the box as root, not by SSH.
    pub async fn exec(&self, command: &[&str]) -> Finished {
        self.exec_with_input(command, "").await
    }

    /// As [`Self::exec`], with this on its standard input.
    pub async fn exec_with_input(&self, command: &[&str], input: &str) -> Finished {
        run_program(SCRIPT, &[&["exec", &self.name], command].concat(), input).await
    }

    /// Copies a file into the box.
    pub async fn put(&self, from: &Path, to: &str) {
        let file = std::fs::File::open(from).expect("the file");
        let mut copy = tokio::process::Command::new(SCRIPT);
        copy.args(["exec", &self.name, "sh", "-c", "cat >\"$1\"", "put", to]).stdin(file);
        assert!(copy.status().await.expect("scripts/lab runs").success(), "{} to {to}", from.display());
    }

    /// What is on it where an install could leave something: one line's first word to the rest.
    pub async fn snapshot(&self) -> BTreeMap<String, String> {
        let done = self.exec(&["bash", "-c", SNAPSHOT]).await;
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        let lines = done.stdout.lines().map(|line| line.split_once(' ').unwrap_or((line, "")));
        lines.map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect()
    }

    /// Restarts it, and waits until one can log in again.
    pub async fn reboot(&self, how: Reboot) {
        let hard: &[&str] = if how == Reboot::PowerCut { &["--hard"] } else { &[] };
        self.script(&[&["reboot", &self.name], hard].concat()).await;
    }

    /// Changes the cable, for all connections at once.
    pub async fn cable(&self, cable: Cable) {
        let (fault, value) = match cable {
            Cable::Whole => ("restore", None),
            Cable::Cut => ("drop", None),
            Cable::NoOutbound => ("cut-outbound", None),
            Cable::Loss(percent) => ("loss", Some(percent.to_string())),
            Cable::Slow(kilobits) => ("slow", Some(kilobits.to_string())),
        };
        let mut arguments = vec!["net", &self.name, fault];
        arguments.extend(value.as_deref());
        self.script(&arguments).await;
    }

    async fn script(&self, arguments: &[&str]) {
        let done = run_program(SCRIPT, arguments, "").await;
        assert_eq!(done.code, Some(0), "scripts/lab {arguments:?}: {}", done.stderr);
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = std::process::Command::new(SCRIPT).args(["down", &self.name]).status();
    }
}

/// Two [`Lab::snapshot`]s are equal.
#[track_caller]
pub fn assert_same_box(now: &BTreeMap<String, String>, then: &BTreeMap<String, String>, what: &str) {
    let names = now.keys().chain(then.keys()).filter(|name| now.get(*name) != then.get(*name));
    let differ: Vec<_> = names.map(|name| format!("{name}: {:?}, was {:?}", now.get(name), then.get(name))).collect();
    assert!(differ.is_empty(), "{what}:\n{}", differ.join("\n"));
}

/// A test that goes on talking to a box that is gone must not talk to somebody else's network.
fn refuse_a_way_out() {
    let routes = std::fs::read_to_string("/proc/self/net/route").expect("the routes");
    let way_out = routes.lines().skip(1).any(|line| line.split_whitespace().nth(1) == Some("00000000"));
    assert!(!way_out, "tests of the lab run in a network of their own: scripts/lab run cargo test …");
}
