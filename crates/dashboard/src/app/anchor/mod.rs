//! The anchor (invariant 13): what this dashboard knows of its database, kept outside it. A database that was restored
//! from a backup, emptied, or exchanged for another one is told by it, at the start and under a running dashboard. Then
//! gateways get no verdict, and licenses are not changed, until a person brings the right database back or accepts this one.

mod accept;
mod file;
mod mark;

pub use accept::{Accepted, Plan, accept, follow, plan};
pub use file::AnchorFile;
pub use mark::Mark;

use super::signed::{self, Signed};
use super::{App, AppError, AppResult};
use crate::keyring::Keyring;
use proxima_db::anchor::{self, Seen};
use proxima_db::{DbResult, PgConnection, PgPool};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// How long a verdict waits for the anchor on disk. A disk that takes longer is said loudly, and stops nobody.
const DURABLE_WITHIN: Duration = Duration::from_secs(2);
/// After a failed write the next one is tried so much later.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// How many retirements are read at once.
const RETIREMENTS_AT_ONCE: u32 = 10_000;

/// In what way the database is not the known one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Standing {
    Current,
    /// It lacks what this dashboard has seen, or has another history.
    Behind,
    /// It is another installation's.
    Foreign,
    /// It is a new one, without any account.
    Emptied,
    /// The anchor itself cannot be read.
    AnchorUnreadable,
    /// Nobody has looked yet.
    Unknown,
}

/// A database that is not the known one, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    pub standing: Standing,
    /// For a person.
    pub sentence: String,
    /// A person accepted it on another dashboard: this one follows by itself.
    pub followable: bool,
}

/// The signed words that a restored database was accepted.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Acceptance {
    installation_id: Uuid,
    incarnation: i32,
    audit_id: i64,
    #[serde(with = "hex::serde")]
    audit_hash: Vec<u8>,
    /// What the accepting dashboard knew.
    lost: Option<Mark>,
}

/// The signed words about what retention has removed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointWords {
    pub installation_id: Uuid,
    pub id: i64,
    #[serde(with = "hex::serde")]
    pub hash: Vec<u8>,
}

#[derive(Default)]
struct State {
    mark: Option<Mark>,
    /// What is on disk.
    durable: Option<Mark>,
    /// Why the anchor on disk cannot be read.
    unreadable: Option<String>,
    lag: Option<Lag>,
    /// What was found to be a lag.
    examined: Option<(Seen, Option<Mark>)>,
    looked: bool,
    /// Why the anchor cannot be written, and when to try again.
    trouble: Option<(String, Instant)>,
}

pub struct Anchor {
    keyring: Arc<Keyring>,
    /// Without one the anchor lasts as long as the process.
    file: Option<AnchorFile>,
    state: Mutex<State>,
    writing: tokio::sync::Mutex<()>,
}

/// What people are shown.
#[derive(Debug, Clone)]
pub struct Report {
    pub standing: Standing,
    pub sentence: String,
    pub mark: Option<Mark>,
    pub written_at: Option<chrono::DateTime<chrono::Utc>>,
    /// Why the anchor cannot be written.
    pub trouble: Option<String>,
}

