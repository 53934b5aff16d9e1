//! Wrong judges: the real one with one defect each.

use proxima_gateway::agent::judge::{HttpOutcome, Silence, StopReason, Verdict, judge};
use proxima_signing::Expected;
use proxima_types::LicenseStatus;
use proxima_types::identity::DashboardPublicKey;
use std::cell::RefCell;

type Keys = [DashboardPublicKey];

fn said_expired(outcome: &HttpOutcome) -> bool {
    let HttpOutcome::Answer(answer) = outcome else { return false };
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    answer.status == 200 && body["status"] == "EXPIRED"
}

pub(crate) fn trusts_unsigned(outcome: &HttpOutcome, keys: &Keys, expected: Expected<'_>) -> Verdict {
    match judge(outcome, keys, expected) {
        Verdict::Silence(Silence::NotAuthentic { .. }) if said_expired(outcome) => Verdict::Stop(StopReason::Expired),
        verdict => verdict,
    }
}

thread_local! {
    static NONCES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn accepts_replays(outcome: &HttpOutcome, keys: &Keys, expected: Expected<'_>) -> Verdict {
    NONCES.with_borrow_mut(|nonces| nonces.push(expected.nonce.to_owned()));
    let older = NONCES.with_borrow(Clone::clone);
    let verdict = judge(outcome, keys, expected);
    if !matches!(verdict, Verdict::Silence(Silence::NotAuthentic { .. })) {
        return verdict;
    }
    let again = older.iter().rev().take(24).map(|nonce| judge(outcome, keys, Expected { nonce, ..expected }));
    again.into_iter().find(|verdict| !matches!(verdict, Verdict::Silence(_))).unwrap_or(verdict)
}

pub(crate) fn unknown_key_stops(outcome: &HttpOutcome, keys: &Keys, expected: Expected<'_>) -> Verdict {
    match judge(outcome, keys, expected) {
        Verdict::Silence(Silence::NotAuthentic { status: 401, .. } | Silence::NoVerdict { status: 401 }) => {
            Verdict::Stop(StopReason::KeyRetired { detail: "unknown".to_owned() })
        }
        verdict => verdict,
    }
}

pub(crate) fn unavailable_stops(outcome: &HttpOutcome, keys: &Keys, expected: Expected<'_>) -> Verdict {
    match judge(outcome, keys, expected) {
        Verdict::Silence(Silence::NotAuthentic { status: 503, .. } | Silence::NoVerdict { status: 503 }) => {
            Verdict::Stop(StopReason::Expired)
        }
        verdict => verdict,
    }
}

pub(crate) fn silence_stops(outcome: &HttpOutcome, keys: &Keys, expected: Expected<'_>) -> Verdict {
    match judge(outcome, keys, expected) {
        Verdict::Silence(Silence::NoAnswer(_)) => Verdict::Stop(StopReason::SilenceLimit),
        verdict => verdict,
    }
}

pub(crate) fn expired_ignored(outcome: &HttpOutcome, keys: &Keys, expected: Expected<'_>) -> Verdict {
    match judge(outcome, keys, expected) {
        Verdict::Stop(StopReason::Expired) => Verdict::Silence(Silence::NoVerdict { status: 200 }),
        verdict => verdict,
    }
}

pub(crate) fn retired_ignored(outcome: &HttpOutcome, keys: &Keys, expected: Expected<'_>) -> Verdict {
    match judge(outcome, keys, expected) {
        Verdict::Stop(StopReason::KeyRetired { .. }) => Verdict::Silence(Silence::NoVerdict { status: 401 }),
        verdict => verdict,
    }
}

pub(crate) fn grace_without_end(outcome: &HttpOutcome, keys: &Keys, expected: Expected<'_>) -> Verdict {
    match judge(outcome, keys, expected) {
        Verdict::Serve(mut terms) => {
            (terms.status, terms.grace_expires_at) = (LicenseStatus::Active, None);
            terms.offline_limit_days = None;
            Verdict::Serve(terms)
        }
        verdict => verdict,
    }
}
