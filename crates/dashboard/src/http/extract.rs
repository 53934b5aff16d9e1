//! What handlers take from a request: who asks, and checked input.

use super::AppState;
use super::client_address::ClientAddress;
use crate::app::sessions::{self, Origin, SecretToken};
use crate::app::{Actor, AdminActor, AppError, Proven};
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use cookie::time::Duration;
use proxima_types::FieldError;
use serde::de::DeserializeOwned;
use std::net::IpAddr;

/// A signed-in person, also one who must choose a password or add a second factor before anything else: to say so to them.
pub struct AnySession(pub Actor);

/// A signed-in person, also one who must choose a password before anything else: for that.
pub struct ChoosingPassword(pub Actor);

/// A signed-in person, also one who must add a second factor before anything else: for what that takes.
pub struct Enrolling(pub Actor);

/// A signed-in person.
pub struct SignedIn(pub Actor);

/// A signed-in admin.
pub struct Admin(pub AdminActor);

/// As [`Enrolling`], who showed within the last five minutes that it is them.
pub struct SteppedUpEnrolling(pub Proven<Actor>);

/// A signed-in person who showed within the last five minutes that it is them.
pub struct SteppedUp(pub Proven<Actor>);

/// A signed-in admin who showed within the last five minutes that it is them.
pub struct SteppedUpAdmin(pub Proven<AdminActor>);

/// What our cookies hold.
#[derive(Debug, Clone, Copy)]
pub enum Held {
    Session,
    /// Between the password and the second factor.
    HalfLogin,
    /// That somebody signed in with this browser before.
    Device,
}

/// How long a browser keeps [`Held::Device`]: the longest that browsers grant (RFC 6265bis).
const DEVICE_DAYS: i64 = 400;

impl Held {
    /// `__Host-` binds a cookie to this host and to HTTPS (RFC 6265bis).
    #[must_use]
    pub fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-proxima_session",
            (Self::Session, false) => "proxima_session",
            (Self::HalfLogin, true) => "__Host-proxima_login",
            (Self::HalfLogin, false) => "proxima_login",
            (Self::Device, true) => "__Host-proxima_device",
            (Self::Device, false) => "proxima_device",
        }
    }

    /// Out of scripts' reach, and sent by our own pages only.
    #[must_use]
    pub fn cookie(self, app: &AppState, token: &SecretToken) -> Cookie<'static> {
        let secure = app.config.secure_cookies;
        let cookie = Cookie::build((self.name(secure), token.expose().to_owned()))
            .path("/")
            .http_only(true)
            .secure(secure)
            .same_site(SameSite::Strict);
        match self {
            Self::Session => cookie.build(),
            Self::HalfLogin => cookie.max_age(Duration::minutes(5)).build(),
            Self::Device => cookie.max_age(Duration::days(DEVICE_DAYS)).build(),
        }
    }

    /// Takes it from the browser.
    #[must_use]
    pub fn removal(self, app: &AppState) -> Cookie<'static> {
        let mut cookie = self.cookie(app, &SecretToken::from_cookie(""));
        cookie.make_removal();
        cookie
    }

    pub fn read(self, app: &AppState, headers: &HeaderMap) -> Option<SecretToken> {
        let jar = CookieJar::from_headers(headers);
        jar.get(self.name(app.config.secure_cookies)).map(|cookie| SecretToken::from_cookie(cookie.value()))
    }
}

/// The cookie of a session whose token was changed.
pub fn with_session(app: &AppState, token: &SecretToken) -> CookieJar {
    CookieJar::new().add(Held::Session.cookie(app, token))
}

/// Who asks, behind trusted proxies too.
pub fn client_ip(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ClientAddress>().map(|address| address.0)
}

pub fn origin(app: &AppState, parts: &Parts) -> Origin {
    let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let (device, session) = (Held::Device.read(app, &parts.headers), Held::Session.read(app, &parts.headers));
    Origin { ip: client_ip(parts), user_agent: user_agent.map(str::to_owned), device, session }
}

impl FromRequestParts<AppState> for AnySession {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, AppError> {
        let token = Held::Session.read(app, &parts.headers).ok_or(AppError::Unauthenticated)?;
        let actor = sessions::authenticate(app, &token, client_ip(parts)).await?;
        super::refusals::note_actor(parts, &actor);
        Ok(Self(actor))
    }
}

