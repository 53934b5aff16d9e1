//! One licensed gateway in the foreground, against a stand-in dashboard: for benchmarks, and to point conformance suites at.
//! `bench/serve` builds and runs it.

use anyhow::{Context as _, bail};
use clap::Parser;
use proxima_bench::standin::StandIn;
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

/// How long the gateway may take to accept its first connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// Start one licensed gateway in front of a backend
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Where visitors connect
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Where their requests go
    #[arg(long, value_name = "URL", required_unless_present = "config")]
    backend: Option<String>,
    /// Speak TLS with this certificate chain and private key, in PEM
    #[arg(long, num_args = 2, value_names = ["CERT", "KEY"], conflicts_with = "config")]
    tls: Option<Vec<PathBuf>>,
    /// A whole configuration (JSON, as `proxima-dashboard export-gateway-config` prints it) instead of --backend
    #[arg(long, value_name = "FILE", conflicts_with = "backend")]
    config: Option<PathBuf>,
    /// The gateway to start
    #[arg(long, value_name = "FILE", default_value = "target/release/proxima-gateway")]
    gateway: PathBuf,
    /// Whatever else the gateway is to be started with
    #[arg(last = true)]
    more: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let folder = std::env::temp_dir().join(format!("proxima-serve-{}", std::process::id()));
    std::fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let ended = serve(&args, &folder).await;
    std::fs::remove_dir_all(&folder)?;
    ended
}

async fn serve(args: &Args, folder: &Path) -> anyhow::Result<()> {
    let config = match (&args.config, &args.backend) {
        (Some(file), _) => serde_json::from_slice(&std::fs::read(file).with_context(|| file.display().to_string())?)?,
        (None, backend) => configuration(args.listen.port(), backend.as_deref(), args.tls.as_deref())?,
    };
    let stand_in = StandIn::new(&config)?;
    let identity = stand_in.identity(stand_in.start()?)?;
    let mut options = std::fs::OpenOptions::new();
    let file = options.create_new(true).write(true).mode(0o600).open(folder.join("config.json"))?;
    serde_json::to_writer(file, &identity)?;
    let (mut terminated, mut interrupted) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut gateway = Command::new(&args.gateway)
        .arg("--config")
        .arg(folder.join("config.json"))
        .arg("--state-dir")
        .arg(folder.join("state"))
        .args(["--listen-address", &args.listen.ip().to_string(), "--management-listen", "off"])
        .args(&args.more)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", args.gateway.display()))?;
    let running = async {
        accepts(args.listen).await?;
        let pid = gateway.id().unwrap_or_default();
        let scheme = if args.tls.is_some() { "https" } else { "http" };
        writeln!(std::io::stderr(), "bench: serving at {scheme}://{} (pid {pid})", args.listen)?;
        Ok::<_, anyhow::Error>(gateway.wait().await?)
    };
    tokio::select! {
        ended = running => bail!("the gateway ended by itself: {}", ended?),
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    end(&mut gateway).await.map(drop)
}

fn configuration(port: u16, backend: Option<&str>, tls: Option<&[PathBuf]>) -> anyhow::Result<Value> {
    let mut listener = json!({ "port": port, "backendUrl": backend });
    let Some([chain, key]) = tls else { return Ok(json!({ "listeners": [listener] })) };
    let read = |path: &PathBuf| std::fs::read_to_string(path).with_context(|| path.display().to_string());
    listener["tls"] = json!({ "certificates": ["serve"] });
    let source = json!({ "pem": { "chain": read(chain)?, "privateKey": read(key)? } });
    Ok(json!({ "listeners": [listener], "certificates": [{ "name": "serve", "source": source }] }))
}

async fn accepts(address: SocketAddr) -> anyhow::Result<()> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while tokio::net::TcpStream::connect(address).await.is_err() {
        if tokio::time::Instant::now() > deadline {
            bail!("nothing listens at {address}: see the gateway's log above");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

async fn end(gateway: &mut Child) -> anyhow::Result<ExitStatus> {
    if let Some(pid) = gateway.id().and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)) {
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    }
    Ok(gateway.wait().await?)
}
