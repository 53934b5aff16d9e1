//! A new master key, while dashboards run: announced, used, everything sealed anew, the old one retired. Each step is one
//! transaction with its audit row; between any two the command may be killed, and run again.

use crate::app::audit::{self, key_target};
use crate::app::{AdminActor, App, AppError, AppResult, commit};
use crate::keyring::{KeyFile, StoredKey};
use proxima_db::keys::{self, DashboardRow, MasterKeyRow};
use proxima_db::{DbError, Tx, sealed};
use serde_json::json;

/// What the next step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// No rotation is open.
    Settled { active: i32 },
    /// `next` is in this host's key file; the dashboards are to read it.
    Announced { next: i32 },
    /// `active` seals; older ones open what is not sealed anew yet.
    InUse { active: i32 },
    /// The key that seals was lost, or none was ever used.
    NoneActive,
}

/// # Errors
/// When the database is not to be had.
pub async fn stage(app: &App) -> AppResult<Stage> {
    let mut connection = app.db.acquire().await.map_err(DbError::from)?;
    Ok(stage_of(&keys::masters(&mut connection).await?))
}

fn stage_of(rows: &[MasterKeyRow]) -> Stage {
    let of = |state: &str| rows.iter().filter(|row| row.state == state).map(|row| row.id).max();
    match (of("ANNOUNCED"), of("ACTIVE"), of("REPLACED")) {
        (Some(next), ..) => Stage::Announced { next },
        (None, Some(active), Some(_)) => Stage::InUse { active },
        (None, Some(active), None) => Stage::Settled { active },
        (None, None, _) => Stage::NoneActive,
    }
}

/// The transaction of a step, with the keys locked.
async fn begin(app: &App) -> AppResult<(Tx, Vec<MasterKeyRow>)> {
    let mut tx = app.begin().await?;
    keys::lock(&mut tx).await?;
    let rows = keys::masters(&mut tx).await?;
    Ok((tx, rows))
}

/// A master key that the database does not know: one of the file, left by a command that was killed, or a new one in it.
fn next_key(app: &App, rows: &[MasterKeyRow]) -> AppResult<i32> {
    let path = app.keyring.path();
    let mut file = if path.exists() { KeyFile::read(path)? } else { KeyFile::empty() };
    let known = |id: i32| rows.iter().any(|row| row.id == id);
    if let Some(left) = file.master_keys.iter().map(|key| key.id).find(|id| !known(*id)) {
        return Ok(left);
    }
    let used = rows.iter().map(|row| row.id).chain(file.master_keys.iter().map(|key| key.id));
    let id = used.max().unwrap_or_default() + 1;
    file.master_keys.push(StoredKey::random(id, app.entropy.as_ref()));
    file.replace(path, app.entropy.as_ref())?;
    app.keyring.reload();
    Ok(id)
}

/// Adds a key to this host's key file and announces it. Nothing is sealed with it yet.
///
/// # Errors
/// [`AppError::NotNow`] while a rotation is open; when the key file cannot be written.
pub async fn announce(app: &App, admin: &AdminActor) -> AppResult<i32> {
    let (mut tx, rows) = begin(app).await?;
    if !matches!(stage_of(&rows), Stage::Settled { .. }) {
        return Err(open_already());
    }
    let id = next_key(app, &rows)?;
    let canary = app.keyring.canary(id, app.entropy.as_ref())?;
    keys::insert_master(&mut tx, id, "ANNOUNCED", &canary).await?;
    audit::succeeded(&mut tx, admin, "keys.master.create", Some(key_target(&name(id))), json!({ "key": id })).await?;
    commit(tx).await?;
    super::refresh(app).await?;
    Ok(id)
}

/// Seals with the announced key from now on: only when every running dashboard holds it.
///
/// # Errors
/// [`AppError::NotNow`] when one does not, or nothing is announced.
pub async fn activate(app: &App, admin: &AdminActor) -> AppResult<i32> {
    let (mut tx, rows) = begin(app).await?;
    let Stage::Announced { next } = stage_of(&rows) else { return Err(open_already()) };
    if let Some(dashboard) = lacking(&keys::running(&mut tx).await?, next).first() {
        return Err(AppError::not_now(
            "dashboards_behind",
            "A dashboard is behind",
            format!("the dashboard on {} does not hold master key {next} yet", dashboard.hostname),
        ));
    }
    keys::activate_master(&mut tx, next).await?;
    audit::succeeded(&mut tx, admin, "keys.master.activate", Some(key_target(&name(next))), json!({ "key": next }))
        .await?;
    commit(tx).await?;
    super::refresh(app).await?;
    Ok(next)
}

