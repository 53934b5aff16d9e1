//! One's own account.

mod get;
mod passkeys;
mod password;
mod recovery_codes;
mod security;
mod sessions;
mod totp;
mod update;

pub(super) use sessions::SessionsEnded;

use super::AppState;
use crate::app::sessions::Profile;
use proxima_types::{ProofMethod, Role, UserId};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get::me_get, update::me_update))
        .routes(routes!(password::me_change_password))
        .routes(routes!(security::me_security))
        .routes(routes!(totp::me_totp_begin, totp::me_totp_remove))
        .routes(routes!(totp::me_totp_confirm))
        .routes(routes!(passkeys::me_passkeys_options))
        .routes(routes!(passkeys::me_passkeys_add))
        .routes(routes!(passkeys::me_passkeys_rename, passkeys::me_passkeys_remove))
        .routes(routes!(recovery_codes::me_recovery_codes_make))
        .routes(routes!(sessions::me_sessions_list, sessions::me_sessions_revoke_others))
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
    /// Whether this session is good for nothing but choosing a password: somebody else chose the present one.
    pub must_change_password: bool,
    /// Whether this session is good for nothing but adding a second factor, once the password is the person's own.
    pub must_enroll: bool,
    pub second_factor: bool,
    pub second_factor_required: bool,
    pub signed_in_with: ProofMethod,
    /// `null` without a second factor.
    #[schema(required)]
    pub recovery_codes_left: Option<i64>,
}

impl From<Profile> for Me {
    fn from(profile: Profile) -> Self {
        let must_enroll = profile.must_enroll();
        let Profile { user, factors, second_factor_required, signed_in_with, must_change_password } = profile;
        Self {
            id: user.user_id(),
            role: user.role(),
            username: user.username,
            display_name: user.display_name,
            login_slug: user.login_slug,
            must_change_password,
            must_enroll,
            second_factor: factors.any(),
            second_factor_required,
            signed_in_with,
            recovery_codes_left: factors.any().then_some(factors.recovery_codes_left),
        }
    }
}