impl FromRequestParts<AppState> for ChoosingPassword {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, AppError> {
        let AnySession(actor) = AnySession::from_request_parts(parts, app).await?;
        actor.choosing_password().map(Self)
    }
}

impl FromRequestParts<AppState> for Enrolling {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, AppError> {
        let AnySession(actor) = AnySession::from_request_parts(parts, app).await?;
        actor.with_own_password().map(Self)
    }
}

impl FromRequestParts<AppState> for SignedIn {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, AppError> {
        let AnySession(actor) = AnySession::from_request_parts(parts, app).await?;
        actor.enrolled().map(Self)
    }
}

impl FromRequestParts<AppState> for SteppedUpEnrolling {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, AppError> {
        let Enrolling(actor) = Enrolling::from_request_parts(parts, app).await?;
        actor.proven().map(Self)
    }
}

impl FromRequestParts<AppState> for SteppedUp {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, AppError> {
        let SignedIn(actor) = SignedIn::from_request_parts(parts, app).await?;
        actor.proven().map(Self)
    }
}

impl FromRequestParts<AppState> for SteppedUpAdmin {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, AppError> {
        let Admin(admin) = Admin::from_request_parts(parts, app).await?;
        admin.proven().map(Self)
    }
}

impl FromRequestParts<AppState> for Admin {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, AppError> {
        let SignedIn(actor) = SignedIn::from_request_parts(parts, app).await?;
        actor.admin().map(Self)
    }
}

/// A JSON body.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<AppState> for Body<T> {
    type Rejection = AppError;

    async fn from_request(request: Request, app: &AppState) -> Result<Self, AppError> {
        match Json::<T>::from_request(request, app).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(AppError::TooLarge),
            Err(rejection) => Err(refused_body(&rejection).into()),
        }
    }
}

fn refused_body(rejection: &JsonRejection) -> FieldError {
    let message = match rejection {
        JsonRejection::MissingJsonContentType(_) => "Send JSON with Content-Type: application/json.".to_owned(),
        JsonRejection::JsonSyntaxError(_) => "The body is not valid JSON.".to_owned(),
        other => other.body_text(),
    };
    FieldError::new("body", "invalid", message)
}

/// The query's parameters.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<AppState> for Params<T> {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, AppError> {
        match Query::<T>::from_request_parts(parts, app).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => Err(FieldError::new("query", "invalid", rejection.body_text()).into()),
        }
    }
}

/// An id in the path. One that is not an id is one that does not exist.
pub struct Id<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for Id<T> {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, AppError> {
        match Path::<T>::from_request_parts(parts, app).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(_) => Err(AppError::NotFound),
        }
    }
}

/// An optional cursor and page length, as every list takes them.
pub mod paging {
    use crate::app::AppError;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proxima_types::FieldError;
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    const LIMIT_DEFAULT: u32 = 50;
    const LIMIT_MAX: u32 = 200;

    pub fn limit(asked: Option<u32>) -> Result<u32, AppError> {
        match asked.unwrap_or(LIMIT_DEFAULT) {
            limit @ 1..=LIMIT_MAX => Ok(limit),
            _ => Err(FieldError::new("limit", "out_of_range", format!("Ask for 1 to {LIMIT_MAX} items.")).into()),
        }
    }

    pub fn encode<K: Serialize>(key: &K) -> Option<String> {
        serde_json::to_vec(key).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
    }

    pub fn decode<K: DeserializeOwned>(cursor: Option<&str>) -> Result<Option<K>, AppError> {
        let Some(cursor) = cursor else { return Ok(None) };
        URL_SAFE_NO_PAD
            .decode(cursor)
            .ok()
            .and_then(|json| serde_json::from_slice(&json).ok())
            .map(Some)
            .ok_or_else(|| FieldError::new("cursor", "invalid", "Use the nextCursor of the page before.").into())
    }
}

/// `null` clears a field, its absence leaves it: `Some(None)` against `None`.
pub fn present<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: serde::Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    serde::Deserialize::deserialize(deserializer).map(Some)
}
