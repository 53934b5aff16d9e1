//! A real OpenSSH server on loopback, in a mount namespace of its own: its accounts, homes, sudoers
//! and program folders are files of the test and vanish with it.

use proxima_installer::Target;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Of root and of every user.
pub const PASSWORD: &str = "correct horse'\"$(id)";

/// `joe` may use sudo with his password, `free` without, `tty` only in a terminal, `plain` not.
const SUDOERS: &str = "Defaults secure_path=/usr/sbin:/usr/bin:/sbin:/bin\nDefaults:tty requiretty\n\
    root ALL=(ALL:ALL) ALL\njoe ALL=(ALL:ALL) ALL\nfree ALL=(ALL:ALL) NOPASSWD: ALL\ntty ALL=(ALL:ALL) NOPASSWD: ALL\n@includedir /etc/sudoers.d\n";

/// Only constants and `$1`, the folder with the prepared files.
const START: &str = "set -e; mount --make-rprivate /; \
    for f in passwd shadow group sudoers; do mount --bind \"$1/$f\" \"/etc/$f\"; done; \
    mount -t tmpfs tmpfs /run; mkdir -p /run/sshd /run/systemd/system; \
    mount -t tmpfs -o mode=755 tmpfs /home; mount -t tmpfs -o mode=700 tmpfs /root; mount -t tmpfs -o mode=755 tmpfs /usr/local/lib; mount -t tmpfs -o mode=755 tmpfs /etc/sudoers.d; \
    for u in joe free tty plain; do mkdir \"/home/$u\"; chown \"$u\" \"/home/$u\"; done; \
    cd /; exec /usr/sbin/sshd -D -e -f \"$1/sshd_config\"";

pub struct Sshd {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

fn run(program: &str, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}; install openssh-server, sudo and openssl"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn accounts(folder: &Path) {
    let hash = run("openssl", &["passwd", "-6", "-stdin"], PASSWORD);
    let hash = hash.trim();
    let read = |name: &str| std::fs::read_to_string(format!("/etc/{name}")).expect("tests of sshd need root");
    let shadow: String =
        read("shadow").lines().filter(|line| !line.starts_with("root:")).map(|line| format!("{line}\n")).collect();
    let mut shadow = format!("root:{hash}:19000:0:99999:7:::\n{shadow}");
    let (mut passwd, mut group) = (read("passwd"), read("group"));
    for (number, user) in (61001..).zip(["joe", "free", "tty", "plain"]) {
        passwd += &format!("{user}:x:{number}:{number}::/home/{user}:/bin/sh\n");
        group += &format!("{user}:x:{number}:\n");
        shadow += &format!("{user}:{hash}:19000:0:99999:7:::\n");
    }
    for (name, text, mode) in [
        ("passwd", &passwd[..], 0o644),
        ("group", &group, 0o644),
        ("shadow", &shadow, 0o600),
        ("sudoers", SUDOERS, 0o440),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

impl Sshd {
    /// Starts one with Ed25519, ECDSA and RSA host keys and `settings` before its own.
    pub fn start(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        accounts(folder.path());
        let mut config = format!("{settings}\n");
        for kind in ["ed25519", "ecdsa", "rsa"] {
            let path = folder.path().join(format!("host_{kind}"));
            run("ssh-keygen", &["-q", "-t", kind, "-N", "", "-f", path.to_str().unwrap()], "");
            config += &format!("HostKey {}\n", path.display());
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        config += &format!(
            "Port {port}\nListenAddress 127.0.0.1\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n\
             PasswordAuthentication yes\nMaxStartups 100\nMaxAuthTries 10\nLogLevel VERBOSE\n"
        );
        std::fs::write(folder.path().join("sshd_config"), config).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new("unshare")
            .args(["--mount", "sh", "-c", START, "sh", folder.path().to_str().unwrap()])
            .stdin(Stdio::null())
            .stderr(log.try_clone().unwrap())
            .stdout(log)
            .spawn()
            .unwrap();
        let mut sshd = Self { child, folder, port };
        sshd.wait();
        sshd
    }

    fn wait(&mut self) {
        for _ in 0..600 {
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            assert!(self.child.try_wait().unwrap().is_none(), "sshd ended:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("sshd does not listen:\n{}", self.log());
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn target(&self, user: &str) -> Target {
        Target::new("127.0.0.1", self.port, user).unwrap()
    }

    /// `kind`: `ed25519`, `ecdsa`, `rsa`.
    pub fn host_key(&self, kind: &str) -> proxima_installer::HostKey {
        let line = std::fs::read_to_string(self.folder.path().join(format!("host_{kind}.pub"))).unwrap();
        proxima_installer::HostKey::parse(&line).unwrap()
    }

    /// A path as the server's processes see it.
    pub fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.child.id()))
    }

    pub fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.path(path)).ok()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends every connection at once, as a broken line would; new ones are taken.
    pub fn drop_connections(&self) {
        Self::end_descendants(self.pid());
    }

    /// Ends the server with every connection, in the middle of whatever it does.
    pub fn end(pid: u32) {
        Self::end_descendants(pid);
        let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    }

    /// From the top: a shell that ended before its sshd would be told to the client.
    fn end_descendants(pid: u32) {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for child in children.split_whitespace().map(|child| child.parse().unwrap()) {
            let grandchildren = Self::descendants(child);
            for pid in std::iter::once(child).chain(grandchildren) {
                let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status();
            }
        }
    }

    fn descendants(pid: u32) -> Vec<u32> {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let children: Vec<u32> = children.split_whitespace().map(|child| child.parse().unwrap()).collect();
        children.iter().flat_map(|child| std::iter::once(*child).chain(Self::descendants(*child))).collect()
    }

    /// Ends the server; connections that are open stay.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.drop_connections();
        self.kill();
    }
}
