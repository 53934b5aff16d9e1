//! Attempts to prove who one is, with a delay that grows: counted for each account and each address, charged before the
//! attempt so that attempts at the same time count too, and refused before bcrypt costs anything.
//!
//! A browser that a person signed in with before has a count of its own (OWASP "device cookies"), so nobody is locked out
//! by strangers' failures. What is counted is kept as keyed digests: people type passwords into the name's field.

use super::{App, AppError, AppResult};
use proxima_db::PgConnection;
use proxima_db::throttles::{self, Charge};
use proxima_types::UserId;
use sha2::{Digest as _, Sha256};
use std::net::IpAddr;

/// What an attempt is counted for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject<'a> {
    /// Passwords for an account …
    Account(UserId),
    /// … for a name that nobody has, which is treated the same …
    Name(&'a str),
    /// … and from one browser of that person.
    Device(UserId, &'a [u8; 32]),
    /// Anything from one address.
    Address(IpAddr),
    /// Challenges for passkeys that somebody at an address asks for.
    Challenge(IpAddr),
    /// Second factors of a sign-in.
    Factor(UserId),
    /// Proofs within a session: step-up, one's present password.
    Proof(UserId),
}

impl Subject<'_> {
    /// Failures that cost nothing. Behind one address there may be an office.
    fn free(self) -> i32 {
        match self {
            Self::Address(_) => 50,
            Self::Challenge(_) => 200,
            _ => 5,
        }
    }

    fn charge(self, app: &App) -> Charge {
        let mut hash = Sha256::new_with_prefix(app.keyring.pepper());
        match self {
            Self::Account(id) => hash.update([&b"account "[..], id.0.as_bytes()].concat()),
            Self::Name(name) => hash.update([b"name ", name.as_bytes()].concat()),
            Self::Device(id, digest) => hash.update([&b"device "[..], id.0.as_bytes(), digest].concat()),
            Self::Address(address) => hash.update([b"address ", network(address).as_slice()].concat()),
            Self::Challenge(address) => hash.update([b"challenge ", network(address).as_slice()].concat()),
            Self::Factor(id) => hash.update([&b"factor "[..], id.0.as_bytes()].concat()),
            Self::Proof(id) => hash.update([&b"proof "[..], id.0.as_bytes()].concat()),
        }
        Charge { key: hash.finalize().into(), free: self.free() }
    }
}

/// IPv6 by /64, which one customer of a provider has.
fn network(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets()[..8].to_vec(),
    }
}

/// Forgets a person's failures, when another admin or the console let them in anew.
///
/// # Errors
/// When the database is not to be had.
pub(super) async fn forgive(app: &App, connection: &mut PgConnection, user: UserId) -> AppResult<()> {
    for subject in [Subject::Account(user), Subject::Factor(user), Subject::Proof(user)] {
        throttles::clear(connection, subject.charge(app).key).await?;
    }
    Ok(())
}

/// An attempt that was charged. Dropped, it counts as a failure.
pub(super) struct Attempt {
    clear: Vec<[u8; 32]>,
    refund: Vec<[u8; 32]>,
}

/// Charges an attempt.
///
/// # Errors
/// [`AppError::TooMany`]: too many failures; then nothing may be checked.
pub(super) async fn attempt(app: &App, subjects: &[Subject<'_>]) -> AppResult<Attempt> {
    let charges: Vec<Charge> = subjects.iter().map(|subject| subject.charge(app)).collect();
    if let Some(wait) = throttles::charge(&app.db, &charges).await? {
        metrics::counter!("proxima_throttled_attempts_total").increment(1);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at most 900
        return Err(AppError::TooMany { retry_after_seconds: wait.ceil().clamp(1.0, 900.0) as u32 });
    }
    let (mut clear, mut refund) = (Vec::new(), Vec::new());
    for (subject, charge) in subjects.iter().zip(charges) {
        // One success forgives an account's failures, not those of everybody at an address.
        if matches!(subject, Subject::Address(_)) { &mut refund } else { &mut clear }.push(charge.key);
    }
    Ok(Attempt { clear, refund })
}

impl Attempt {
    /// # Errors
    /// When the database is not to be had.
    pub(super) async fn succeeded(self, connection: &mut PgConnection) -> AppResult<()> {
        for key in self.clear {
            throttles::clear(connection, key).await?;
        }
        for key in self.refund {
            throttles::refund(connection, key).await?;
        }
        Ok(())
    }
}
