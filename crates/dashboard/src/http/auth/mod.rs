//! Signing in and out.

mod login;
mod logout;

use super::AppState;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(login::auth_login)).routes(routes!(logout::auth_logout))
}
