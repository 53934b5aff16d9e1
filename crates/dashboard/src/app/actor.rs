//! Who acts. Identity comes from the credential, never from the body or path (invariant 7).

use super::{AppError, AppResult};
use chrono::{DateTime, Utc};
use proxima_db::servers::Scope;
use proxima_types::{ProofMethod, Role, SessionId, UserId};
use std::net::IpAddr;

/// A signed-in person, as the session says.
#[derive(Debug, Clone)]
pub struct Actor {
    pub user_id: Option<UserId>,
    pub username: String,
    pub role: Role,
    pub session_id: Option<SessionId>,
    pub ip: Option<IpAddr>,
    pub standing: Standing,
}

/// How sure it is that the actor is who they are.
#[derive(Debug, Clone, Copy)]
pub enum Standing {
    /// The console and the product itself.
    Trusted,
    /// Somebody on the way to a session: may do nothing yet.
    SigningIn,
    Session(SessionStanding),
}

/// What a session knows of its person.
#[derive(Debug, Clone, Copy)]
pub struct SessionStanding {
    pub signed_in_with: ProofMethod,
    /// `None` when the last proof is more than five minutes old.
    pub stepped_up_until: Option<DateTime<Utc>>,
    pub totp: bool,
    pub passkeys: bool,
    /// Signed in with a password that somebody else chose: may choose another, or sign out.
    pub must_change_password: bool,
    /// Somebody without the second factor that their role needs: may add one, or sign out.
    pub must_enroll: bool,
}

impl SessionStanding {
    /// How this person can show that it is them.
    fn methods(&self) -> Vec<ProofMethod> {
        let own =
            [(true, ProofMethod::Password), (self.totp, ProofMethod::Totp), (self.passkeys, ProofMethod::Passkey)];
        own.into_iter().filter_map(|(has, method)| has.then_some(method)).collect()
    }
}

impl Actor {
    /// Whoever can run commands on the dashboard's machine.
    #[must_use]
    pub fn console() -> Proven<AdminActor> {
        Proven(AdminActor(Self { username: "console".to_owned(), ..Self::system() }))
    }

    /// The product itself: expiries, sweeps.
    #[must_use]
    pub fn system() -> Self {
        Self {
            user_id: None,
            username: "system".to_owned(),
            role: Role::Admin,
            session_id: None,
            ip: None,
            standing: Standing::Trusted,
        }
    }

    /// Somebody whose name nobody has, for the audit log alone.
    #[must_use]
    pub(super) fn anonymous(ip: Option<IpAddr>) -> Self {
        Self {
            username: "anonymous".to_owned(),
            role: Role::Customer,
            ip,
            standing: Standing::SigningIn,
            ..Self::system()
        }
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

    /// # Errors
    /// [`AppError::PasswordChangeRequired`] for whoever must choose a password of their own first.
    pub fn with_own_password(self) -> AppResult<Self> {
        match self.standing {
            Standing::Session(SessionStanding { must_change_password: true, .. }) => {
                Err(AppError::PasswordChangeRequired)
            }
            _ => Ok(self),
        }
    }

    /// # Errors
    /// As [`Self::with_own_password`]; [`AppError::EnrollmentRequired`] for whoever must add a second factor first.
    pub fn enrolled(self) -> AppResult<Self> {
        let actor = self.with_own_password()?;
        match actor.standing {
            Standing::Session(SessionStanding { must_enroll: true, .. }) => Err(AppError::EnrollmentRequired),
            _ => Ok(actor),
        }
    }

    /// # Errors
    /// [`AppError::EnrollmentRequired`], but not for whoever must choose a password before that.
    pub fn choosing_password(self) -> AppResult<Self> {
        match self.standing {
            Standing::Session(SessionStanding { must_change_password: true, .. }) => Ok(self),
            _ => self.enrolled(),
        }
    }

    /// # Errors
    /// [`AppError::StepUpRequired`] when this person last showed that it is them more than five minutes ago.
    pub fn proven(self) -> AppResult<Proven<Self>> {
        self.require_proof()?;
        Ok(Proven(self))
    }

    fn require_proof(&self) -> AppResult<()> {
        match &self.standing {
            Standing::Trusted | Standing::Session(SessionStanding { stepped_up_until: Some(_), .. }) => Ok(()),
            Standing::Session(standing) => Err(AppError::StepUpRequired { methods: standing.methods() }),
            Standing::SigningIn => Err(AppError::Unauthenticated),
        }
    }
}

/// Proof that the actor is an admin: use cases for admins take this type.
#[derive(Debug, Clone)]
pub struct AdminActor(Actor);

impl AdminActor {
    /// # Errors
    /// As [`Actor::proven`].
    pub fn proven(self) -> AppResult<Proven<Self>> {
        self.require_proof()?;
        Ok(Proven(self))
    }

    /// As [`Self::proven`], for use cases of which only some inputs are privileged.
    ///
    /// # Errors
    /// As [`Actor::proven`].
    pub fn prove(&self) -> AppResult<Proven<&Self>> {
        self.require_proof()?;
        Ok(Proven(self))
    }
}

impl std::ops::Deref for AdminActor {
    type Target = Actor;
    fn deref(&self) -> &Actor {
        &self.0
    }
}

/// Proof that the actor showed within the last five minutes that it is them ("step-up"): privileged use cases take this
/// type. Only this module makes one.
#[derive(Debug, Clone)]
pub struct Proven<A>(A);

impl<A> std::ops::Deref for Proven<A> {
    type Target = A;
    fn deref(&self) -> &A {
        &self.0
    }
}