impl Anchor {
    /// Reads the anchor of a folder. One that cannot be read is a lag of its own: nothing is known then.
    #[must_use]
    pub fn load(folder: Option<&Path>, keyring: Arc<Keyring>) -> Self {
        let file = folder.map(AnchorFile::in_folder);
        let mut state = State::default();
        match file.as_ref().map(|file| file.read(&keyring)) {
            Some(Ok(stored)) => {
                state.mark = stored.map(|stored| stored.mark);
                state.durable.clone_from(&state.mark);
            }
            Some(Err(error)) => state.unreadable = Some(format!("{error:#}")),
            None => {}
        }
        Self { keyring, file, state: Mutex::new(state), writing: tokio::sync::Mutex::new(()) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known now. Take it BEFORE the statement that it is compared with is sent: another one may be further by
    /// the time the answer is there.
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        self.state().mark.clone()
    }

    #[must_use]
    pub fn report(&self) -> Report {
        let state = self.state();
        let standing = match &state.lag {
            Some(lag) => lag.standing,
            None if state.looked => Standing::Current,
            None => Standing::Unknown,
        };
        Report {
            standing,
            sentence: state.lag.as_ref().map_or_else(
                || "The database is the one that this dashboard knows.".to_owned(),
                |lag| lag.sentence.clone(),
            ),
            mark: state.durable.clone().or_else(|| state.mark.clone()),
            written_at: self.file.as_ref().and_then(AnchorFile::written_at),
            trouble: state.trouble.as_ref().map(|(sentence, _)| sentence.clone()),
        }
    }

    /// Reads an anchor again that could not be read: a key file that was put back vouches for it. True when that made a
    /// difference; else why it cannot be read still.
    fn read_again(&self) -> Result<bool, String> {
        // The lock is let go of before anything else takes it.
        let unreadable = self.state().unreadable.clone();
        let (Some(_), Some(file)) = (unreadable, &self.file) else { return Ok(false) };
        let stored = file.read(&self.keyring).map_err(|error| format!("{error:#}"))?;
        let mark = stored.map(|stored| stored.mark);
        let mut state = self.state();
        (state.mark, state.durable, state.unreadable) = (mark.clone(), mark, None);
        Ok(true)
    }

    /// What an anchor that cannot be read means. Without a signing key no gateway hears a verdict, and nothing vouches for
    /// the anchor: people work on.
    fn without_anchor(&self, reason: &str) -> Result<(), Lag> {
        if self.keyring.signer_for(None).is_err() { Ok(()) } else { Err(unreadable(reason)) }
    }

    /// Judges a database by what was read of it after `mark` was taken. One that holds moves the anchor, on disk too,
    /// before this returns: no verdict leaves that a later restore could contradict unnoticed.
    ///
    /// # Errors
    /// When the database cannot be asked further.
    pub async fn judge(&self, db: &PgPool, mark: Option<&Mark>, seen: &Seen) -> DbResult<Result<(), Lag>> {
        match self.read_again() {
            Ok(false) => self.judge_known(db, mark, seen).await,
            Ok(true) => {
                let mark = self.mark();
                let seen = anchor::observe(db, mark.as_ref().map_or(0, |mark| mark.audit_id)).await?;
                self.judge_known(db, mark.as_ref(), &seen).await
            }
            Err(reason) => Ok(match self.without_anchor(&reason) {
                Err(lag) => Err(self.lagging(seen, mark, lag)),
                Ok(()) => {
                    let mut state = self.state();
                    (state.lag, state.examined, state.looked) = (None, None, true);
                    Ok(())
                }
            }),
        }
    }

    async fn judge_known(&self, db: &PgPool, mark: Option<&Mark>, seen: &Seen) -> DbResult<Result<(), Lag>> {
        if mark.is_none_or(|mark| mark.holds(seen)) {
            self.advance(seen);
            self.secure(db, seen).await;
            return Ok(Ok(()));
        }
        let Some(mark) = mark else { return Ok(Ok(())) };
        let known = {
            let state = self.state();
            let same = state.examined.as_ref().is_some_and(|(s, m)| s == seen && m.as_ref() == Some(mark));
            state.lag.clone().filter(|_| same)
        };
        if let Some(lag) = known {
            return Ok(Err(lag));
        }
        match self.examine(db, mark, seen).await? {
            None => {
                self.advance(seen);
                self.secure(db, seen).await;
                Ok(Ok(()))
            }
            Some(lag) => Ok(Err(self.lagging(seen, Some(mark), lag))),
        }
    }

    /// Compares a database with the anchor, and writes nothing.
    ///
    /// # Errors
    /// When the database is not to be had.
    pub async fn compare(&self, db: &PgPool) -> DbResult<Result<(), Lag>> {
        let mark = self.mark();
        let seen = anchor::observe(db, mark.as_ref().map_or(0, |mark| mark.audit_id)).await?;
        let unreadable_because = self.state().unreadable.clone();
        if let Some(reason) = unreadable_because {
            return Ok(self.without_anchor(&reason));
        }
        match mark {
            Some(mark) if !mark.holds(&seen) => Ok(self.examine(db, &mark, &seen).await?.map_or(Ok(()), Err)),
            _ => Ok(Ok(())),
        }
    }

    fn lagging(&self, seen: &Seen, mark: Option<&Mark>, lag: Lag) -> Lag {
        let mut state = self.state();
        state.examined = Some((seen.clone(), mark.cloned()));
        state.looked = true;
        let new = state.lag.as_ref().is_none_or(|before| before.standing != lag.standing);
        state.lag = Some(lag.clone());
        drop(state);
        if new {
            tracing::error!(sentence = lag.sentence, "the database is behind its anchor: gateways get no verdict");
            metrics::gauge!("proxima_database_behind_anchor").set(1.0);
        }
        lag
    }

    fn advance(&self, seen: &Seen) {
        let mut state = self.state();
        let now = Mark::of(seen);
        if state.mark.as_ref().is_none_or(|mark| mark.precedes(&now)) {
            state.mark = Some(now);
        }
        state.looked = true;
        let was_behind = state.lag.take().is_some();
        drop(state);
        if was_behind {
            tracing::info!("the database is the known one again: gateways get their verdicts");
        }
        metrics::gauge!("proxima_database_behind_anchor").set(0.0);
    }

    /// Why a database does not hold; `None` when a signed document explains it.
    async fn examine(&self, db: &PgPool, mark: &Mark, seen: &Seen) -> DbResult<Option<Lag>> {
        let lag = |standing, what: String| {
            let sentence = format!("{what} {REMEDY}");
            Some(Lag { standing, sentence, followable: false })
        };
        let mut connection = db.acquire().await?;
        if seen.installation_id != mark.installation_id {
            let empty = anchor::is_empty(&mut *connection).await?;
            return Ok(if empty {
                lag(
                    Standing::Emptied,
                    "The database is new and empty, and this dashboard has worked with another.".into(),
                )
            } else {
                lag(Standing::Foreign, "The database is another installation's.".into())
            });
        }
        let vouchers = anchor::vouchers(&mut connection, mark.incarnation).await?;
        for document in vouchers.acceptances {
            let Some(accepted) = Signed::open_text::<Acceptance>(&document, &self.keyring, signed::RESTORE) else {
                continue;
            };
            let hash = anchor::hash_of(&mut *connection, accepted.audit_id).await?;
            let named = accepted.installation_id == mark.installation_id && accepted.incarnation > mark.incarnation;
            if named && hash.as_ref() == Some(&accepted.audit_hash) {
                let sentence =
                    "The database was restored and accepted on another dashboard; this one is about to follow.";
                return Ok(Some(Lag { standing: Standing::Behind, sentence: sentence.to_owned(), followable: true }));
            }
        }
        if let Some(words) = vouchers
            .checkpoint
            .and_then(|document| Signed::open_text::<CheckpointWords>(&document, &self.keyring, signed::CHECKPOINT))
        {
            let covers = words.installation_id == mark.installation_id && words.id >= mark.audit_id;
            let further = seen.head_id >= words.id && seen.retirements >= mark.retirements;
            if covers && further && seen.incarnation >= mark.incarnation {
                return Ok(None);
            }
        }
        let what = if seen.head_id < mark.audit_id || seen.incarnation < mark.incarnation {
            let time = anchor::head_time(&mut *connection).await?;
            let time = time.map_or_else(String::new, |time| format!(" of {}", time.format("%F %T UTC")));
            format!(
                "The database's audit log ends at row {}{time}, and this dashboard has seen row {}: an older state was \
                 restored, or a standby took over that lacked the newest changes.",
                seen.head_id, mark.audit_id
            )
        } else {
            format!("Row {} of the database's audit log is not the one that this dashboard has seen.", mark.audit_id)
        };
        Ok(lag(Standing::Behind, what))
    }

    /// Brings the anchor on disk to what was seen, and says so when that cannot be done.
    async fn secure(&self, db: &PgPool, seen: &Seen) {
        if self.file.is_none() || !self.owes(&Mark::of(seen)) {
            return;
        }
        if self.state().trouble.as_ref().is_some_and(|(_, again)| Instant::now() < *again) {
            return;
        }
        let trouble = match tokio::time::timeout(DURABLE_WITHIN, self.write_owed(db, seen)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("{error:#}")),
            Err(_) => Some(format!("it took longer than {} s", DURABLE_WITHIN.as_secs())),
        };
        metrics::gauge!("proxima_anchor_durable").set(if trouble.is_none() { 1.0 } else { 0.0 });
        let Some(reason) = trouble else {
            self.state().trouble = None;
            return;
        };
        let sentence = format!(
            "The anchor cannot be written ({reason}): a database restored to a moment before its last writing might go \
             unnoticed. Make room in the data folder, or make it writable."
        );
        tracing::error!(reason, "the anchor cannot be written");
        self.state().trouble = Some((sentence, Instant::now() + RETRY_AFTER));
    }

