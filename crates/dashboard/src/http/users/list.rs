use super::User;
use crate::app::{AppError, users};
use crate::http::AppState;
use crate::http::extract::{Admin, Params, paging};
use crate::http::problem::Problem;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use proxima_db::users::{Cursor, Filter, Sort};
use proxima_types::{FieldError, LicenseStatus, Role, ServerStatus};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UsersQuery {
    /// A part of the username, display name or server name.
    pub search: Option<String>,
    pub role: Option<Role>,
    pub license_status: Option<LicenseStatus>,
    pub server_status: Option<ServerStatus>,
    #[param(inline)]
    pub sort: Option<UserSort>,
    pub cursor: Option<String>,
    /// 1 to 200, by default 50.
    pub limit: Option<u32>,
}

#[derive(Deserialize, utoipa::ToSchema, Clone, Copy)]
pub enum UserSort {
    #[serde(rename = "username")]
    Username,
    #[serde(rename = "-username")]
    UsernameDescending,
    #[serde(rename = "createdAt")]
    CreatedAt,
    #[serde(rename = "-createdAt")]
    CreatedAtDescending,
}

#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserPage {
    pub items: Vec<User>,
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// How a cursor is written: the key of the last row, of the kind that the sort needs.
#[derive(Serialize, Deserialize)]
enum Key {
    Username(String),
    CreatedAt(DateTime<Utc>, Uuid),
}

/// List users
#[utoipa::path(get, path = "/api/v1/users", tag = "users", security(("session" = [])), params(UsersQuery),
    responses((status = 200, body = UserPage), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 422, body = Problem)))]
pub(super) async fn users_list(
    State(app): State<AppState>,
    Admin(admin): Admin,
    Params(query): Params<UsersQuery>,
) -> Result<Json<UserPage>, AppError> {
    let sort = match query.sort.unwrap_or(UserSort::Username) {
        UserSort::Username => Sort::Username,
        UserSort::UsernameDescending => Sort::UsernameDescending,
        UserSort::CreatedAt => Sort::CreatedAt,
        UserSort::CreatedAtDescending => Sort::CreatedAtDescending,
    };
    let after = after(query.cursor.as_deref(), sort)?;
    let filter = Filter {
        search: searchable(query.search),
        role: query.role,
        license_status: query.license_status,
        server_status: query.server_status,
    };
    let page = users::list(&app, &admin, &filter, sort, after.as_ref(), paging::limit(query.limit)?).await?;
    let next_cursor = page.next.and_then(|cursor| {
        paging::encode(&match cursor {
            Cursor::Username(name) => Key::Username(name),
            Cursor::CreatedAt(time, id) => Key::CreatedAt(time, id),
        })
    });
    Ok(Json(UserPage { items: page.items.into_iter().map(User::from).collect(), next_cursor }))
}

fn after(cursor: Option<&str>, sort: Sort) -> Result<Option<Cursor>, AppError> {
    let by_name = matches!(sort, Sort::Username | Sort::UsernameDescending);
    match (paging::decode::<Key>(cursor)?, by_name) {
        (None, _) => Ok(None),
        (Some(Key::Username(name)), true) => Ok(Some(Cursor::Username(name))),
        (Some(Key::CreatedAt(time, id)), false) => Ok(Some(Cursor::CreatedAt(time, id))),
        _ => Err(FieldError::new("cursor", "invalid", "This cursor is of a list in another order.").into()),
    }
}

/// A search text that PostgreSQL takes: a NUL matches nothing, so it is as if nobody had typed it.
pub fn searchable(text: Option<String>) -> Option<String> {
    text.map(|text| text.replace('\0', "").trim().to_owned()).filter(|text| !text.is_empty())
}