/// The dashboards that do not hold this master key.
#[must_use]
pub fn lacking(dashboards: &[DashboardRow], key: i32) -> Vec<DashboardRow> {
    dashboards.iter().filter(|dashboard| !dashboard.master_key_ids.contains(&key)).cloned().collect()
}

/// Ends the keys that only open, when nothing is sealed with them any more, and takes them out of this host's key file.
/// From then on the database refuses whatever is sealed with one of them.
///
/// # Errors
/// [`AppError::NotNow`] that says what is still sealed with one.
pub async fn retire(app: &App, admin: &AdminActor) -> AppResult<Vec<i32>> {
    let (mut tx, rows) = begin(app).await?;
    let old: Vec<i32> = rows.iter().filter(|row| row.state == "REPLACED").map(|row| row.id).collect();
    // First, so that it waits for whoever stores something sealed with one at this moment; counted after it.
    keys::end_masters(&mut tx, &old, "RETIRED").await?;
    let counts = sealed::count_by_key(&mut tx).await?;
    for id in &old {
        if let Some(count) = counts.get(&i64::from(*id)) {
            return Err(AppError::not_now(
                "key_in_use",
                "The key is in use",
                format!("{count} secrets are sealed with master key {id} still: run rotate-master-key again first"),
            ));
        }
        let target = name(*id);
        audit::succeeded(&mut tx, admin, "keys.master.retire", Some(key_target(&target)), json!({ "key": id })).await?;
    }
    commit(tx).await?;
    // Those that were retired before, on a host whose file still had them, too.
    let ended = |row: &&MasterKeyRow| row.state == "RETIRED" || old.contains(&row.id);
    let gone: Vec<i32> = rows.iter().filter(ended).map(|row| row.id).collect();
    let mut file = KeyFile::read(app.keyring.path())?;
    if file.master_keys.iter().any(|key| gone.contains(&key.id)) {
        file.master_keys.retain(|key| !gone.contains(&key.id));
        file.replace(app.keyring.path(), app.entropy.as_ref())?;
    }
    super::refresh(app).await?;
    Ok(old)
}

/// Says that the keys which this host's key file does not have are lost, and goes on with a new one at once. What was sealed
/// with a lost key stays as it is, and opens again should its key file turn up.
///
/// # Errors
/// [`AppError::NotNow`] when no key is missing.
pub async fn replace_lost(app: &App, admin: &AdminActor) -> AppResult<(Vec<i32>, i32)> {
    let held = app.keyring.master_ids();
    let (mut tx, rows) = begin(app).await?;
    let in_use = |row: &&MasterKeyRow| matches!(row.state.as_str(), "ACTIVE" | "REPLACED" | "ANNOUNCED");
    let lost: Vec<i32> = rows.iter().filter(in_use).map(|row| row.id).filter(|id| !held.contains(id)).collect();
    let used = proxima_db::servers::any(&app.db).await?;
    if lost.is_empty() && (!rows.is_empty() || !used) {
        return Err(AppError::not_now("nothing_lost", "Nothing is lost", "the key file has every master key in use"));
    }
    keys::end_masters(&mut tx, &lost, "LOST").await?;
    let kept = rows.iter().filter(in_use).map(|row| row.id).filter(|id| held.contains(id)).max();
    let active = match kept {
        Some(id) => {
            keys::activate_master(&mut tx, id).await?;
            id
        }
        None => {
            // A key of another installation under a lost one's id would not do.
            let id = fresh_key(app, &rows)?;
            let canary = app.keyring.canary(id, app.entropy.as_ref())?;
            keys::insert_master(&mut tx, id, "ACTIVE", &canary).await?;
            id
        }
    };
    let metadata = json!({ "lost": lost, "key": active });
    audit::succeeded(&mut tx, admin, "keys.master.lost", Some(key_target(&name(active))), metadata).await?;
    commit(tx).await?;
    super::refresh(app).await?;
    Ok((lost, active))
}

fn fresh_key(app: &App, rows: &[MasterKeyRow]) -> AppResult<i32> {
    let path = app.keyring.path();
    if path.exists() {
        // Keys that do not open their canaries make room: they are another installation's.
        let mut file = KeyFile::read(path)?;
        let held = app.keyring.master_ids();
        file.master_keys.retain(|key| held.contains(&key.id) || !rows.iter().any(|row| row.id == key.id));
        file.replace(path, app.entropy.as_ref())?;
        app.keyring.reload();
    }
    next_key(app, rows)
}

fn name(id: i32) -> String {
    format!("master key {id}")
}

fn open_already() -> AppError {
    AppError::not_now(
        "rotation_stage",
        "Another step is due",
        "a rotation of the master key is at another step: see --status",
    )
}
