//! `check-config`: what is wrong with the settings was said before this runs; here is what they name.

use super::ports::tls_files;
use super::{Refusal, say};
use crate::config::ServeArgs;
use rustls::pki_types::UnixTime;

pub(super) fn run(args: &ServeArgs) -> anyhow::Result<()> {
    if let Some(files) = tls_files(args) {
        let found = files.load(UnixTime::now());
        let problems = match found {
            Ok(loaded) => loaded.defects,
            Err(error) => vec![format!("{error:#}")],
        };
        if !problems.is_empty() {
            return Err(Refusal { message: problems.join("; "), code: 2 }.into());
        }
    }
    say("The configuration is complete.")
}
