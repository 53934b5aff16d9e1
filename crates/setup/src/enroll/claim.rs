//! Whether an install over SSH of another server has this box: the dashboard's script writes whose it is before it sends the
//! program, and takes that back at the end.

use crate::files;
use crate::host::Host;
use crate::problem::{Result, problem};
use proxima_types::enroll::ClaimAnswer;
use proxima_types::identity::GatewayIdentity;
use proxima_types::setup::{SetupProblemCode as Code, place};
use std::time::{Duration, SystemTime};

/// From then on it is of a dashboard that never came back; as in the dashboard's script.
const OVER_AFTER: Duration = Duration::from_secs(30 * 60);
const MAX_BYTES: u64 = 256;

/// # Errors
/// When another server than the one of `answer` is being installed here.
pub(super) fn is_free(host: &Host<'_>, answer: &ClaimAnswer) -> Result<()> {
    let Some(owner) = files::read(host, place::CLAIM, MAX_BYTES)? else { return Ok(()) };
    let ours = GatewayIdentity::parse(answer.config.expose()).map(|identity| identity.server_id.to_string());
    if ours.is_ok_and(|ours| ours == owner.trim()) || is_over(host) {
        return Ok(());
    }
    Err(problem(
        Code::Busy,
        "Another server of this or another dashboard is being installed on this machine.",
        "Check that this is the right machine. If it is, wait until the other install has ended (half an hour at most), then \
         make another command.",
    ))
}

fn is_over(host: &Host<'_>) -> bool {
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from((host.now_ms)()).unwrap_or_default());
    let written = std::fs::metadata(host.at(place::CLAIM)).and_then(|metadata| metadata.modified());
    written.is_ok_and(|written| now.duration_since(written).is_ok_and(|age| age >= OVER_AFTER))
}
