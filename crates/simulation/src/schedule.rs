//! One schedule: a world from a seed, what goes wrong in it, and what the oracle says.

use crate::Mutation;
use crate::disk::Platter;
use crate::faults::{mend, plan, strike};
use crate::fleet::{Row, Rows};
use crate::host::live;
use crate::network::Link;
use crate::oracle::Tally;
use crate::world::{Host, Shared, World};
use anyhow::Context as _;
use proxima_dashboard::app::App;
use proxima_dashboard::config::AppConfig;
use proxima_dashboard::entropy::Entropy;
use proxima_dashboard::keyring::Keyring;
use proxima_types::identity::{DashboardUrl, GatewayIdentity};
use proxima_types::{ApiSecret, InstallId, LicenseKey, LicenseStatus, ServerId};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::LocalSet;
use tokio::time::sleep;

/// How long all goes well at the end: longer than the oracle's bounds.
const QUIET: Duration = Duration::from_secs(130);

/// What one schedule came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub seed: u64,
    /// Empty is good.
    pub violations: Vec<String>,
    /// All that happened, in its order.
    pub trace: Vec<String>,
    pub tally: Tally,
}

/// The same bytes in every run of a seed.
struct SeededEntropy(Mutex<StdRng>);

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(buffer);
    }
}

/// Runs the schedule of a seed. `folder` is a place for a short-lived key file of the seed's name.
///
/// # Errors
/// When the dashboard's key file cannot be made, or no runtime.
pub fn run(seed: u64, mutation: Mutation, folder: &Path) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    LocalSet::new().block_on(&runtime, async {
        let shared = Shared::new(world(seed, mutation, folder)?);
        let mut rng = StdRng::seed_from_u64(seed ^ 0x5EED);
        let gateways = shared.lock().hosts.len();
        let plan = plan(&mut rng, gateways);
        let lives: Vec<_> =
            (0..gateways).map(|gateway| tokio::task::spawn_local(live(shared.clone(), gateway))).collect();
        for (at, fault) in plan {
            let wait = at.saturating_sub(shared.lock().awake());
            sleep(Duration::from_millis(wait)).await;
            strike(&mut shared.lock(), &fault);
        }
        mend(&mut shared.lock());
        sleep(QUIET).await;
        let mut world = shared.lock();
        if lives.iter().any(tokio::task::JoinHandle::is_finished) {
            world.violation("a gateway panicked");
        }
        let (violations, trace) = (std::mem::take(&mut world.violations), std::mem::take(&mut world.trace));
        Ok(Outcome { seed, violations, trace, tally: std::mem::take(&mut world.oracle.tally) })
    })
}

fn world(seed: u64, mutation: Mutation, folder: &Path) -> anyhow::Result<World> {
    let mut rng = StdRng::seed_from_u64(seed);
    let entropy = Arc::new(SeededEntropy(Mutex::new(StdRng::seed_from_u64(rng.random()))));
    let file = folder.join(format!("{seed}-{mutation:?}.json"));
    let keyring = Keyring::create(&file, entropy.as_ref())?;
    std::fs::remove_file(&file)?;
    let public_key = keyring.public_key().context("a signing key")?;
    let interval = [20, 60][rng.random_range(0..2)];
    let config =
        AppConfig { bcrypt_cost: 4, heartbeat_interval: chrono::Duration::seconds(interval), ..AppConfig::default() };
    // Nobody connects: the rows are simulated.
    let db = sqlx::postgres::PgPoolOptions::new().connect_lazy("postgres://nowhere/none")?;
    let app = App::new(db, keyring, entropy, config)?;
    let mut rows = Rows::default();
    let mut hosts = Vec::new();
    for _ in 0..rng.random_range(1..=2) {
        let id = ServerId(uuid::Builder::from_random_bytes(rng.random()).into_uuid());
        let key = LicenseKey::from_random_bytes(rng.random());
        rows.servers.push(Some(Row {
            id,
            stored: LicenseStatus::Active,
            grace_end: None,
            present: key.clone(),
            next: None,
        }));
        let identity = GatewayIdentity {
            dashboard_url: DashboardUrl::parse("https://dashboard.invalid")
                .map_err(anyhow::Error::msg)
                .context("a URL")?,
            dashboard_public_keys: vec![public_key],
            server_id: id,
            api_key: key.clone(),
            api_secret: ApiSecret::from_random_bytes(rng.random()),
            install_id: InstallId(uuid::Builder::from_random_bytes(rng.random()).into_uuid()),
            management_allow: None,
            config: None,
        };
        hosts.push(host(identity, key, rng.random()));
    }
    Ok(World::new(mutation, rng, app, rows, hosts))
}

fn host(identity: GatewayIdentity, key: LicenseKey, boot: u128) -> Host {
    Host {
        identity,
        obtained: vec![key],
        disk: Platter::default(),
        disk_trouble: false,
        disk_damaged: false,
        link: Link::Good,
        powered: true,
        boot,
        booted_at: 0,
        wall_offset: 0,
        set_forward: 0,
        life: 0,
        dead: false,
        death: Arc::new(Notify::new()),
        recorded: Vec::new(),
    }
}
