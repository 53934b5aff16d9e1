//! Going on with a database that is not the known one: keys that were retired meanwhile are retired again, what it
//! believes to be under way is ended, and a new incarnation supersedes every configuration that gateways have.

use super::{Acceptance, Lag, Mark, look};
use crate::app::licenses::seal_key;
use crate::app::signed::{self, Signed};
use crate::app::{Actor, AdminActor, App, AppError, AppResult, Proven, audit, commit};
use crate::entropy::EntropyExt as _;
use proxima_db::PgConnection;
use proxima_db::anchor::{self, Carrier, Retirement, Seen};
use proxima_db::audit::Target;
use proxima_db::{licenses, rotations};
use proxima_types::ServerId;
use serde_json::json;

/// How many servers an audit row names.
const NAMED_MAX: usize = 50;

/// What accepting would do.
pub struct Plan {
    pub lag: Lag,
    /// What this dashboard knew, if that can be read.
    pub known: Option<Mark>,
    pub seen: Seen,
    /// When the database's newest audit row was written.
    pub head_time: Option<chrono::DateTime<chrono::Utc>>,
    /// Retired keys that the database does not know as such.
    pub forgotten: Vec<Retirement>,
    /// Servers that it believes to have one of them.
    pub carriers: Vec<Carrier>,
}

/// What accepting did.
pub struct Accepted {
    pub incarnation: i32,
    pub retirements: usize,
    pub servers: Vec<Carrier>,
    pub stale: anchor::Stale,
}

/// Looks at what accepting would do; `None` when there is nothing to accept.
///
/// # Errors
/// When the database is not to be had, or the list of retired keys cannot be read.
pub async fn plan(app: &App) -> AppResult<Option<Plan>> {
    let Err(lag) = look(app).await? else { return Ok(None) };
    let known = app.anchor.mark();
    let mut connection = app.db.acquire().await.map_err(proxima_db::DbError::from)?;
    let seen = anchor::observe(&mut *connection, known.as_ref().map_or(0, |mark| mark.audit_id)).await?;
    let (forgotten, carriers) = forgotten(app, &mut connection).await?;
    let head_time = anchor::head_time(&mut *connection).await?;
    Ok(Some(Plan { lag, known, seen, head_time, forgotten, carriers }))
}

/// The retired keys of the anchor that the database does not know as retired, and who has them. Of an anchor that
/// cannot be read there are none.
async fn forgotten(app: &App, connection: &mut PgConnection) -> AppResult<(Vec<Retirement>, Vec<Carrier>)> {
    let retired = app.anchor.retired()?;
    let digests: Vec<Vec<u8>> = retired.iter().map(|retirement| retirement.digest.clone()).collect();
    let unknown = anchor::unknown_digests(&mut *connection, &digests).await?;
    let unknown: std::collections::HashSet<Vec<u8>> = unknown.into_iter().collect();
    let forgotten: Vec<Retirement> = retired.into_iter().filter(|r| unknown.contains(&r.digest)).collect();
    let digests: Vec<Vec<u8>> = forgotten.iter().map(|retirement| retirement.digest.clone()).collect();
    let carriers = anchor::carriers(connection, &digests).await?;
    Ok((forgotten, carriers))
}

