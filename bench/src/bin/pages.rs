//! Server time of the pages that grow with the business: users, search and audit, of 100,000 customers and 10 million
//! audit rows (10 GB). Prints a Markdown table; ends with 1 when a page takes longer than its limit.

use anyhow::{Context as _, ensure};
use clap::Parser;
use proxima_bench::crowd;
use proxima_bench::dashboard::{Dashboard, Measured};
use proxima_bench::processes::Processes;
use proxima_bench::wire::Connection;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// What 19 of 20 requests must keep.
const LIMIT: Duration = Duration::from_millis(50);
/// The whole fleet counted is no list.
const FLEET: &str = "fleet at a glance";
const FLEET_LIMIT: Duration = Duration::from_millis(100);
/// How often each page is asked for, after once to warm up.
const TIMES: usize = 20;
const ASKED: u32 = 21;

/// Measure the server time of lists and searches
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(flatten)]
    measured: Measured,
    /// How many customers
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1000..=1_000_000))]
    customers: u32,
    /// How many rows in the audit log
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u32).range(1000..=20_000_000))]
    audit_rows: u32,
}

const PAGES: [(&str, &str); 26] = [
    ("users by name", "users"),
    ("users by name, backwards", "users?sort=-username"),
    ("users, newest first", "users?sort=-createdAt"),
    ("users, 100 a page", "users?limit=100"),
    ("users, admins", "users?role=ADMIN"),
    ("users, search that a tenth matches", "users?search=shop"),
    ("users, search that all match", "users?search=edge-"),
    ("users, search for one", "users?search=SHOP777"),
    ("users, search for one by a display name", "users?search=Shop%20777"),
    ("users, search that none matches", "users?search=zzzzz"),
    ("users, search of two letters that none matches", "users?search=zz"),
    ("users, license in grace (1 %)", "users?licenseStatus=GRACE"),
    ("users, license expired (1 %)", "users?licenseStatus=EXPIRED"),
    ("users, offline (2 %)", "users?serverStatus=OFFLINE"),
    ("users, stopped by license (1 %)", "users?serverStatus=STOPPED_BY_LICENSE"),
    ("users, not installed (2.5 %)", "users?serverStatus=NOT_INSTALLED"),
    ("users, being installed (none)", "users?serverStatus=INSTALLING"),
    ("audit, newest", "audit"),
    ("audit of one action", "audit?action=server.license.revoke"),
    ("audit of an action that never happened", "audit?action=user.passkey.add"),
    ("audit of one actor", "audit?actor=admin3"),
    ("audit of one action and actor, failed", "audit?action=server.license.reveal&actor=admin3&outcome=FAILURE"),
    ("audit, failed", "audit?outcome=FAILURE"),
    ("audit of a part of a name that few have", "audit?target=shop7777"),
    ("audit of a part of a name that many have", "audit?target=shop"),
    ("audit of a part of a name that none has", "audit?target=zzzzz"),
];

/// After nearly all have come back: what few have among very many.
const HEALTHY: [(&str, &str); 2] = [("users, offline (0.1 %)", "users?serverStatus=OFFLINE"), (FLEET, "fleet")];

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(&args))
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    say("starting a dashboard");
    let dashboard = args.measured.start().await?;
    let outcome = measure_on(&dashboard, args).await;
    dashboard.stop().await?;
    outcome
}

async fn measure_on(dashboard: &Dashboard, args: &Args) -> anyhow::Result<()> {
    say(&format!("making {} customers", args.customers));
    crowd::customers(&dashboard.db, args.customers).await?;
    say(&format!("making {} audit rows", args.audit_rows));
    crowd::audit_rows(&dashboard.db, args.audit_rows).await?;
    say("asking");
    let mut visitor = Visitor::sign_in(dashboard).await?;
    let processes = Processes { dashboard: dashboard.pid, postmaster: dashboard.postmaster };
    let (mut table, mut late) = (String::new(), Vec::new());
    for (at, (name, path)) in PAGES.into_iter().chain(HEALTHY).enumerate() {
        if at == PAGES.len() {
            crowd::return_of_most(&dashboard.db).await?;
        }
        let before = processes.cpu()?;
        let times = visitor.times(path).await?;
        let cpu = processes.cpu()? - before;
        let ms = |at: usize| times[at].as_secs_f64() * 1000.0;
        let each = |seconds: f64| seconds * 1000.0 / f64::from(ASKED);
        if times[TIMES - 2] > (if name == FLEET { FLEET_LIMIT } else { LIMIT }) {
            late.push(name);
        }
        table.push_str(&format!(
            "| {name} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} |\n",
            ms(TIMES / 2),
            ms(TIMES - 2),
            ms(TIMES - 1),
            each(cpu.dashboard),
            each(cpu.postgres)
        ));
    }
    let size: String = sqlx::query_scalar("SELECT pg_size_pretty(pg_database_size(current_database()))")
        .fetch_one(&dashboard.db)
        .await?;
    writeln!(
        std::io::stdout(),
        "{} customers, {} audit rows, a database of {size}.\n\n\
         | Page | median ms | 19 of 20 within ms | slowest ms | processor ms a page: dashboard | PostgreSQL |\n\
         |---|--:|--:|--:|--:|--:|\n{table}",
        args.customers,
        args.audit_rows
    )?;
    ensure!(late.is_empty(), "longer than {LIMIT:?} (the fleet: {FLEET_LIMIT:?}): {late:?}");
    Ok(())
}

/// A signed-in admin on one connection.
struct Visitor {
    connection: Connection,
    head: String,
}

impl Visitor {
    async fn sign_in(dashboard: &Dashboard) -> anyhow::Result<Self> {
        let mut connection = Connection::open(dashboard.address).await?;
        let (host, body) = (dashboard.address, crowd::CREDENTIALS);
        let request = format!(
            "POST /api/v1/auth/login HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = connection.exchange(request.as_bytes()).await?;
        ensure!(answer.status == 200, "nobody signs in: {} {}", answer.status, String::from_utf8_lossy(answer.body));
        let headers = answer.headers()?;
        let cookies = headers.get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok());
        let mut pairs = cookies.filter_map(|cookie| cookie.split(';').next());
        let cookie = pairs.find(|pair| pair.starts_with("proxima_session=")).context("a session")?;
        let head = format!("HTTP/1.1\r\nhost: {host}\r\ncookie: {cookie}\r\n\r\n");
        Ok(Self { connection, head })
    }

    /// How long the page takes, shortest first; the first page and those that follow it in turn.
    async fn times(&mut self, path: &str) -> anyhow::Result<Vec<Duration>> {
        let (mut times, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..=TIMES {
            let separator = if path.contains('?') { '&' } else { '?' };
            let after = cursor.map_or_else(String::new, |cursor| format!("{separator}cursor={cursor}"));
            let request = format!("GET /api/v1/{path}{after} {}", self.head);
            let begun = Instant::now();
            let answer = self.connection.exchange(request.as_bytes()).await?;
            times.push(begun.elapsed());
            ensure!(answer.status == 200, "{path}: {} {}", answer.status, String::from_utf8_lossy(answer.body));
            let page: serde_json::Value = serde_json::from_slice(answer.body)?;
            cursor = page["nextCursor"].as_str().map(str::to_owned);
        }
        times.remove(0);
        times.sort_unstable();
        Ok(times)
    }
}

fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "bench: {line}");
}
