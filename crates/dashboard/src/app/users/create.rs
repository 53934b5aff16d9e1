//! Create User: the account, its server, key, secret and audit row in ONE transaction.

use super::input::{display_name, given, login_slug, optional};
use crate::app::anchor;
use crate::app::audit::{self, user_target};
use crate::app::{AdminActor, App, AppError, AppResult, commit};
use crate::entropy::EntropyExt as _;
use crate::keyring::Place;
use proxima_db::users::{NewUser, UserRow, UserWithServer};
use proxima_db::{PgConnection, servers, users};
use proxima_types::{DisplayName, FieldErrors, LoginSlug, Password, Role, ServerId, ServerName, UserId, Username};
use serde_json::json;

/// The form, as typed.
pub struct CreateUser<'a> {
    pub username: &'a str,
    pub password: &'a str,
    /// Its owner has to choose another one at the first sign-in, within 7 days.
    pub temporary_password: bool,
    pub display_name: Option<&'a str>,
    pub login_slug: Option<&'a str>,
    pub role: Role,
    pub server_name: Option<&'a str>,
}

struct Checked {
    username: Username,
    password: Password,
    display_name: Option<DisplayName>,
    login_slug: Option<LoginSlug>,
    role: Role,
    server_name: Option<ServerName>,
}

impl CreateUser<'_> {
    fn check(&self) -> Result<Checked, FieldErrors> {
        let mut errors = FieldErrors::new();
        let username = errors.check(Username::parse(self.username));
        let related: Vec<&str> = [Some(self.username), given(self.display_name)].into_iter().flatten().collect();
        let password = errors.check(Password::parse("password", self.password, &related));
        let display_name = display_name(&mut errors, self.display_name);
        let login_slug = login_slug(&mut errors, self.login_slug);
        let server_name = match self.role {
            Role::Customer => optional(&mut errors, self.server_name, |text| ServerName::parse("serverName", text)),
            Role::Admin => None,
        };
        match (errors.into_result(), username, password) {
            (Ok(()), Some(username), Some(password)) => {
                Ok(Checked { username, password, display_name, login_slug, role: self.role, server_name })
            }
            (Err(errors), ..) => Err(errors),
            (Ok(()), ..) => Err(FieldErrors::new()),
        }
    }
}

/// # Errors
/// [`AppError::Invalid`] with every bad field; [`AppError::Conflict`] naming the field that is taken;
/// [`AppError::StepUpRequired`] for another admin.
/// After any error nothing of the customer exists.
pub async fn create(app: &App, admin: &AdminActor, input: CreateUser<'_>) -> AppResult<UserWithServer> {
    let checked = input.check()?;
    if checked.role == Role::Admin {
        admin.prove()?;
    }
    // Before the transaction: bcrypt takes its time.
    let password_hash = app.passwords.hash(&checked.password).await?;
    let id = UserId(app.entropy.uuid());
    let mut tx = app.begin().await?;
    anchor::guard(app, &mut tx).await?;
    users::insert(
        &mut tx,
        NewUser {
            id,
            username: &checked.username,
            password_hash: &password_hash,
            password_temporary: input.temporary_password,
            display_name: checked.display_name.as_ref(),
            login_slug: checked.login_slug.as_ref(),
            role: checked.role,
        },
    )
    .await?;
    if checked.role == Role::Customer {
        let name = checked.server_name.unwrap_or_else(|| ServerName::default_for(&checked.username));
        provision_server(app, &mut tx, id, &name).await?;
    }
    let created = super::with_server(app, &mut tx, id).await?;
    audit::succeeded(&mut tx, admin, "user.create", Some(user_target(&created.user)), describe(&created)).await?;
    commit(tx).await?;
    Ok(created)
}

/// Inserts a server with a fresh license key and API secret, both sealed for their place.
pub(super) async fn provision_server(
    app: &App,
    connection: &mut PgConnection,
    owner: UserId,
    name: &ServerName,
) -> AppResult<ServerId> {
    let id = ServerId(app.entropy.uuid());
    let (key, secret) = (app.entropy.license_key(), app.entropy.api_secret());
    let entropy = app.entropy.as_ref();
    let seal = |column, text: &str| app.keyring.seal(Place { table: "servers", row: id.0, column }, text, entropy);
    servers::insert(
        connection,
        servers::NewServer {
            id,
            owner,
            name,
            api_key_digest: key.digest(),
            api_key_ciphertext: &seal("api_key", key.expose()).map_err(AppError::Internal)?,
            api_key_last4: key.last4(),
            api_secret_ciphertext: &seal("api_secret", secret.expose()).map_err(AppError::Internal)?,
        },
    )
    .await?;
    Ok(id)
}

fn describe(created: &UserWithServer) -> serde_json::Value {
    let UserRow { role, login_slug, display_name, password_temporary_until, .. } = &created.user;
    json!({
        "role": role,
        "loginSlug": login_slug,
        "displayName": display_name,
        "temporaryPassword": password_temporary_until.is_some(),
        "serverId": created.server.as_ref().map(|server| server.id),
        "serverName": created.server.as_ref().map(|server| &server.name),
    })
}
