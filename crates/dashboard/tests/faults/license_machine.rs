//! The license as a state machine: every action from every state, against the real use cases on a real PostgreSQL,
//! compared with a small model written from product.md section 3.
//!
//! The model is a pure function, so its whole graph is known. A tour takes every edge of it once and fails when one was
//! not taken; with PROXIMA_TEST_FULL=1 random walks follow, whose seed is printed. Time passes by dates that are written
//! into the row, as an operator may.

use crate::full;
use proxima_dashboard::entropy::{EntropyExt as _, OsEntropy};
use proxima_dashboard::jobs;
use proxima_dashboard::keyring::Place;
use proxima_test_support::{Beat, Client, Customer, TestApp, TestGateway};
use proxima_types::LicenseKey;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Status {
    Active,
    Grace,
    /// GRACE in the row, its date in the past.
    Past,
    /// EXPIRED in the row.
    ByHand,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rotation {
    None,
    Open,
    /// Past its limit, and nobody has ended it.
    Overdue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Model {
    status: Status,
    /// The passing into EXPIRED is audited.
    seen: bool,
    rotation: Rotation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    Revoke,
    RevokeAtOnce,
    Reinstate,
    Regenerate,
    Rotate,
    Cancel,
    Reveal,
    BeatPresent,
    BeatNext,
    BeatRetired,
    BeatUnknown,
    Sweep,
    // By somebody's SQL, or by time.
    GraceEnds,
    GraceMoved,
    SetActive,
    SetExpired,
    SetGraceWithoutDate,
    LimitPasses,
}

impl Action {
    const ALL: [Self; 18] = [
        Self::Revoke,
        Self::RevokeAtOnce,
        Self::Reinstate,
        Self::Regenerate,
        Self::Rotate,
        Self::Cancel,
        Self::Reveal,
        Self::BeatPresent,
        Self::BeatNext,
        Self::BeatRetired,
        Self::BeatUnknown,
        Self::Sweep,
        Self::GraceEnds,
        Self::GraceMoved,
        Self::SetActive,
        Self::SetExpired,
        Self::SetGraceWithoutDate,
        Self::LimitPasses,
    ];
}

/// What an action must show: the HTTP status, the word of its body, and the audit rows.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shown {
    status: u16,
    word: &'static str,
    /// A next key is handed over.
    hands_over: bool,
    audit: Vec<(&'static str, &'static str)>,
}

const GOOD: &str = "SUCCESS";
const REFUSED: &str = "FAILURE";

impl Model {
    const NEW: Self = Self { status: Status::Active, seen: false, rotation: Rotation::None };

    fn word(self) -> &'static str {
        match self.status {
            Status::Active => "ACTIVE",
            Status::Grace => "GRACE",
            Status::Past | Status::ByHand => "EXPIRED",
        }
    }

    fn expired(self) -> bool {
        self.word() == "EXPIRED"
    }

    /// Somebody looks at the license: an expiry is audited once.
    fn look(&mut self, shown: &mut Shown) {
        if self.expired() && !std::mem::replace(&mut self.seen, true) {
            shown.audit.push(("server.license.expire", GOOD));
        }
    }

    fn end_rotation(&mut self, shown: &mut Shown) {
        self.rotation = Rotation::None;
        shown.audit.push(("server.license.rotate.end", GOOD));
    }

    fn set(&mut self, status: Status) {
        self.status = status;
        self.seen &= self.expired();
    }

    fn api(&self, shown: &mut Shown, action: &'static str, conflict: Option<&'static str>) -> bool {
        (shown.status, shown.word) = conflict.map_or((200, self.word()), |code| (409, code));
        shown.audit.push((action, if conflict.is_some() { REFUSED } else { GOOD }));
        conflict.is_none()
    }

    /// The state after an action, and what it shows; `None` where the action means nothing.
    fn step(mut self, action: Action) -> Option<(Self, Shown)> {
        let mut shown = Shown { status: 200, ..Shown::default() };
        let conflict = |is| if is { Some("license_state_conflict") } else { None };
        match action {
            Action::Revoke | Action::RevokeAtOnce => {
                if self.api(&mut shown, "server.license.revoke", conflict(self.status != Status::Active)) {
                    self.set(if action == Action::Revoke { Status::Grace } else { Status::Past });
                    shown.word = self.word();
                }
            }
            Action::Reinstate => {
                self.look(&mut shown);
                if self.api(&mut shown, "server.license.reinstate", conflict(self.status == Status::Active)) {
                    self.set(Status::Active);
                    shown.word = self.word();
                }
            }
            Action::Regenerate => {
                self.api(&mut shown, "server.license.regenerate", None);
                self.rotation = Rotation::None;
            }
            Action::Rotate | Action::Cancel | Action::Reveal => {
                if self.rotation == Rotation::Overdue {
                    self.end_rotation(&mut shown);
                }
                let open = self.rotation == Rotation::Open;
                match action {
                    Action::Rotate => {
                        self.api(&mut shown, "server.license.rotate", open.then_some("rotation_open"));
                        self.rotation = Rotation::Open;
                    }
                    Action::Cancel => {
                        self.api(&mut shown, "server.license.rotate.cancel", (!open).then_some("no_rotation"));
                        self.rotation = Rotation::None;
                    }
                    _ => {
                        self.api(&mut shown, "server.license.reveal", None);
                        shown.word = "";
                    }
                }
            }
            Action::BeatPresent if self.rotation == Rotation::Overdue => {
                (shown.status, shown.word) = (401, "license_key_retired");
                self.end_rotation(&mut shown);
            }
            Action::BeatPresent => {
                (shown.word, shown.hands_over) = (self.word(), self.rotation == Rotation::Open);
                self.look(&mut shown);
            }
            Action::BeatNext if self.rotation == Rotation::None => return None,
            Action::BeatNext => {
                shown.word = self.word();
                self.look(&mut shown);
                self.end_rotation(&mut shown);
            }
            Action::BeatRetired => (shown.status, shown.word) = (401, "license_key_retired"),
            Action::BeatUnknown => (shown.status, shown.word) = (401, "license_key_unknown"),
            Action::Sweep => {
                self.look(&mut shown);
                if self.rotation == Rotation::Overdue {
                    self.end_rotation(&mut shown);
                }
            }
            Action::GraceEnds => self.set(Status::Past),
            Action::GraceMoved => self.set(Status::Grace),
            Action::SetActive => self.set(Status::Active),
            Action::SetExpired => self.set(Status::ByHand),
            Action::SetGraceWithoutDate => shown.status = 500,
            Action::LimitPasses if self.rotation == Rotation::Open => self.rotation = Rotation::Overdue,
            Action::LimitPasses => return None,
        }
        Some((self, shown))
    }

    /// The shortest way to a state that has an edge in `left`.
    fn way_to(self, left: &BTreeSet<(Self, Action)>) -> Option<Vec<Action>> {
        let (mut queue, mut seen) = (VecDeque::from([(self, Vec::new())]), BTreeSet::from([self]));
        while let Some((model, way)) = queue.pop_front() {
            for action in Action::ALL {
                let Some((next, _)) = model.step(action) else { continue };
                let way: Vec<Action> = way.iter().copied().chain([action]).collect();
                if left.contains(&(model, action)) {
                    return Some(way);
                }
                if seen.insert(next) {
                    queue.push_back((next, way));
                }
            }
        }
        None
    }

    /// Every edge that can be reached.
    fn edges() -> BTreeSet<(Self, Action)> {
        let (mut edges, mut queue, mut seen) = (BTreeSet::new(), vec![Self::NEW], BTreeSet::from([Self::NEW]));
        while let Some(model) = queue.pop() {
            for action in Action::ALL {
                let Some((next, _)) = model.step(action) else { continue };
                edges.insert((model, action));
                if seen.insert(next) {
                    queue.push(next);
                }
            }
        }
        edges
    }
}

