//! Personal login pages.

use super::AppState;
use super::extract::Id;
use crate::app::AppError;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(login_pages_get))
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoginPage {
    /// Whom to greet; `null` for a slug that nobody has, whose page looks exactly like `/login`.
    #[schema(required)]
    pub display_name: Option<String>,
}

/// Greeting of a personal login page
#[utoipa::path(get, path = "/api/v1/login-pages/{slug}", tag = "auth", params(("slug" = String, Path)),
    responses((status = 200, body = LoginPage)))]
async fn login_pages_get(State(app): State<AppState>, Id(slug): Id<String>) -> Result<Json<LoginPage>, AppError> {
    let display_name =
        if slug.contains('\0') { None } else { proxima_db::users::display_name_of_slug(&app.db, &slug).await? };
    Ok(Json(LoginPage { display_name }))
}
