//! One's own account.

mod get;
mod password;
mod sessions;
mod update;

use super::AppState;
use proxima_db::users::UserRow;
use proxima_types::{Role, UserId};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get::me_get, update::me_update))
        .routes(routes!(password::me_change_password))
        .routes(routes!(sessions::me_sessions_list))
        .routes(routes!(sessions::me_sessions_revoke))
}

/// Who is signed in.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    pub id: UserId,
    pub username: String,
    #[schema(required)]
    pub display_name: Option<String>,
    pub role: Role,
    #[schema(required)]
    pub login_slug: Option<String>,
}

impl From<UserRow> for Me {
    fn from(user: UserRow) -> Self {
        Self {
            id: user.user_id(),
            role: user.role(),
            username: user.username,
            display_name: user.display_name,
            login_slug: user.login_slug,
        }
    }
}