    fn owes(&self, mark: &Mark) -> bool {
        self.state().durable.as_ref().is_none_or(|durable| durable.precedes(mark))
    }

    async fn write_owed(&self, db: &PgPool, seen: &Seen) -> anyhow::Result<()> {
        let _turn = self.writing.lock().await;
        let durable = self.state().durable.clone();
        let mut mark = Mark::of(seen);
        if !self.owes(&mark) {
            return Ok(());
        }
        let known = durable.as_ref().map_or(0, |durable| durable.retirements);
        let mut retired = Vec::new();
        if known < mark.retirements {
            // Out of one snapshot with the head, so that no other database's retirements get in.
            let mut tx = anchor::snapshot(db).await?;
            let now = anchor::observe(&mut *tx, mark.audit_id).await?;
            anyhow::ensure!(mark.holds(&now), "the database was exchanged in between");
            mark = Mark::of(&now);
            retired = retirements(&mut tx, known).await?;
        }
        let stored = self.write(mark, retired, false).await?;
        self.state().durable = Some(stored);
        Ok(())
    }

    async fn write(&self, mark: Mark, retired: Vec<anchor::Retirement>, replaced: bool) -> anyhow::Result<Mark> {
        let Some(file) = self.file.clone() else { return Ok(mark) };
        let keyring = Arc::clone(&self.keyring);
        tokio::task::spawn_blocking(move || Ok(file.write(&keyring, &mark, &retired, replaced)?.mark)).await?
    }

