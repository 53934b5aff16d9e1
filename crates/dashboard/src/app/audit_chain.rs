//! The chain of the audit log, computed here and not by the database: each row's hash stands on its content and on the
//! hash before it. Used for the log itself and for exports, which need no database.

use proxima_db::audit_log::HashedRow;
use sha2::{Digest as _, Sha256};
use std::collections::VecDeque;
use std::fmt;

/// What the first row stands on.
pub const GENESIS: [u8; 32] = [0; 32];
/// How far away a row's true place is looked for.
const NEIGHBOURS: i64 = 1000;
/// How many mismatching rows are looked at together, to tell one that was put in from one that was taken out.
const LOOK_AHEAD: usize = 2;

/// What is wrong with the log, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tampering {
    /// The row's content is not what was hashed.
    Edited { id: i64 },
    /// The row was hashed anew: what comes after it stands on another one.
    Rewritten { id: i64 },
    /// Rows are not there.
    Missing { from: i64, to: i64 },
    /// A row that the log did not write.
    Inserted { id: i64 },
    /// The row is another's, which stood elsewhere.
    Reordered { id: i64, was: i64 },
    /// The log ends before its head.
    Truncated { from: i64, head: i64 },
    /// The head is not the last row.
    HeadMoved { head: i64, last: i64 },
    /// The log begins after its checkpoint, or its checkpoint is nobody's that is known.
    Checkpoint { id: i64 },
    /// The row that the anchor names is another one: the log is an older one, or was rewritten as a whole.
    BehindAnchor { anchored: i64 },
}

impl fmt::Display for Tampering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited { id } => write!(f, "row {id} was edited: its content is not what was hashed"),
            Self::Rewritten { id } => write!(f, "row {id} was rewritten: the next one stands on another hash"),
            Self::Missing { from, to } if from == to => write!(f, "row {from} is missing"),
            Self::Missing { from, to } => write!(f, "rows {from} to {to} are missing"),
            Self::Inserted { id } => write!(f, "row {id} was inserted"),
            Self::Reordered { id, was } => write!(f, "row {id} was reordered: it was written as row {was}"),
            Self::Truncated { from, head } => write!(f, "the log was truncated: rows {from} to {head} are missing"),
            Self::HeadMoved { head, last } => {
                write!(f, "the head was moved: it names row {head}, the last one is {last}")
            }
            Self::Checkpoint { id } => {
                write!(
                    f,
                    "the checkpoint at row {id} is not one that this key file has signed, or not where the log begins"
                )
            }
            Self::BehindAnchor { anchored } => {
                write!(
                    f,
                    "row {anchored} is not the one that the anchor knows: the log is an older one, or was rewritten"
                )
            }
        }
    }
}

/// The hash that a row has under this id: `audit_row_hash` in SQL.
#[must_use]
pub fn hash_as(row: &HashedRow, id: i64) -> Vec<u8> {
    let text = |text: Option<&str>| text.map_or_else(|| "null".to_owned(), quoted);
    let uuid = |id: Option<uuid::Uuid>| id.map_or_else(|| "null".to_owned(), |id| format!("\"{id}\""));
    let array = format!(
        "[{id}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}]",
        row.time.timestamp_micros(),
        quoted(&row.action),
        quoted(&row.outcome),
        uuid(row.target),
        text(row.target_type.as_deref()),
        text(row.target_name.as_deref()),
        uuid(row.user_id),
        quoted(&row.username),
        row.metadata,
        text(row.ip.as_deref()),
    );
    Sha256::new().chain_update(&row.prev_hash).chain_update(array).finalize().to_vec()
}

/// A text in JSON as PostgreSQL writes it, which is as `serde_json` does.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Follows a chain row by row, in constant memory, up to the first thing that is wrong.
pub struct Chain {
    /// The row that the next one must follow, and its hash.
    last: (i64, Vec<u8>),
    /// Rows that do not hash to what they say, from the first one on.
    suspects: VecDeque<HashedRow>,
}

impl Chain {
    /// A chain whose next row follows this one.
    #[must_use]
    pub fn after(id: i64, hash: Vec<u8>) -> Self {
        Self { last: (id, hash), suspects: VecDeque::new() }
    }

    #[must_use]
    pub fn last(&self) -> (i64, &[u8]) {
        (self.last.0, &self.last.1)
    }

