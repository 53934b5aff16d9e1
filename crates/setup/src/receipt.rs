//! The end of a job: its receipt is written, what it replaced is forgotten.

use crate::files::{self, at};
use crate::host::Host;
use crate::problem::Result;
use crate::{facts, journal, steps};
use chrono::{DateTime, Utc};
use proxima_types::setup::{BoxStep, RECEIPT_VERSION, Receipt, ReceiptStep, StepOutcome, place};
use uuid::Uuid;

/// No receipt is longer, in bytes.
const MAX_BYTES: u64 = 256 * 1024;

/// The last committed receipt; `None` when there is none that can be read.
pub(crate) fn read(host: &Host<'_>) -> Option<Receipt> {
    let text = files::read(host, place::RECEIPT, MAX_BYTES).ok()??;
    Receipt::parse(&text).ok()
}

/// Steps that this job did not do are as the receipt before says.
pub(crate) fn commit(host: &Host<'_>, job: Uuid, at_time: DateTime<Utc>) -> Result<(StepOutcome, Receipt)> {
    let before = read(host);
    let entries = journal::begun(host, job)?;
    if let Some(receipt) = &before
        && receipt.job == job
        && entries.is_empty()
    {
        steps::binary::remove_upload(host)?;
        return Ok((StepOutcome::Unchanged, receipt.clone()));
    }
    let mut done: Vec<ReceiptStep> = before.map(|receipt| receipt.steps).unwrap_or_default();
    for entry in entries {
        let Some(things) = entry.things else { continue };
        done.retain(|step| step.step != entry.step);
        done.push(ReceiptStep { step: entry.step, things });
    }
    done.sort_by_key(|step| step.step);
    let identity = facts::identity(host)?;
    let gateway_version = done
        .iter()
        .find(|step| step.step == BoxStep::Binary)
        .and_then(|step| step.things.iter().find_map(|thing| thing.version.clone()));
    let receipt = Receipt {
        version: RECEIPT_VERSION,
        job,
        committed_at: at_time,
        gateway_version,
        server_id: identity.as_ref().map(|identity| identity.server_id),
        install_id: identity.as_ref().map(|identity| identity.install_id),
        steps: done,
    };
    let json = serde_json::to_vec_pretty(&receipt).unwrap_or_default();
    files::folder(&host.at(place::SETUP), host.owner(), 0o700).map_err(at(host, place::SETUP))?;
    files::write(&host.at(place::RECEIPT), &json, host.owner(), 0o600).map_err(at(host, place::RECEIPT))?;
    journal::forget_all(host)?;
    steps::binary::remove_upload(host)?;
    Ok((StepOutcome::Changed, receipt))
}
