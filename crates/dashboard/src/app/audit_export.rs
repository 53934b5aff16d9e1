//! Exports of the audit log: CSV (RFC 4180) or JSON Lines, whose last line is a signed manifest. Whoever has the public
//! key can check one alone, without the database.

use super::audit_chain::hash_as;
use super::signed::{self, Signed};
use super::{AdminActor, App, AppResult, audit, commit};
use crate::keyring::Keyring;
use anyhow::{Context as _, bail, ensure};
use chrono::{DateTime, SecondsFormat, Utc};
use proxima_db::audit::{Entry, Filter, Target, TargetFilter};
use proxima_db::audit_log::{HashedRow, Position, list};
use proxima_types::identity::DashboardPublicKey;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::io::BufRead;
use uuid::Uuid;

/// The columns of CSV, and the fields of a JSON line, in their order.
const COLUMNS: [&str; 13] = [
    "id",
    "time",
    "action",
    "outcome",
    "target",
    "targetType",
    "targetName",
    "userId",
    "username",
    "metadata",
    "ip",
    "hash",
    "prevHash",
];
/// What stands in the column `id` of CSV's last line.
const MANIFEST: &str = "manifest";
const ROWS_AT_ONCE: u32 = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    #[default]
    Csv,
    Jsonl,
}

/// What an export holds. The signature is over this.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub installation_id: Uuid,
    pub format: Format,
    pub exported_at: DateTime<Utc>,
    pub exported_by: String,
    /// What was asked for; empty for the whole log.
    pub filter: Value,
    pub rows: u64,
    pub newest_id: Option<i64>,
    pub oldest_id: Option<i64>,
    /// The log's head when the export began.
    pub head_id: i64,
    #[serde(with = "hex::serde")]
    pub head_hash: Vec<u8>,
    /// Of everything before the manifest's line.
    #[serde(with = "hex::serde")]
    pub sha256: Vec<u8>,
}

/// An export under way.
pub struct Export {
    filter: Filter,
    before: Option<Position>,
    begun: bool,
    done: bool,
    digest: Sha256,
    manifest: Manifest,
}

/// Begins an export; it is on record from now on.
///
/// # Errors
/// When the database is not to be had.
pub async fn begin(app: &App, admin: &AdminActor, filter: Filter, format: Format) -> AppResult<Export> {
    let mut tx = app.begin().await?;
    let asked = describe(&filter);
    let seen = proxima_db::anchor::observe(&mut *tx, 0).await?;
    let target = Target { id: None, kind: "audit log", name: "audit log" };
    audit::succeeded(&mut tx, admin, "audit.export", Some(target), json!({ "format": format, "filter": asked }))
        .await?;
    let exported_at = proxima_db::now(&mut *tx).await?;
    commit(tx).await?;
    let manifest = Manifest {
        installation_id: seen.installation_id,
        format,
        exported_at,
        exported_by: admin.username.clone(),
        filter: asked,
        rows: 0,
        newest_id: None,
        oldest_id: None,
        head_id: seen.head_id,
        head_hash: seen.head_hash,
        sha256: Vec::new(),
    };
    Ok(Export { filter, before: None, begun: false, done: false, digest: Sha256::new(), manifest })
}

fn describe(filter: &Filter) -> Value {
    let mut asked = serde_json::Map::new();
    let mut note = |name: &str, value: Option<Value>| value.map(|value| asked.insert(name.to_owned(), value));
    note("action", filter.action.as_ref().map(|text| json!(text)));
    note("succeeded", filter.succeeded.map(|yes| json!(yes)));
    note("actor", filter.actor.as_ref().map(|text| json!(text)));
    note(
        "target",
        filter.target.as_ref().map(|target| match target {
            TargetFilter::Id(id) => json!(id),
            TargetFilter::Name(text) => json!(text),
        }),
    );
    note("from", filter.from.map(|time| json!(time)));
    note("to", filter.to.map(|time| json!(time)));
    Value::Object(asked)
}

impl Export {
    /// The next piece; `None` after the last.
    ///
    /// # Errors
    /// When the database is not to be had, or without a signing key: an export that breaks off has no manifest.
    pub async fn next(&mut self, app: &App) -> anyhow::Result<Option<Vec<u8>>> {
        if self.done {
            return Ok(None);
        }
        if !self.begun {
            self.begun = true;
            if self.manifest.format == Format::Csv {
                let header = csv_line(&COLUMNS.map(str::to_owned))?;
                self.digest.update(&header);
                return Ok(Some(header));
            }
        }
        let page = list(&app.db, &self.filter, self.before, ROWS_AT_ONCE).await?;
        let mut piece = Vec::new();
        // What was written since the export began is not part of it: its own row least of all.
        for entry in page.items.into_iter().filter(|entry| entry.id <= self.manifest.head_id) {
            self.manifest.rows += 1;
            self.manifest.newest_id = self.manifest.newest_id.max(Some(entry.id));
            self.manifest.oldest_id = Some(self.manifest.oldest_id.map_or(entry.id, |oldest| oldest.min(entry.id)));
            match self.manifest.format {
                Format::Csv => piece.extend(csv_line(&cells(&entry).map(inert))?),
                Format::Jsonl => piece.extend(json_line(&entry).into_bytes()),
            }
        }
        self.digest.update(&piece);
        self.before = page.next;
        if self.before.is_none() {
            self.done = true;
            piece.extend(self.last_line(app)?);
        }
        Ok(Some(piece))
    }

