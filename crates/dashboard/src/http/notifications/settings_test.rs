use crate::app::{AppError, notifications};
use crate::http::AppState;
use crate::http::extract::{Body, SteppedUpAdmin};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestMailRequest {
    pub recipient: String,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestMailResult {
    /// Whether the server took it.
    pub accepted: bool,
    pub message: String,
    /// The server's own words.
    #[schema(required)]
    pub answer: Option<String>,
}

/// Send a test mail now; at most 15 seconds
#[utoipa::path(post, path = "/api/v1/notifications/settings/test", tag = "notifications", security(("session" = [])),
    request_body = TestMailRequest,
    responses((status = 200, body = TestMailResult), (status = 401, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn notification_settings_test(
    State(app): State<AppState>,
    SteppedUpAdmin(admin): SteppedUpAdmin,
    Body(input): Body<TestMailRequest>,
) -> Result<Json<TestMailResult>, AppError> {
    let sent = notifications::test_mail(&app, &admin, &input.recipient).await?;
    Ok(Json(TestMailResult { accepted: sent.accepted, message: sent.message, answer: sent.answer }))
}
