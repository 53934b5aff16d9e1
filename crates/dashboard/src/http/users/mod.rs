//! Admin → Users.

mod create;
mod delete;
mod get;
pub(super) mod list;
mod second_factor;
mod sessions;
mod update;

use super::AppState;
use super::servers::Server;
use chrono::{DateTime, Utc};
use proxima_db::users::UserWithServer;
use proxima_types::{Role, UserId};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list::users_list, create::users_create))
        .routes(routes!(get::users_get, update::users_update, delete::users_delete))
        .routes(routes!(second_factor::users_second_factor_get, second_factor::users_second_factor_reset))
        .routes(routes!(sessions::users_sessions_end))
}

/// An account, with the server that a customer owns.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    pub id: UserId,
    pub username: String,
    #[schema(required)]
    pub display_name: Option<String>,
    pub role: Role,
    #[schema(required)]
    pub login_slug: Option<String>,
    pub created_at: DateTime<Utc>,
    /// Until when a temporary password signs in; `null` once its owner has chosen one.
    #[schema(required)]
    pub password_temporary_until: Option<DateTime<Utc>>,
    #[schema(required)]
    pub server: Option<Server>,
}

impl From<UserWithServer> for User {
    fn from(UserWithServer { user, server }: UserWithServer) -> Self {
        Self {
            id: user.user_id(),
            role: user.role(),
            username: user.username,
            display_name: user.display_name,
            login_slug: user.login_slug,
            created_at: user.created_at,
            password_temporary_until: user.password_temporary_until,
            server: server.map(Server::from),
        }
    }
}