    fn last_line(&mut self, app: &App) -> anyhow::Result<Vec<u8>> {
        self.manifest.sha256 = self.digest.clone().finalize().to_vec();
        let signed = Signed::make(&app.keyring, signed::EXPORT, &self.manifest)?;
        match self.manifest.format {
            Format::Csv => {
                let mut cells: [String; 13] = Default::default();
                cells[0] = MANIFEST.to_owned();
                cells[9] = serde_json::to_string(&signed)?;
                csv_line(&cells)
            }
            Format::Jsonl => Ok(format!("{}\n", json!({ MANIFEST: signed })).into_bytes()),
        }
    }
}

fn csv_line(cells: &[String; 13]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(cells)?;
    Ok(writer.into_inner()?)
}

fn cells(entry: &Entry) -> [String; 13] {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let id = |value: Option<Uuid>| value.map(|id| id.to_string()).unwrap_or_default();
    [
        entry.id.to_string(),
        entry.time.to_rfc3339_opts(SecondsFormat::Micros, true),
        entry.action.clone(),
        entry.outcome.clone(),
        id(entry.target),
        text(&entry.target_type),
        text(&entry.target_name),
        id(entry.user_id),
        entry.username.clone(),
        entry.metadata_text.clone(),
        entry.ip.map(|ip| ip.ip().to_string()).unwrap_or_default(),
        hex::encode(&entry.hash),
        hex::encode(&entry.prev_hash),
    ]
}

const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\''];

/// A cell that a spreadsheet would take for a formula gets a quote before it (OWASP, "CSV Injection"); so does one that
/// begins with a quote, so that [`plain`] knows which was added.
fn inert(cell: String) -> String {
    if cell.starts_with(FORMULA) { format!("'{cell}") } else { cell }
}

fn plain(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| rest.starts_with(FORMULA)).unwrap_or(cell)
}

/// The metadata as PostgreSQL wrote them, because that is what was hashed.
fn json_line(entry: &Entry) -> String {
    let values = cells(entry);
    let nullable = [4, 5, 6, 7, 10];
    let mut line = String::from("{");
    for (index, (name, value)) in COLUMNS.iter().zip(&values).enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let value = match index {
            0 | 9 => value.clone(),
            _ if nullable.contains(&index) && value.is_empty() => "null".to_owned(),
            _ => Value::from(value.as_str()).to_string(),
        };
        line.push_str(&format!("{comma}\"{name}\":{value}"));
    }
    line.push_str("}\n");
    line
}

/// With what an export is checked: a public key, or the key file.
pub enum Verifier<'a> {
    PublicKey(DashboardPublicKey),
    Keyring(&'a Keyring),
}

impl Verifier<'_> {
    fn open(&self, signed: &Signed) -> Option<Manifest> {
        match self {
            Self::Keyring(keyring) => signed.open(keyring, signed::EXPORT),
            Self::PublicKey(key) => signed.open_with(*key, signed::EXPORT),
        }
    }
}

/// A file that nobody exported from here, rather than one that was changed.
#[derive(Debug, thiserror::Error)]
#[error(
    "it is no export of the audit log: those begin with the columns (CSV) or the first row (JSON Lines) that the audit page exports"
)]
pub struct NoExport;

/// The format of a file that begins so; `None` for one that is no export. What was changed after that is told by its digest.
#[must_use]
pub fn format_of(beginning: &[u8]) -> Option<Format> {
    let begins = |texts: &[&str]| texts.iter().any(|text| beginning.starts_with(text.as_bytes()));
    if begins(&["id,time,action,"]) {
        return Some(Format::Csv);
    }
    begins(&["{\"id\":", "{\"manifest\":"]).then_some(Format::Jsonl)
}