    /// The keys that this dashboard knows to be retired; none while the anchor cannot be read.
    fn retired(&self) -> anyhow::Result<Vec<anchor::Retirement>> {
        match &self.file {
            Some(file) if self.state().unreadable.is_none() => file.retired(&self.keyring),
            _ => Ok(Vec::new()),
        }
    }

    /// After an acceptance: the database as it stands is the known one from now on.
    async fn replace(&self, db: &PgPool) -> anyhow::Result<()> {
        let _turn = self.writing.lock().await;
        let mut tx = anchor::snapshot(db).await?;
        let seen = anchor::observe(&mut *tx, 0).await?;
        let retired = retirements(&mut tx, 0).await?;
        let mark = self.write(Mark::of(&seen), retired, true).await?;
        *self.state() = State { mark: Some(mark.clone()), durable: Some(mark), looked: true, ..State::default() };
        metrics::gauge!("proxima_database_behind_anchor").set(0.0);
        Ok(())
    }
}

async fn retirements(connection: &mut PgConnection, mut after: i64) -> DbResult<Vec<anchor::Retirement>> {
    let mut all = Vec::new();
    loop {
        let page = anchor::retirements_after(&mut *connection, after, RETIREMENTS_AT_ONCE).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = last.number;
        all.extend(page);
    }
}

const REMEDY: &str = "Gateways get no verdict meanwhile, so they go on as they are, and licenses cannot be changed. Bring \
    the right database back; or, if this is the one to go on with, run `proxima-dashboard accept-restore` on the dashboard's \
    host.";

fn unreadable(reason: &str) -> Lag {
    let sentence = format!("This dashboard does not know what its database must hold: {reason}. {REMEDY}");
    Lag { standing: Standing::AnchorUnreadable, sentence, followable: false }
}

/// Looks at the database; follows an acceptance of another dashboard.
///
/// # Errors
/// When the database is not to be had.
pub async fn look(app: &App) -> AppResult<Result<(), Lag>> {
    let mark = app.anchor.mark();
    let seen = anchor::observe(&app.db, mark.as_ref().map_or(0, |mark| mark.audit_id)).await?;
    match app.anchor.judge(&app.db, mark.as_ref(), &seen).await? {
        Err(lag) if lag.followable => {
            follow(app).await?;
            Ok(Ok(()))
        }
        outcome => Ok(outcome),
    }
}

/// Refuses while the database is not the known one.
///
/// # Errors
/// As [`guard`].
pub(crate) async fn ensure(app: &App) -> AppResult<()> {
    look(app).await?.map_err(|lag| refusal(lag.sentence))
}

/// Refuses what a database behind its anchor must not decide. Call it first in the transaction.
///
/// # Errors
/// [`AppError::NotNow`] `database_behind_anchor`.
pub(crate) async fn guard(app: &App, tx: &mut PgConnection) -> AppResult<()> {
    let mark = app.anchor.mark();
    let seen = anchor::observe(tx, mark.as_ref().map_or(0, |mark| mark.audit_id)).await?;
    app.anchor.judge(&app.db, mark.as_ref(), &seen).await?.map_err(|lag| refusal(lag.sentence))
}

pub(crate) fn refusal(sentence: String) -> AppError {
    AppError::not_now("database_behind_anchor", "The database is behind its anchor", sentence)
}
