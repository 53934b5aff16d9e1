use super::Me;
use crate::app::{AppError, sessions};
use crate::http::AppState;
use crate::http::extract::{Body, SignedIn};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateMeRequest {
    /// `null` shows the username instead.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    pub display_name: Option<String>,
}

/// Change one's own display name
#[utoipa::path(patch, path = "/api/v1/me", tag = "me", security(("session" = [])), request_body = UpdateMeRequest,
    responses((status = 200, body = Me), (status = 401, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn me_update(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Body(input): Body<UpdateMeRequest>,
) -> Result<Json<Me>, AppError> {
    Ok(Json(sessions::set_display_name(&app, &actor, input.display_name.as_deref()).await?.into()))
}