/// Checks an export: its signature, its digest, each row's hash, and that rows next to each other stand on each other.
///
/// # Errors
/// What is wrong, as a sentence; [`NoExport`] for a file that is none.
pub fn verify(mut file: impl BufRead, verifier: &Verifier<'_>) -> anyhow::Result<Manifest> {
    let mut line = Vec::new();
    let format = format_of(file.fill_buf()?).ok_or(NoExport)?;
    file.read_until(b'\n', &mut line)?;
    let mut digest = Sha256::new();
    let mut rows = 0_u64;
    let mut above: Option<HashedRow> = None;
    if format == Format::Csv {
        digest.update(&line);
        line.clear();
        read_record(&mut file, &mut line)?;
    }
    loop {
        ensure!(!line.is_empty(), "the file ends without its signed manifest: it was cut off after {rows} rows");
        let text = std::str::from_utf8(&line).context("the file is not UTF-8")?;
        let (manifest, row) = match format {
            Format::Csv => parse_csv(text)?,
            Format::Jsonl => parse_json(text)?,
        };
        if let Some(signed) = manifest {
            let manifest = verifier.open(&signed).with_context(|| {
                format!("the manifest was not signed with this key (it names key {})", signed.signature.key_id)
            })?;
            ensure!(
                manifest.sha256 == digest.finalize().to_vec(),
                "the file was changed: its SHA-256 is not the manifest's"
            );
            ensure!(manifest.rows == rows, "the file holds {rows} rows, and its manifest names {}", manifest.rows);
            line.clear();
            ensure!(file.read_until(b'\n', &mut line)? == 0, "something was added after the manifest");
            return Ok(manifest);
        }
        let Some(row) = row else { bail!("line {} of the rows is malformed", rows + 1) };
        ensure!(hash_as(&row, row.id) == row.hash, "row {} was edited: its content is not what was hashed", row.id);
        if let Some(above) = above.filter(|above| above.id == row.id + 1) {
            ensure!(
                above.prev_hash == row.hash,
                "row {} does not follow row {}: one of them was rewritten",
                above.id,
                row.id
            );
        }
        above = Some(row);
        rows += 1;
        digest.update(&line);
        line.clear();
        match format {
            Format::Csv => read_record(&mut file, &mut line)?,
            Format::Jsonl => _ = file.read_until(b'\n', &mut line)?,
        }
    }
}

/// A record of CSV, which may span lines: it ends at a line's end outside of quotes.
fn read_record(file: &mut impl BufRead, record: &mut Vec<u8>) -> anyhow::Result<()> {
    loop {
        let read = file.read_until(b'\n', record)?;
        let quotes = record.iter().filter(|byte| **byte == b'"').count();
        if read == 0 || quotes % 2 == 0 {
            return Ok(());
        }
    }
}

fn parse_csv(text: &str) -> anyhow::Result<(Option<Signed>, Option<HashedRow>)> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let record = reader.records().next().context("a row is malformed")??;
    let cells: Vec<&str> = record.iter().collect();
    if cells.first() == Some(&MANIFEST) {
        let signed = cells.get(9).context("the manifest is malformed")?;
        return Ok((Some(serde_json::from_str(signed).context("the manifest is malformed")?), None));
    }
    let cells: Vec<&str> = cells.into_iter().map(plain).collect();
    Ok((None, row_of(&cells, cells.get(9).copied().unwrap_or_default())))
}

fn parse_json(text: &str) -> anyhow::Result<(Option<Signed>, Option<HashedRow>)> {
    let value: Value = serde_json::from_str(text).context("a line is not JSON")?;
    if let Some(signed) = value.get(MANIFEST) {
        return Ok((Some(serde_json::from_value(signed.clone()).context("the manifest is malformed")?), None));
    }
    // Neither can stand inside of a string, where quotes are escaped, nor in the metadata, which has spaces after commas.
    let raw = text.split_once(",\"metadata\":").and_then(|(_, rest)| rest.rsplit_once(",\"ip\":")).map(|(raw, _)| raw);
    let cells: Vec<String> = COLUMNS
        .iter()
        .map(|name| match value.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        })
        .collect();
    let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
    Ok((None, raw.and_then(|raw| row_of(&cells, raw))))
}

fn row_of(cells: &[&str], metadata: &str) -> Option<HashedRow> {
    let cell = |index: usize| cells.get(index).copied();
    let text = |index: usize| cell(index).filter(|text| !text.is_empty()).map(str::to_owned);
    Some(HashedRow {
        id: cell(0)?.parse().ok()?,
        time: cell(1)?.parse().ok()?,
        action: cell(2)?.to_owned(),
        outcome: cell(3)?.to_owned(),
        target: text(4).map(|id| id.parse()).transpose().ok()?,
        target_type: text(5),
        target_name: text(6),
        user_id: text(7).map(|id| id.parse()).transpose().ok()?,
        username: cell(8)?.to_owned(),
        metadata: metadata.to_owned(),
        ip: text(10),
        hash: hex::decode(cell(11)?).ok()?,
        prev_hash: hex::decode(cell(12)?).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_inert_and_come_back() {
        assert_eq!(inert("=HYPERLINK(\"x\")".to_owned()), "'=HYPERLINK(\"x\")");
        for cell in ["alice", "=1", "'=1", "''", "'", "", "-"] {
            assert_eq!(plain(&inert(cell.to_owned())), cell);
        }
    }
}