/// The real thing, and the model beside it.
struct Machine {
    app: TestApp,
    admin: Client,
    customer: Customer,
    gateway: TestGateway,
    retired: LicenseKey,
    model: Model,
    audited: i64,
    taken: Vec<Action>,
    admins: u32,
    /// Refused acts of the present admin, by their name: beyond a bound they are counted, and not written one by one.
    refused: BTreeMap<&'static str, u32>,
}

/// As many refused acts of one person and one kind have a row of their own in a minute.
const REFUSALS_WRITTEN: u32 = 10;

impl Machine {
    async fn new(db: PgPool) -> Self {
        let app = TestApp::start(db).await;
        let (admin, customer) = (app.admin().await, app.customer("alice").await);
        let retired = app.gateway(&customer).await.key;
        admin
            .post(&format!("/api/v1/servers/{}/license/regenerate", customer.server_id), &json!({}))
            .await
            .expect_status(200);
        let gateway = app.gateway(&customer).await;
        let (taken, refused) = (Vec::new(), BTreeMap::new());
        let mut machine =
            Self { app, admin, customer, gateway, retired, model: Model::NEW, audited: 0, taken, admins: 0, refused };
        machine.audit().await;
        machine
    }

    /// The audit rows since the last look, oldest first.
    async fn audit(&mut self) -> Vec<(String, String)> {
        let rows: Vec<(i64, String, String)> =
            sqlx::query_as("SELECT id, action, outcome FROM audit_log WHERE id > $1 AND target = $2 ORDER BY id")
                .bind(self.audited)
                .bind(self.customer.server_id.0)
                .fetch_all(&self.app.db)
                .await
                .unwrap();
        self.audited = rows.last().map_or(self.audited, |(id, ..)| *id);
        rows.into_iter().map(|(_, action, outcome)| (action, outcome)).collect()
    }