    /// # Errors
    /// The first thing that is wrong.
    pub fn push(&mut self, row: HashedRow) -> Result<(), Tampering> {
        if !self.suspects.is_empty() {
            self.suspects.push_back(row);
            return if self.suspects.len() >= LOOK_AHEAD { Err(self.verdict()) } else { Ok(()) };
        }
        let expected = self.last.0 + 1;
        if row.id > expected {
            return Err(Tampering::Missing { from: expected, to: row.id - 1 });
        }
        if row.id < expected {
            return Err(Tampering::Inserted { id: row.id });
        }
        if hash_as(&row, row.id) != row.hash {
            self.suspects.push_back(row);
            return Ok(());
        }
        if row.prev_hash != self.last.1 {
            return Err(if self.last.0 == 0 {
                Tampering::Rewritten { id: row.id }
            } else {
                Tampering::Rewritten { id: self.last.0 }
            });
        }
        self.last = (row.id, row.hash);
        Ok(())
    }

    /// At the end of the rows.
    ///
    /// # Errors
    /// A suspect that was the last row.
    pub fn finish(&mut self) -> Result<(), Tampering> {
        if self.suspects.is_empty() { Ok(()) } else { Err(self.verdict()) }
    }

    /// What happened at the first row that does not hash to what it says.
    fn verdict(&self) -> Tampering {
        let Some(first) = self.suspects.front() else { return Tampering::Edited { id: self.last.0 } };
        let was = true_place(first);
        let next = self.suspects.get(1).and_then(true_place);
        match (was, next) {
            // What stood after it moved up: it is gone.
            (Some(was), Some(next)) if was == first.id + 1 && next == first.id + 2 => {
                Tampering::Missing { from: first.id, to: first.id }
            }
            // What stood here moved down: this one is new.
            (None, Some(next)) if next == first.id => Tampering::Inserted { id: first.id },
            (Some(was), _) => Tampering::Reordered { id: first.id, was },
            (None, _) => Tampering::Edited { id: first.id },
        }
    }
}

/// The id under which a row was hashed, if it is another than its own.
fn true_place(row: &HashedRow) -> Option<i64> {
    (row.id - NEIGHBOURS..=row.id + NEIGHBOURS).filter(|id| *id != row.id).find(|id| hash_as(row, *id) == row.hash)
}

/// How the log of a database was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The first row that was checked, and the last.
    pub from: i64,
    pub to: i64,
    pub head_hash: String,
}

/// Reads a whole log in batches, as one state of the database, and checks it against its head and the anchor.
///
/// # Errors
/// When the database is not to be had; the inner one is what is wrong with the log.
pub async fn verify(
    app: &crate::app::App,
    mut progress: impl FnMut(i64, i64),
) -> crate::app::AppResult<Result<Verified, Tampering>> {
    use proxima_db::{anchor, audit_log, audit_retention};
    const AT_ONCE: u32 = 5000;
    let mark = app.anchor.mark();
    let mut tx = anchor::snapshot(&app.db).await?;
    let seen = anchor::observe(&mut *tx, mark.as_ref().map_or(0, |mark| mark.audit_id)).await?;
    let checkpoint = audit_retention::checkpoint(&mut *tx).await?;
    let (start, hash) = match &checkpoint {
        None => (0, GENESIS.to_vec()),
        Some(checkpoint) => {
            let words = super::signed::Signed::open_text::<super::anchor::CheckpointWords>(
                &checkpoint.document,
                &app.keyring,
                super::signed::CHECKPOINT,
            );
            let vouched = words.is_some_and(|words| {
                words.id == checkpoint.id
                    && words.hash == checkpoint.hash
                    && words.installation_id == seen.installation_id
            });
            if !vouched {
                return Ok(Err(Tampering::Checkpoint { id: checkpoint.id }));
            }
            (checkpoint.id, checkpoint.hash.clone())
        }
    };
    if let Some(first) = audit_log::first_id(&mut tx).await?.filter(|first| *first <= start) {
        return Ok(Err(Tampering::Inserted { id: first }));
    }
    let mut chain = Chain::after(start, hash);
    let mut after = start;
    loop {
        let rows = audit_log::in_order(&mut tx, after, AT_ONCE).await?;
        let Some(last) = rows.last() else { break };
        after = last.id;
        for row in rows {
            let id = row.id;
            if let Err(wrong) = chain.push(row) {
                return Ok(Err(wrong));
            }
            if id > seen.head_id {
                return Ok(Err(Tampering::Inserted { id }));
            }
        }
        progress(after, seen.head_id);
    }
    if let Err(wrong) = chain.finish() {
        return Ok(Err(wrong));
    }
    let (last, last_hash) = chain.last();
    if last < seen.head_id {
        return Ok(Err(Tampering::Truncated { from: last + 1, head: seen.head_id }));
    }
    if last_hash != seen.head_hash {
        return Ok(Err(Tampering::HeadMoved { head: seen.head_id, last }));
    }
    if let Some(mark) = mark.filter(|mark| mark.audit_id > start && !mark.holds(&seen)) {
        return Ok(Err(Tampering::BehindAnchor { anchored: mark.audit_id }));
    }
    Ok(Ok(Verified { from: start + 1, to: last, head_hash: hex::encode(last_hash) }))
}
