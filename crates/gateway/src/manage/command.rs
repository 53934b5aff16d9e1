//! `proxima-gateway management-fingerprint`: what a dashboard reads over SSH, and pins.

use super::certificate::Certificate;
use std::io::Write;
use std::path::Path;

/// There is no certificate yet.
const NONE_YET: u8 = 3;

/// Prints the fingerprint alone, on a line; with `renew`, that of a new certificate. Returns the
/// exit code: 0, or 3 when there is none.
///
/// # Errors
/// When the certificate cannot be read or written.
pub fn run(state_dir: &Path, renew: bool, out: &mut dyn Write, problems: &mut dyn Write) -> anyhow::Result<u8> {
    let certificate = if renew { Some(Certificate::renew(state_dir)?) } else { Certificate::load(state_dir)? };
    let Some(certificate) = certificate else {
        writeln!(problems, "there is no certificate yet: a gateway makes it at its first start")?;
        return Ok(NONE_YET);
    };
    writeln!(out, "{}", certificate.fingerprint)?;
    if renew {
        writeln!(problems, "a gateway that runs uses the new certificate from its next start")?;
    }
    Ok(0)
}