    async fn key(&self, column: &str) -> LicenseKey {
        let query = format!("SELECT {column} FROM servers WHERE id = $1");
        let id = self.customer.server_id.0;
        let sealed: Vec<u8> = sqlx::query_scalar(AssertSqlSafe(query)).bind(id).fetch_one(&self.app.db).await.unwrap();
        let place = Place { table: "servers", row: id, column: "api_key" };
        LicenseKey::parse(&self.app.app.keyring.open_sealed(place, &sealed).unwrap()).unwrap()
    }

    async fn post(&self, action: &str, body: Value) -> (u16, String) {
        let path = format!("/api/v1/servers/{}/license/{action}", self.customer.server_id);
        let answer = self.admin.post(&path, &body).await;
        let json = answer.json();
        let word = if answer.status == 200 { &json["status"] } else { &json["code"] };
        (answer.status.as_u16(), word.as_str().unwrap_or_default().to_owned())
    }

    async fn set(&self, change: &str) -> (u16, String) {
        let query = format!("UPDATE servers SET {change} WHERE id = $1");
        let done = sqlx::query(AssertSqlSafe(query)).bind(self.customer.server_id.0).execute(&self.app.db).await;
        (if done.is_ok() { 200 } else { 500 }, String::new())
    }

    async fn beat(&mut self, key: LicenseKey) -> (u16, String, bool) {
        self.gateway.key = key;
        let Beat { status, body, signature } = self.gateway.beat().await;
        let word = if status == 200 { &body["status"] } else { &body["code"] };
        let unknown = word == "license_key_unknown";
        assert_eq!(signature.is_ok(), !unknown, "{status} {body}: {signature:?}");
        assert_eq!(body["graceExpiresAt"].is_string(), word == "GRACE", "{body}");
        (status, word.as_str().unwrap_or_default().to_owned(), body.get("nextApiKey").is_some())
    }

    async fn act(&mut self, action: Action) -> (u16, String, bool) {
        let (status, word) = match action {
            Action::Revoke => self.post("revoke", json!({})).await,
            Action::RevokeAtOnce => self.post("revoke", json!({ "graceSeconds": 0 })).await,
            Action::Reinstate => self.post("reinstate", json!({})).await,
            Action::Regenerate => self.post("regenerate", json!({})).await,
            Action::Rotate => self.post("rotate", json!({})).await,
            Action::Cancel => self.post("rotate/cancel", json!({})).await,
            Action::Reveal => self.post("reveal", json!({})).await,
            Action::BeatPresent => return self.beat(self.key("api_key_ciphertext").await).await,
            Action::BeatNext => return self.beat(self.key("next_key_ciphertext").await).await,
            Action::BeatRetired => return self.beat(self.retired.clone()).await,
            Action::BeatUnknown => return self.beat(LicenseKey::from_random_bytes(OsEntropy.bytes())).await,
            Action::Sweep => {
                jobs::sweep(&self.app.app).await.unwrap();
                (200, String::new())
            }
            Action::GraceEnds => {
                self.set("license_status = 'GRACE', grace_expires_at = clock_timestamp() - interval '1 second'").await
            }
            Action::GraceMoved => {
                self.set("license_status = 'GRACE', grace_expires_at = clock_timestamp() + interval '1 day'").await
            }
            Action::SetActive => self.set("license_status = 'ACTIVE', grace_expires_at = NULL").await,
            Action::SetExpired => self.set("license_status = 'EXPIRED', grace_expires_at = NULL").await,
            Action::SetGraceWithoutDate => self.set("license_status = 'GRACE', grace_expires_at = NULL").await,
            Action::LimitPasses => self.set("rotation_limit_at = clock_timestamp() - interval '1 second'").await,
        };
        (status, word, false)
    }

