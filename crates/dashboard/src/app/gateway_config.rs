//! The identity that a gateway starts with: `config.json`.

use super::audit::{self, server_target};
use super::licenses::open_key;
use super::{AdminActor, App, AppError, AppResult, commit};
use crate::entropy::EntropyExt as _;
use crate::keyring::{KeyTrouble, Place};
use proxima_db::{licenses, servers};
use proxima_types::identity::{DashboardPublicKey, DashboardUrl, GatewayIdentity};
use proxima_types::{ApiSecret, InstallId};
use serde_json::json;

/// The signing keys that a new installation is to trust.
///
/// # Errors
/// [`AppError::Keys`] when there is none: the gateway would never hear a verdict.
pub(crate) fn signing_keys(app: &App) -> AppResult<Vec<DashboardPublicKey>> {
    let keys = app.keyring.public_keys();
    if keys.is_empty() { Err(KeyTrouble::SigningKeyMissing.into()) } else { Ok(keys) }
}

/// The identity of a customer's gateway, with its newest key and its secret in clear and a fresh install id. Audited.
///
/// # Errors
/// [`AppError::NotFound`] for a user without a server.
pub async fn export(
    app: &App,
    admin: &AdminActor,
    username: &str,
    dashboard_url: DashboardUrl,
) -> AppResult<GatewayIdentity> {
    let mut tx = app.begin().await?;
    let username = username.trim().to_lowercase();
    let id = servers::id_of_username(&mut tx, &username).await?.ok_or(AppError::NotFound)?;
    let sealed = licenses::sealed_secrets(&mut tx, id).await?.ok_or(AppError::NotFound)?;
    let place = Place { table: "servers", row: id.0, column: "api_secret" };
    let secret = app.keyring.open_sealed(place, &sealed.api_secret_ciphertext);
    let secret = secret.map_err(|error| AppError::Internal(error.into()))?;
    let identity = GatewayIdentity {
        dashboard_url,
        dashboard_public_keys: signing_keys(app)?,
        server_id: id,
        api_key: open_key(app, id, &sealed.api_key_ciphertext)?,
        api_secret: ApiSecret::parse(&secret).map_err(|error| AppError::Internal(error.into()))?,
        install_id: InstallId(app.entropy.uuid()),
        management_allow: super::settings::management_allow(&proxima_db::settings::get(&mut *tx).await?),
        config: None,
    };
    let target = server_target(id, &sealed.server_name);
    let metadata = json!({ "ownerUsername": username, "installId": identity.install_id });
    audit::succeeded(&mut tx, admin, "server.config.export", Some(target), metadata).await?;
    commit(tx).await?;
    Ok(identity)
}
