//! What a job's steps need from the dashboard: above all an install's `config.json`.

use super::lease::Lease;
use crate::app::{App, AppError, AppResult};
use crate::config::parse_network;
use crate::entropy::EntropyExt as _;
use crate::keyring::Place;
use proxima_db::PgConnection;
use proxima_db::jobs::running::{self, Taken};
use proxima_db::licenses::{self, SealedSecrets};
use proxima_db::settings::{self, SettingsRow};
use proxima_installer::JobInputs;
use proxima_installer::run::AccessWish;
use proxima_types::gateway_config::MANAGEMENT_PORT;
use proxima_types::identity::{DashboardUrl, GatewayIdentity};
use proxima_types::setup::ConfigText;
use proxima_types::{ApiSecret, GatewayConfig, InstallId, JobKind, ServerId};

/// A job's inputs, and for an install the id of the installation that it makes.
pub(super) async fn of(app: &App, taken: &Taken, lease: &Lease) -> AppResult<(JobInputs, Option<InstallId>)> {
    let server = ServerId(taken.server_id);
    let dashboard_url = gateway_url(app)?;
    let settings = settings::get(&app.db).await?;
    let is_install = taken.kind() == JobKind::Install;
    let (config, install) = if is_install {
        let (config, install) = config(app, taken, lease, &settings).await?;
        (Some(config), Some(install))
    } else {
        (None, None)
    };
    // An install trades for a key of the server's own; an uninstall takes it off the box.
    let keeps_no_key = matches!(taken.kind(), JobKind::Update | JobKind::Restart);
    let access = (!keeps_no_key).then(|| AccessWish { server_id: server.0, allow_from: networks(&settings) });
    let inputs = JobInputs {
        dashboard_url,
        config,
        replace_other_server: taken.replace_other_server,
        ports: ports(app, server).await?,
        access,
    };
    Ok((inputs, install))
}

fn gateway_url(app: &App) -> AppResult<DashboardUrl> {
    app.config.gateway_url.clone().ok_or_else(crate::app::jobs::no_gateway_url)
}

fn networks(settings: &SettingsRow) -> Vec<ipnet::IpNet> {
    settings.dashboard_ip_allowlist.iter().filter_map(|text| parse_network(text).ok()).collect()
}

/// What the gateway will listen on.
pub(crate) async fn ports(app: &App, server: ServerId) -> AppResult<Vec<u16>> {
    let row = crate::app::servers::get(app, &crate::app::Actor::system(), server).await?;
    let config: GatewayConfig = serde_json::from_value(row.config).unwrap_or_default();
    Ok(config.listeners.iter().map(|listener| listener.port).chain([MANAGEMENT_PORT]).collect())
}

/// The `config.json` with the newest license key (the next one while a rotation is open), and with an install id and a
/// secret that are this job's own: a resumed install writes the same.
async fn config(app: &App, taken: &Taken, lease: &Lease, settings: &SettingsRow) -> AppResult<(ConfigText, InstallId)> {
    let (install_id, api_secret) = identity(app, taken, lease).await?;
    let mut connection = app.db.acquire().await.map_err(proxima_db::DbError::from)?;
    let text = config_text(app, &mut connection, ServerId(taken.server_id), settings, install_id, api_secret).await?;
    Ok((text, install_id))
}

/// The `config.json` of an installation of this server with this id and secret.
pub(crate) async fn config_text(
    app: &App,
    connection: &mut PgConnection,
    server_id: ServerId,
    settings: &SettingsRow,
    install_id: InstallId,
    api_secret: ApiSecret,
) -> AppResult<ConfigText> {
    let sealed = licenses::sealed_secrets(connection, server_id).await?;
    let SealedSecrets { api_key_ciphertext, .. } = sealed.ok_or(AppError::NotFound)?;
    let api_key = crate::app::licenses::open_key(app, server_id, &api_key_ciphertext)?;
    let identity = GatewayIdentity {
        dashboard_url: gateway_url(app)?,
        dashboard_public_keys: crate::app::gateway_config::signing_keys(app)?,
        server_id,
        api_key,
        api_secret,
        install_id,
        management_allow: crate::app::settings::management_allow(settings),
        config: None,
    };
    Ok(ConfigText::new(identity.to_json()))
}

pub(crate) fn secret_place(job: uuid::Uuid) -> Place<'static> {
    Place { table: "jobs", row: job, column: "api_secret" }
}

async fn identity(app: &App, taken: &Taken, lease: &Lease) -> AppResult<(InstallId, ApiSecret)> {
    if let (Some(install), Some(sealed)) = (taken.install_id, &taken.api_secret_ciphertext) {
        return Ok((InstallId(install), open_api_secret(app, taken, sealed)?));
    }
    let (install, secret) = (InstallId(app.entropy.uuid()), app.entropy.api_secret());
    let sealed =
        app.keyring.seal(secret_place(taken.id), secret.expose(), app.entropy.as_ref()).map_err(AppError::Internal)?;
    if !running::set_identity(&app.db, lease.hold, install, &sealed).await? {
        return Err(AppError::Unavailable(anyhow::anyhow!("the job is with another dashboard")));
    }
    Ok((install, secret))
}

/// The secret that an install gives its gateway.
pub(crate) fn open_api_secret(app: &App, taken: &Taken, sealed: &[u8]) -> AppResult<ApiSecret> {
    let secret =
        app.keyring.open_sealed(secret_place(taken.id), sealed).map_err(|error| AppError::Internal(error.into()))?;
    ApiSecret::parse(&secret).map_err(|error| AppError::Internal(error.into()))
}
