//! Who acts. Identity comes from the credential, never from the body or path (invariant 7).

use super::{AppError, AppResult};
use proxima_db::servers::Scope;
use proxima_types::{Role, SessionId, UserId};
use std::net::IpAddr;

/// A signed-in person, as the session says.
#[derive(Debug, Clone)]
pub struct Actor {
    pub user_id: Option<UserId>,
    pub username: String,
    pub role: Role,
    pub session_id: Option<SessionId>,
    pub ip: Option<IpAddr>,
}

impl Actor {
    /// Whoever can run commands on the dashboard's machine.
    #[must_use]
    pub fn console() -> AdminActor {
        AdminActor(Self {
            user_id: None,
            username: "console".to_owned(),
            role: Role::Admin,
            session_id: None,
            ip: None,
        })
    }

    /// The product itself: expiries, sweeps.
    #[must_use]
    pub fn system() -> Self {
        Self { user_id: None, username: "system".to_owned(), role: Role::Admin, session_id: None, ip: None }
    }

    /// Whose servers this person may see.
    #[must_use]
    pub fn scope(&self) -> Scope {
        match self.role {
            Role::Admin => Scope::All,
            Role::Customer => Scope::OwnedBy(self.user_id.unwrap_or(UserId(uuid::Uuid::nil()))),
        }
    }

    /// # Errors
    /// [`AppError::Forbidden`] for everybody but an admin.
    pub fn admin(self) -> AppResult<AdminActor> {
        match self.role {
            Role::Admin => Ok(AdminActor(self)),
            Role::Customer => Err(AppError::Forbidden),
        }
    }
}

/// Proof that the actor is an admin: use cases for admins take this type.
#[derive(Debug, Clone)]
pub struct AdminActor(Actor);

impl std::ops::Deref for AdminActor {
    type Target = Actor;
    fn deref(&self) -> &Actor {
        &self.0
    }
}