    async fn take(&mut self, action: Action) {
        let before = self.model;
        let (model, shown) = before.step(action).expect("an edge");
        self.taken.push(action);
        for (act, _) in shown.audit.iter().filter(|(_, outcome)| *outcome == REFUSED) {
            let times = self.refused.entry(act).or_default();
            *times += 1;
            if *times > REFUSALS_WRITTEN {
                self.another_admin().await;
                self.refused.insert(act, 1);
                break;
            }
        }
        let told = self.act(action).await;
        let history = &self.taken[self.taken.len().saturating_sub(12)..];
        assert_eq!(
            told,
            (shown.status, shown.word.to_owned(), shown.hands_over),
            "{action:?} in {before:?}; {history:?}"
        );
        let mut audit = self.audit().await;
        let mut expected: Vec<_> = shown.audit.iter().map(|(a, o)| ((*a).to_owned(), (*o).to_owned())).collect();
        audit.sort();
        expected.sort();
        assert_eq!(audit, expected, "the audit of {action:?} in {before:?}; {:?}", self.taken);
        self.model = model;
        self.agrees(action).await;
    }

    /// One of whom no refused act is counted, and who has just proven who they are.
    async fn another_admin(&mut self) {
        self.admins += 1;
        let name = format!("admin-{}", self.admins);
        self.admin = self.app.sign_in_new(&name, proxima_types::Role::Admin).await;
        self.refused.clear();
    }

    /// What people see of it now.
    async fn agrees(&self, after: Action) {
        let path = format!("/api/v1/servers/{}/license", self.customer.server_id);
        let seen = self.admin.get(&path).await.expect(200);
        assert_eq!(seen["status"], self.model.word(), "after {after:?}: {seen}");
        assert_eq!(seen["graceExpiresAt"].is_string(), self.model.status == Status::Grace, "after {after:?}: {seen}");
        let open: bool = sqlx::query_scalar("SELECT next_key_digest IS NOT NULL FROM servers WHERE id = $1")
            .bind(self.customer.server_id.0)
            .fetch_one(&self.app.db)
            .await
            .unwrap();
        assert_eq!(open, self.model.rotation != Rotation::None, "after {after:?}");
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn every_transition_of_the_license_is_taken_and_agrees_with_the_model(db: PgPool) {
    let mut machine = Machine::new(db.clone()).await;
    let edges = Model::edges();
    let mut left = edges.clone();
    let mut times: BTreeMap<Action, usize> = BTreeMap::new();
    while let Some(way) = machine.model.way_to(&left) {
        for action in way {
            left.remove(&(machine.model, action));
            *times.entry(action).or_default() += 1;
            machine.take(action).await;
        }
    }
    assert!(left.is_empty(), "never taken: {left:?}");
    let states: BTreeSet<_> = edges.iter().map(|(model, _)| *model).collect();
    println!("{} states, {} transitions, {} steps: {times:?}", states.len(), edges.len(), machine.taken.len());
    assert_eq!(states.len(), 18, "the model has shrunk or grown");
    assert_eq!(proxima_test_support::first_broken(&db).await.unwrap(), None);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn kill_matrix_random_walks_through_the_license_agree_with_the_model(db: PgPool) {
    if !full() {
        return;
    }
    let seed = std::env::var("PROXIMA_WALK_SEED").ok().and_then(|seed| seed.parse().ok());
    let mut state = seed.unwrap_or_else(|| u64::from_le_bytes(OsEntropy.bytes()));
    println!("repeat with PROXIMA_WALK_SEED={state}");
    let mut machine = Machine::new(db.clone()).await;
    for step in 0..3000 {
        if step % 300 == 299 {
            machine.another_admin().await;
        }
        // SplitMix64 (Steele, Lea, Flood 2014).
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let action = Action::ALL[usize::try_from((mixed ^ (mixed >> 31)) % 18).unwrap()];
        if machine.model.step(action).is_some() {
            machine.take(action).await;
        }
    }
    assert_eq!(proxima_test_support::first_broken(&db).await.unwrap(), None);
}
