//! Edit: username, password, display name, slug, role; a change of role makes or deletes a server.

use super::create::provision_server;
use super::delete;
use super::input::{display_name, given, login_slug, optional};
use crate::app::anchor;
use crate::app::audit::{self, user_target};
use crate::app::{AdminActor, App, AppError, AppResult, commit, throttle};
use proxima_db::users::{UserRow, UserWithServer};
use proxima_db::{servers, sessions, throttles, users};
use proxima_types::{FieldError, FieldErrors, Password, Role, ServerName, UserId, Username};
use serde_json::{Map, Value, json};

/// What was typed. An outer `None` leaves the field as it is; an inner `None` clears it.
#[derive(Default)]
pub struct UpdateUser<'a> {
    pub username: Option<&'a str>,
    pub password: Option<&'a str>,
    /// Its owner has to choose another one at the next sign-in, within 7 days.
    pub temporary_password: bool,
    pub display_name: Option<Option<&'a str>>,
    pub login_slug: Option<Option<&'a str>>,
    pub role: Option<Role>,
    /// For the server that Admin → Customer provisions.
    pub server_name: Option<&'a str>,
    /// The username, typed, to confirm that Customer → Admin deletes the server.
    pub confirm_server_deletion: Option<&'a str>,
}

/// Another username, password or role is what somebody signs in with: that takes a step-up.
///
/// # Errors
/// [`AppError::Invalid`], [`AppError::Conflict`], [`AppError::ConfirmationRequired`], [`AppError::StepUpRequired`],
/// [`AppError::LastAdmin`], [`AppError::NotFound`].
pub async fn update(app: &App, admin: &AdminActor, id: UserId, input: UpdateUser<'_>) -> AppResult<UserWithServer> {
    let before = users::find(&app.db, id).await?.ok_or(AppError::NotFound)?;
    let mut errors = FieldErrors::new();
    let changed = apply(&before, &input, &mut errors);
    let password = new_password(&changed, &input, &mut errors);
    if input.temporary_password {
        check_temporary(admin, id, password.is_some(), &mut errors);
    }
    let server_name = optional(&mut errors, input.server_name, |text| ServerName::parse("serverName", text));
    if before.username != changed.username || before.role != changed.role || password.is_some() {
        admin.prove()?;
    }
    errors.into_result()?;
    let password_hash = match &password {
        Some(password) => Some(app.passwords.hash(password).await?),
        None => None,
    };

    let mut tx = app.begin().await?;
    if input.role.is_some() {
        anchor::guard(app, &mut tx).await?;
    }
    let admins = if input.role.is_some() { users::lock_admins(&mut tx).await? } else { 0 };
    let current = users::lock(&mut tx, id).await?.ok_or(AppError::NotFound)?;
    let changed = apply(&current, &input, &mut FieldErrors::new());
    let role_changes = current.role() != changed.role();
    if role_changes || current.username != changed.username {
        admin.prove()?;
    }
    let mut left_behind = None;
    if role_changes && changed.role() == Role::Admin {
        confirm_deletion(&current, &input)?;
        let server = servers::find_by_owner(&mut tx, id, app.heartbeat_interval()).await?;
        left_behind = delete::gateway(&mut tx, server.as_ref()).await?;
        servers::delete_of_owner(&mut tx, id).await?;
    }
    if role_changes && changed.role() == Role::Customer && admins <= 1 {
        return Err(AppError::LastAdmin);
    }
    users::update(&mut tx, &changed).await?;
    if role_changes && changed.role() == Role::Customer {
        let username = Username::parse(&changed.username)?;
        let name = server_name.unwrap_or_else(|| ServerName::default_for(&username));
        provision_server(app, &mut tx, id, &name).await?;
    }
    if let Some(hash) = &password_hash {
        users::set_password_hash(&mut tx, id, hash, input.temporary_password).await?;
        throttle::forgive(app, &mut tx, id).await?;
    }
    if role_changes || password_hash.is_some() {
        let own = if admin.user_id == Some(id) { admin.session_id } else { None };
        sessions::end_all(&mut tx, id, own).await?;
        throttles::forget_devices(&mut tx, id).await?;
    }
    let metadata = describe(&current, &changed, password_hash.as_ref().map(|_| input.temporary_password));
    let updated = super::with_server(app, &mut tx, id).await?;
    audit::succeeded(&mut tx, admin, "user.update", Some(user_target(&updated.user)), metadata).await?;
    commit(tx).await?;
    left_behind.into_iter().for_each(|gateway| app.nudges.request_of_deleted(gateway));
    Ok(updated)
}

/// The account with the typed values; what is not valid goes to `errors`.
fn apply(before: &UserRow, input: &UpdateUser<'_>, errors: &mut FieldErrors) -> UserRow {
    let mut user = before.clone();
    if let Some(name) = input.username.and_then(|text| errors.check(Username::parse(text))) {
        user.username = name.as_str().to_owned();
    }
    if let Some(text) = input.display_name {
        user.display_name = display_name(errors, text).map(|name| name.as_str().to_owned());
    }
    if let Some(text) = input.login_slug {
        user.login_slug = login_slug(errors, text).map(|slug| slug.as_str().to_owned());
    }
    if let Some(role) = input.role {
        user.role = role.as_str().to_owned();
    }
    user
}

fn new_password(user: &UserRow, input: &UpdateUser<'_>, errors: &mut FieldErrors) -> Option<Password> {
    let text = input.password.filter(|text| !text.is_empty())?;
    let related: Vec<&str> =
        [Some(user.username.as_str()), given(user.display_name.as_deref())].into_iter().flatten().collect();
    errors.check(Password::parse("password", text, &related))
}

/// A password is temporary from the moment it is set, and one's own is not somebody else's choice.
fn check_temporary(admin: &AdminActor, id: UserId, given: bool, errors: &mut FieldErrors) {
    if admin.user_id == Some(id) {
        let message = "Your own password cannot be temporary. Leave this out.";
        errors.push(FieldError::new("temporaryPassword", "own", message));
    } else if !given && errors.is_empty() {
        let message = "Only a new password can be temporary. Send one along.";
        errors.push(FieldError::new("temporaryPassword", "without_password", message));
    }
}

fn confirm_deletion(user: &UserRow, input: &UpdateUser<'_>) -> AppResult<()> {
    if input.confirm_server_deletion == Some(user.username.as_str()) {
        return Ok(());
    }
    Err(AppError::ConfirmationRequired(format!(
        "Making {} an admin deletes their server: its gateway stops at its next heartbeat. Type the username to confirm.",
        user.username
    )))
}

/// Each changed field, from what to what; of a password only that it changed, and whether the new one is temporary.
fn describe(before: &UserRow, after: &UserRow, new_password: Option<bool>) -> Value {
    let mut changes = Map::new();
    let mut note = |field: &str, from: Value, to: Value| {
        if from != to {
            changes.insert(field.to_owned(), json!({ "from": from, "to": to }));
        }
    };
    note("username", json!(before.username), json!(after.username));
    note("displayName", json!(before.display_name), json!(after.display_name));
    note("loginSlug", json!(before.login_slug), json!(after.login_slug));
    note("role", json!(before.role), json!(after.role));
    if let Some(temporary) = new_password {
        changes.insert("password".to_owned(), json!("changed"));
        changes.insert("temporaryPassword".to_owned(), json!(temporary));
    }
    Value::Object(changes)
}
