//! A new signing key, while gateways run. From the moment that it is announced each gateway is told of it under the key that
//! it trusts, and is answered with the new one as soon as it says that it trusts that: there is no moment at which the fleet
//! changes over. What is decided is only when the old one ends.

use crate::app::audit::{self, key_target};
use crate::app::{AdminActor, App, AppError, AppResult, commit};
use crate::keyring::{FormerKey, KeyFile, StoredKey};
use proxima_db::keys::{self, DashboardRow, FollowerRow, SigningKeyRow};
use proxima_db::{DbError, Tx};
use proxima_signing::key_id;
use proxima_types::identity::DashboardPublicKey;
use serde_json::json;

/// How many gateways are named that do not follow.
const NAMED: i64 = 50;

/// How far a rotation is.
#[derive(Debug)]
pub struct Progress {
    pub keys: Vec<SigningKeyRow>,
    /// The newest that gateways are to trust.
    pub newest: Option<i32>,
    /// Whether an older one counts still.
    pub open: bool,
    /// Servers with an installation, and those of them that trust the newest key.
    pub gateways: i64,
    pub following: i64,
    /// Some of the others.
    pub behind: Vec<FollowerRow>,
    /// Running dashboards that do not hold the newest key.
    pub lacking: Vec<DashboardRow>,
}

/// # Errors
/// When the database is not to be had.
pub async fn progress(app: &App) -> AppResult<Progress> {
    let mut connection = app.db.acquire().await.map_err(DbError::from)?;
    let rows = keys::signing(&mut connection).await?;
    let newest = live(&rows).last().map(|row| (row.id, row.key_id.clone()));
    let (mut gateways, mut following, mut behind, mut lacking) = (0, 0, Vec::new(), Vec::new());
    if let Some((id, named)) = &newest {
        (gateways, following) = keys::count_followers(&mut connection, named).await?;
        behind = keys::not_following(&mut connection, named, NAMED).await?;
        lacking = keys::running(&mut connection).await?;
        lacking.retain(|dashboard| !dashboard.signing_key_ids.contains(id));
    }
    let open = live(&rows).len() > 1;
    Ok(Progress { newest: newest.map(|(id, _)| id), open, keys: rows, gateways, following, behind, lacking })
}

fn live(rows: &[SigningKeyRow]) -> Vec<&SigningKeyRow> {
    rows.iter().filter(|row| row.state == "LIVE").collect()
}

async fn begin(app: &App) -> AppResult<(Tx, Vec<SigningKeyRow>)> {
    let mut tx = app.begin().await?;
    keys::lock(&mut tx).await?;
    let rows = keys::signing(&mut tx).await?;
    Ok((tx, rows))
}

/// Adds a signing key to this host's key file, and announces it.
///
/// # Errors
/// [`AppError::NotNow`] while a rotation is open; when the key file cannot be written.
pub async fn announce(app: &App, admin: &AdminActor) -> AppResult<i32> {
    let (mut tx, rows) = begin(app).await?;
    if live(&rows).len() > 1 {
        return Err(AppError::not_now(
            "rotation_stage",
            "A rotation is open",
            "a rotation of the signing key is open: finish it first (--status, --finish)",
        ));
    }
    let id = add(app, &mut tx, &rows).await?;
    audit::succeeded(&mut tx, admin, "keys.signing.create", Some(key_target(&name(id))), json!({ "key": id })).await?;
    commit(tx).await?;
    super::refresh(app).await?;
    Ok(id)
}

/// Adds the next key to the file, unless a command that was killed has left one there, and to the database.
async fn add(app: &App, tx: &mut Tx, rows: &[SigningKeyRow]) -> AppResult<i32> {
    let path = app.keyring.path();
    let mut file = if path.exists() { KeyFile::read(path)? } else { KeyFile::empty() };
    let known = |id: i32| rows.iter().any(|row| row.id == id);
    let id = match file.signing_keys.iter().map(|key| key.id).find(|id| !known(*id)) {
        Some(left) => left,
        None => {
            let used = rows.iter().map(|row| row.id).chain(file.signing_keys.iter().map(|key| key.id));
            let id = used.max().unwrap_or_default() + 1;
            file.signing_keys.push(StoredKey::random(id, app.entropy.as_ref()));
            file.replace(path, app.entropy.as_ref())?;
            app.keyring.reload();
            id
        }
    };
    let public = app.keyring.public_key_of(id);
    let public = public.ok_or_else(|| anyhow::anyhow!("the key file changed while it was written: run it again"))?;
    keys::insert_signing(tx, id, &public.0, &key_id(public)).await?;
    Ok(id)
}

