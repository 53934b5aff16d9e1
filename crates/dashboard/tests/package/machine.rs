//! A machine in an operator's hands: a box of the lab on which the package can be installed.

use super::guide;
use proxima_test_support::{Finished, Folder, Lab, LabOptions, run_program};
use std::path::PathBuf;
use tokio::sync::OnceCell;

/// Of the dashboard in the box.
pub const PORT: u16 = 8080;

/// The package of the programs that these tests are of; made once.
pub async fn package() -> PathBuf {
    static MADE: OnceCell<(Folder, PathBuf)> = OnceCell::const_new();
    MADE.get_or_init(async || {
        let folder = Folder::new();
        let path = build(&folder, "first").await;
        (folder, path)
    })
    .await
    .1
    .clone()
}

/// Builds the package into a folder of that name.
pub async fn build(folder: &Folder, name: &str) -> PathBuf {
    let programs = folder.join("programs");
    let gateways = programs.join("gateways").join(std::env::consts::ARCH);
    std::fs::create_dir_all(&gateways).expect("a folder");
    std::fs::copy(env!("CARGO_BIN_EXE_proxima-dashboard"), programs.join("proxima-dashboard")).expect("copied");
    std::fs::copy(gateway(), gateways.join("proxima-gateway")).expect("copied");
    let script = guide::repository().join("scripts/build-deb");
    let (programs, output) = (programs.display().to_string(), folder.join(name).display().to_string());
    let arguments = ["--fast", "--programs", &programs, "--output", &output];
    let done = run_program(script.to_str().expect("text"), &arguments, "").await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    PathBuf::from(done.stdout.lines().last().expect("its path"))
}

/// The gateway as this workspace builds it.
pub fn gateway() -> PathBuf {
    let test = std::env::current_exe().expect("itself");
    let built = test.ancestors().nth(2).expect("a folder").join("proxima-gateway");
    assert!(built.is_file(), "build it first: cargo build -p proxima-gateway");
    built
}

pub struct Machine {
    pub lab: Lab,
}

impl Machine {
    /// A fresh one, with the package in root's home.
    pub async fn up() -> Self {
        Self::up_with(LabOptions { apt: true, ..LabOptions::default() }).await
    }

    pub async fn up_with(options: LabOptions) -> Self {
        let package = package().await;
        let lab = Lab::up(options).await;
        let name = package.file_name().and_then(|name| name.to_str()).expect("a name");
        lab.put(&package, &format!("/root/{name}")).await;
        Self { lab }
    }

    /// In root's home, as root; must succeed. Its standard output.
    pub async fn run(&self, commands: &str) -> String {
        let done = self.attempt(commands).await;
        assert_eq!(done.code, Some(0), "{commands}\n{}\n{}\n{}", done.stdout, done.stderr, self.journal().await);
        done.stdout
    }

    pub async fn attempt(&self, commands: &str) -> Finished {
        let commands = format!("export DEBIAN_FRONTEND=noninteractive; cd /root\n{commands}");
        self.lab.exec(&["bash", "-euo", "pipefail", "-c", &commands]).await
    }

    /// The commands of that block of the guide.
    pub async fn follow(&self, block: &str) -> String {
        self.run(&guide::block(block)).await
    }

    async fn journal(&self) -> String {
        let journal = ["journalctl", "--no-pager", "-n", "60", "-u", "proxima-dashboard*"];
        self.lab.exec(&journal).await.stdout
    }

    /// What the guide writes into the configuration, but reachable from outside without TLS, under this URL, and with gateways that report
    /// each second. Whoever signs in here has no authenticator.
    pub async fn configure(&self, url: &str) {
        let mut config = guide::block("config");
        let listen = format!("\"0.0.0.0:{PORT}\"\nheartbeat_seconds = 1\nadmin_second_factor = \"optional\"");
        for (there, here) in [("\"https://panel.example.com\"", format!("\"{url}\"")), ("\"127.0.0.1:8080\"", listen)] {
            assert!(config.contains(there), "{config}");
            config = config.replace(there, &here);
        }
        let add = ["sh", "-c", "cat >>/etc/proxima-dashboard/config.toml"];
        let done = self.lab.exec_with_input(&add, &config).await;
        assert_eq!(done.code, Some(0), "{}", done.stderr);
    }

    /// One file's content.
    pub async fn read(&self, path: &str) -> String {
        self.run(&format!("cat '{path}'")).await
    }
}