/// Accepts the database that was planned for, in one transaction with its audit row.
///
/// # Errors
/// [`AppError::NotNow`] when the database has changed since the plan was made.
pub async fn accept(app: &App, admin: &Proven<AdminActor>, plan: &Plan) -> AppResult<Accepted> {
    let mut tx = app.begin().await?;
    let seen = anchor::lock_head(&mut tx, plan.known.as_ref().map_or(0, |mark| mark.audit_id)).await?;
    if seen != plan.seen {
        let sentence = "The database has changed since it was looked at: look again";
        return Err(AppError::not_now("changed_meanwhile", "Changed meanwhile", sentence));
    }
    let incarnation = anchor::open_incarnation(&mut tx, plan.known.as_ref().map_or(0, |mark| mark.incarnation)).await?;
    retire_again(app, &mut tx, &plan.forgotten, &plan.carriers).await?;
    let stale = anchor::end_stale(&mut tx).await?;
    let head = |id: i64, hash: &[u8]| json!({ "id": id, "hash": hex::encode(hash) });
    let metadata = json!({
        "incarnation": incarnation,
        "known": plan.known.as_ref().map(|mark| head(mark.audit_id, &mark.audit_hash)),
        "accepted": head(seen.head_id, &seen.head_hash),
        "retirementsReplayed": plan.forgotten.len(),
        "servers": names(&plan.carriers),
        "jobsEnded": stale.jobs,
        "sessionsEnded": stale.sessions,
    });
    let target = Target { id: Some(seen.installation_id), kind: "database", name: "database" };
    audit::succeeded(&mut tx, admin, "database.restore.accept", Some(target), metadata).await?;
    // Its head is this transaction's own until it ends.
    let accepted = anchor::observe(&mut *tx, 0).await?;
    let words = Acceptance {
        installation_id: accepted.installation_id,
        incarnation,
        audit_id: accepted.head_id,
        audit_hash: accepted.head_hash,
        lost: plan.known.clone(),
    };
    let document = Signed::make(&app.keyring, signed::RESTORE, &words)?;
    anchor::keep_acceptance(&mut tx, incarnation, &serde_json::to_string(&document).map_err(anyhow::Error::from)?)
        .await?;
    commit(tx).await?;
    app.anchor.replace(&app.db).await?;
    Ok(Accepted { incarnation, retirements: plan.forgotten.len(), servers: plan.carriers.clone(), stale })
}

/// Follows what a person accepted on another dashboard; what only this one knows as retired is retired again.
///
/// # Errors
/// When the database is not to be had.
pub async fn follow(app: &App) -> AppResult<()> {
    let mut tx = app.begin().await?;
    let seen = anchor::lock_head(&mut tx, 0).await?;
    let (forgotten, carriers) = forgotten(app, &mut tx).await?;
    if !forgotten.is_empty() {
        retire_again(app, &mut tx, &forgotten, &carriers).await?;
        let metadata = json!({
            "incarnation": seen.incarnation, "retirementsReplayed": forgotten.len(), "servers": names(&carriers),
        });
        let target = Target { id: Some(seen.installation_id), kind: "database", name: "database" };
        audit::succeeded(&mut tx, &Actor::system(), "database.restore.follow", Some(target), metadata).await?;
    }
    commit(tx).await?;
    tracing::warn!(
        incarnation = seen.incarnation,
        "following a restored database that was accepted on another dashboard"
    );
    Ok(app.anchor.replace(&app.db).await?)
}

/// A server whose row carries a key that was retired since gets another: the next one of its rotation, which its gateway
/// has, when that is how the old one ended; else a fresh one, which only a new install brings to the box.
async fn retire_again(
    app: &App,
    tx: &mut PgConnection,
    forgotten: &[Retirement],
    carriers: &[Carrier],
) -> AppResult<()> {
    for carrier in carriers {
        let id = ServerId(carrier.server_id);
        match (carrier.present, carrier.next) {
            (false, _) => rotations::cancel(tx, id).await?,
            (true, false) if carrier.rotating => anchor::promote_next_key(tx, carrier.server_id).await?,
            (true, _) => {
                let key = app.entropy.license_key();
                licenses::set_key(tx, id, key.digest(), &seal_key(app, id, &key)?, key.last4()).await?;
            }
        }
    }
    anchor::replay(tx, forgotten).await?;
    Ok(())
}

fn names(carriers: &[Carrier]) -> Vec<String> {
    carriers
        .iter()
        .take(NAMED_MAX)
        .map(|carrier| format!("{} ({})", carrier.server_name, carrier.owner_username))
        .collect()
}
