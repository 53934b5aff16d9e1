use crate::http::AppState;
use axum::Json;
use axum::extract::State;
use serde::Serialize;

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignInOptions {
    /// Whether people can sign in here with a passkey.
    pub passkeys: bool,
    /// For which name in the browser's address.
    #[schema(required)]
    pub rp_id: Option<String>,
    /// Why they cannot.
    #[schema(required)]
    pub passkeys_reason: Option<String>,
}

/// How people can sign in here
#[utoipa::path(get, path = "/api/v1/auth/options", tag = "auth", responses((status = 200, body = SignInOptions)))]
pub(super) async fn auth_options(State(app): State<AppState>) -> Json<SignInOptions> {
    Json(match &app.passkeys {
        Ok(party) => SignInOptions { passkeys: true, rp_id: Some(party.rp_id().to_owned()), passkeys_reason: None },
        Err(reason) => SignInOptions { passkeys: false, rp_id: None, passkeys_reason: Some(reason.clone()) },
    })
}
