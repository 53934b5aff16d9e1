//! Accounts: an admin onboards a customer with one form (product.md section 2).

mod create;
mod delete;
mod input;
mod update;

pub use create::{CreateUser, create};
pub use delete::delete;
pub use update::{UpdateUser, update};

use super::{AdminActor, App, AppError, AppResult};
use proxima_db::page::Page;
use proxima_db::users::{Cursor, Filter, Sort, UserWithServer};
use proxima_db::{PgConnection, servers, users};
use proxima_types::UserId;

/// # Errors
/// When the database is not to be had.
pub async fn list(
    app: &App,
    _admin: &AdminActor,
    filter: &Filter,
    sort: Sort,
    after: Option<&Cursor>,
    limit: u32,
) -> AppResult<Page<UserWithServer, Cursor>> {
    Ok(users::list(&app.db, filter, sort, after, limit, app.heartbeat_interval()).await?)
}

/// # Errors
/// [`AppError::NotFound`].
pub async fn get(app: &App, _admin: &AdminActor, id: UserId) -> AppResult<UserWithServer> {
    let mut connection = app.db.acquire().await.map_err(proxima_db::DbError::from)?;
    with_server(app, &mut connection, id).await
}

async fn with_server(app: &App, connection: &mut PgConnection, id: UserId) -> AppResult<UserWithServer> {
    let user = users::find(&mut *connection, id).await?.ok_or(AppError::NotFound)?;
    let server = servers::find_by_owner(connection, id, app.heartbeat_interval()).await?;
    Ok(UserWithServer { user, server })
}