/// Ends the older keys. Without `leave_behind` only when every installed gateway trusts the newest.
///
/// # Errors
/// [`AppError::NotNow`] that says how many do not, or that no rotation is open.
pub async fn finish(app: &App, admin: &AdminActor, leave_behind: bool) -> AppResult<Vec<i32>> {
    let (mut tx, rows) = begin(app).await?;
    let keys_live = live(&rows);
    let Some((newest, old)) = keys_live.split_last().filter(|(_, old)| !old.is_empty()) else {
        return Err(AppError::not_now("no_rotation", "No rotation is open", "no rotation of the signing key is open"));
    };
    let lacking = keys::running(&mut tx).await?.into_iter().find(|row| !row.signing_key_ids.contains(&newest.id));
    if let Some(dashboard) = lacking {
        return Err(AppError::not_now(
            "dashboards_behind",
            "A dashboard is behind",
            format!(
                "the dashboard on {} does not hold signing key {}: copy the key file there",
                dashboard.hostname, newest.id
            ),
        ));
    }
    let (gateways, following) = keys::count_followers(&mut tx, &newest.key_id).await?;
    if following < gateways && !leave_behind {
        return Err(AppError::not_now(
            "gateways_behind",
            "Gateways are behind",
            format!(
                "{} of {gateways} gateways do not follow yet (--status names them): wait, or re-install them, or end the old \
                 key all the same with --leave-behind",
                gateways - following
            ),
        ));
    }
    let ids: Vec<i32> = old.iter().map(|row| row.id).collect();
    keys::end_signing(&mut tx, &ids, "RETIRED").await?;
    for id in &ids {
        let metadata = json!({ "key": id, "gatewaysLeftBehind": gateways - following });
        audit::succeeded(&mut tx, admin, "keys.signing.retire", Some(key_target(&name(*id))), metadata).await?;
    }
    commit(tx).await?;
    forget(app, &rows, &ids)?;
    super::refresh(app).await?;
    Ok(ids)
}

/// Takes private keys out of this host's key file; their public halves stay, for what they signed.
fn forget(app: &App, rows: &[SigningKeyRow], ids: &[i32]) -> anyhow::Result<()> {
    let path = app.keyring.path();
    let mut file = KeyFile::read(path)?;
    file.signing_keys.retain(|key| !ids.contains(&key.id));
    for row in rows.iter().filter(|row| ids.contains(&row.id)) {
        let Ok(public) = row.public_key.as_slice().try_into() else { continue };
        if file.former_signing_keys.iter().all(|former| former.id != row.id) {
            file.former_signing_keys.push(FormerKey { id: row.id, public_key: DashboardPublicKey(public) });
        }
    }
    file.replace(path, app.entropy.as_ref())
}

/// Says that the signing keys which this host's key file does not have are lost, and goes on with a new one. Gateways trust
/// it after a re-install; until then they go on as they are, in silence.
///
/// # Errors
/// [`AppError::NotNow`] when none is missing.
pub async fn replace_lost(app: &App, admin: &AdminActor) -> AppResult<(Vec<i32>, i32)> {
    let held = app.keyring.signing_ids();
    let (mut tx, rows) = begin(app).await?;
    let lost: Vec<i32> = live(&rows).iter().map(|row| row.id).filter(|id| !held.contains(id)).collect();
    if lost.is_empty() && !rows.is_empty() {
        return Err(AppError::not_now("nothing_lost", "Nothing is lost", "the key file has every signing key in use"));
    }
    keys::end_signing(&mut tx, &lost, "LOST").await?;
    let kept = live(&rows).iter().map(|row| row.id).find(|id| held.contains(id));
    let id = match kept {
        Some(id) => id,
        None => {
            drop_foreign(app, &rows)?;
            add(app, &mut tx, &rows).await?
        }
    };
    let metadata = json!({ "lost": lost, "key": id });
    audit::succeeded(&mut tx, admin, "keys.signing.lost", Some(key_target(&name(id))), metadata).await?;
    commit(tx).await?;
    super::refresh(app).await?;
    Ok((lost, id))
}

/// A key of another installation under a known id makes room.
fn drop_foreign(app: &App, rows: &[SigningKeyRow]) -> anyhow::Result<()> {
    let path = app.keyring.path();
    if !path.exists() {
        return Ok(());
    }
    let mut file = KeyFile::read(path)?;
    let foreign = |id: i32| {
        let ours = app.keyring.public_key_of(id).map(|key| key.0.to_vec());
        rows.iter().any(|row| row.id == id && Some(&row.public_key) != ours.as_ref())
    };
    file.signing_keys.retain(|key| !foreign(key.id));
    file.replace(path, app.entropy.as_ref())?;
    app.keyring.reload();
    Ok(())
}

fn name(id: i32) -> String {
    format!("signing key {id}")
}
