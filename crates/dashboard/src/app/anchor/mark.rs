//! What an anchor remembers, and what a database must show to be the one that it remembers.

use proxima_db::anchor::Seen;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The furthest state of the database that this dashboard knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    pub installation_id: Uuid,
    pub incarnation: i32,
    pub audit_id: i64,
    #[serde(with = "hex::serde")]
    pub audit_hash: Vec<u8>,
    /// How many keys were retired.
    pub retirements: i64,
}

impl Mark {
    #[must_use]
    pub fn of(seen: &Seen) -> Self {
        Self {
            installation_id: seen.installation_id,
            incarnation: seen.incarnation,
            audit_id: seen.head_id,
            audit_hash: seen.head_hash.clone(),
            retirements: seen.retirements,
        }
    }

    /// Whether a database is the one that was known, or what has become of it since: the marked audit row is in its log,
    /// with its hash, and so is all before it, because each hash stands on the one before. `seen` must have been read
    /// after this mark was taken, with this mark's row asked for.
    #[must_use]
    pub fn holds(&self, seen: &Seen) -> bool {
        seen.installation_id == self.installation_id
            && seen.incarnation >= self.incarnation
            && seen.head_id >= self.audit_id
            && seen.retirements >= self.retirements
            && (self.audit_id == 0 || seen.anchored_hash.as_ref() == Some(&self.audit_hash))
    }

    /// Whether the other one is further in the same history.
    #[must_use]
    pub fn precedes(&self, other: &Self) -> bool {
        (self.incarnation, self.audit_id, self.retirements) < (other.incarnation, other.audit_id, other.retirements)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(head_id: i64, anchored: &[u8]) -> Seen {
        Seen {
            installation_id: Uuid::nil(),
            incarnation: 1,
            head_id,
            head_hash: vec![9],
            retirements: 3,
            anchored_hash: Some(anchored.to_vec()),
        }
    }

    #[test]
    fn only_a_continuation_holds() {
        let mark = Mark { audit_hash: vec![1], audit_id: 5, ..Mark::of(&seen(5, b"")) };
        assert!(mark.holds(&seen(5, &[1])) && mark.holds(&seen(9, &[1])));
        assert!(!mark.holds(&seen(4, &[1])), "behind");
        assert!(!mark.holds(&seen(9, &[2])), "another history");
        assert!(!mark.holds(&Seen { anchored_hash: None, ..seen(9, &[1]) }), "the row is missing");
        assert!(!mark.holds(&Seen { retirements: 2, ..seen(9, &[1]) }), "a retirement is missing");
        assert!(!mark.holds(&Seen { installation_id: Uuid::max(), ..seen(9, &[1]) }), "another installation");
        let empty = Mark { audit_id: 0, ..mark };
        assert!(empty.holds(&Seen { anchored_hash: None, ..seen(9, &[1]) }));
    }
}
