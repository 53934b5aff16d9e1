//! Recovery codes: ten, shown once, each good once for a sign-in without the second factor.

use super::{lock_own, none_to_have};
use crate::app::audit::{self, user_target};
use crate::app::{Actor, App, AppResult, Proven, commit};
use crate::entropy::typeable;
use proxima_db::{PgConnection, factors};
use proxima_types::UserId;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// To be shown once.
pub type RecoveryCodes = Vec<Zeroizing<String>>;

const COUNT: usize = 10;

/// Of a code as typed. Plain SHA-256 is enough: a code has 120 random bits (ASVS 5.0, 6.5.2 asks for 112).
pub(super) fn digest(code: &str) -> [u8; 32] {
    let plain: Zeroizing<String> =
        Zeroizing::new(code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect());
    Sha256::digest(plain.as_bytes()).into()
}

async fn make(app: &App, tx: &mut PgConnection, user: UserId) -> AppResult<RecoveryCodes> {
    let codes: RecoveryCodes = (0..COUNT).map(|_| typeable(app.entropy.as_ref(), 4, 6)).collect();
    let digests: Vec<[u8; 32]> = codes.iter().map(|code| digest(code)).collect();
    factors::set_recovery_codes(tx, user, &digests).await?;
    Ok(codes)
}

/// Codes for whoever has just added the first factor.
pub(super) async fn codes_of_the_first_factor(
    app: &App,
    tx: &mut PgConnection,
    user: UserId,
) -> AppResult<Option<RecoveryCodes>> {
    match factors::of(&mut *tx, user).await?.recovery_codes_made_at {
        Some(_) => Ok(None),
        None => Ok(Some(make(app, tx, user).await?)),
    }
}

/// Ten new ones; the old ones end.
///
/// # Errors
/// [`crate::app::AppError::NotNow`] `no_second_factor`.
pub async fn make_recovery_codes(app: &App, actor: &Proven<Actor>) -> AppResult<RecoveryCodes> {
    let mut tx = app.begin().await?;
    let user = lock_own(&mut tx, actor).await?;
    let had = factors::of(&mut *tx, user.user_id()).await?;
    if !had.any() {
        return Err(none_to_have());
    }
    let codes = make(app, &mut tx, user.user_id()).await?;
    let metadata = json!({ "leftBefore": had.recovery_codes_left });
    audit::succeeded(&mut tx, actor, "user.recovery_codes.make", Some(user_target(&user)), metadata).await?;
    commit(tx).await?;
    Ok(codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_code_is_typed_does_not_matter() {
        let written = digest("abcdef-ghijkm-npqrst-uvwxyz");
        for typed in ["ABCDEF-GHIJKM-NPQRST-UVWXYZ", " abcdef ghijkm npqrst uvwxyz\n", "abcdefghijkmnpqrstuvwxyz"] {
            assert_eq!(digest(typed), written, "{typed}");
        }
        assert_ne!(digest("abcdef-ghijkm-npqrst-uvwxy2"), written);
    }
}
