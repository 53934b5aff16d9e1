//! Servers: seen and configured by their owner, and by an admin on their behalf.

use super::audit::{self, server_target};
use super::{Actor, AdminActor, App, AppError, AppResult, commit};
use proxima_db::fleet::{AttentionRow, Counts};
use proxima_db::page::Page;
use proxima_db::servers::{Filter, ServerRow};
use proxima_db::{PgConnection, fleet, servers};
use proxima_types::{GatewayConfig, ServerId, ServerName};
use serde_json::json;

/// # Errors
/// When the database is not to be had.
pub async fn list(
    app: &App,
    actor: &Actor,
    filter: &Filter,
    after: Option<&str>,
    limit: u32,
) -> AppResult<Page<ServerRow, String>> {
    Ok(servers::list(&app.db, actor.scope(), filter, after, limit, app.heartbeat_interval()).await?)
}

/// # Errors
/// [`AppError::NotFound`], for another tenant's server too.
pub async fn get(app: &App, actor: &Actor, id: ServerId) -> AppResult<ServerRow> {
    let mut connection = app.db.acquire().await.map_err(proxima_db::DbError::from)?;
    find(app, &mut connection, actor, id).await
}

async fn find(app: &App, connection: &mut PgConnection, actor: &Actor, id: ServerId) -> AppResult<ServerRow> {
    servers::find(connection, actor.scope(), id, app.heartbeat_interval()).await?.ok_or(AppError::NotFound)
}

/// # Errors
/// [`AppError::Invalid`], [`AppError::NotFound`].
pub async fn rename(app: &App, actor: &Actor, id: ServerId, name: &str) -> AppResult<ServerRow> {
    let name = ServerName::parse("name", name)?;
    let mut tx = app.begin().await?;
    let before = find(app, &mut tx, actor, id).await?;
    if !servers::rename(&mut tx, actor.scope(), id, &name).await? {
        return Err(AppError::NotFound);
    }
    let after = find(app, &mut tx, actor, id).await?;
    let metadata = json!({ "name": { "from": before.name, "to": after.name } });
    audit::succeeded(&mut tx, actor, "server.rename", Some(server_target(id, &after.name)), metadata).await?;
    commit(tx).await?;
    Ok(after)
}

/// Replaces the configuration that was edited from generation `edited_from`.
///
/// # Errors
/// [`AppError::Invalid`] with every problem, [`AppError::Stale`] when somebody saved meanwhile,
/// [`AppError::NotFound`].
pub async fn save_config(
    app: &App,
    actor: &Actor,
    id: ServerId,
    edited_from: i64,
    config: &GatewayConfig,
) -> AppResult<ServerRow> {
    config.validate()?;
    let stored = serde_json::to_value(config).map_err(|error| AppError::Internal(error.into()))?;
    let mut tx = app.begin().await?;
    let before = find(app, &mut tx, actor, id).await?;
    if !servers::save_config(&mut tx, actor.scope(), id, edited_from, &stored).await? {
        return Err(AppError::Stale);
    }
    let after = find(app, &mut tx, actor, id).await?;
    let metadata =
        json!({ "generation": after.config_generation, "config": { "from": before.config, "to": after.config } });
    audit::succeeded(&mut tx, actor, "server.config.update", Some(server_target(id, &after.name)), metadata).await?;
    commit(tx).await?;
    app.nudges.request(id);
    Ok(after)
}

/// The fleet at a glance.
///
/// # Errors
/// When the database is not to be had.
pub async fn fleet(app: &App, _admin: &AdminActor) -> AppResult<(Counts, Vec<AttentionRow>)> {
    const ATTENTION_MAX: i64 = 100;
    Ok(fleet::at_a_glance(&app.db, app.heartbeat_interval(), ATTENTION_MAX).await?)
}
