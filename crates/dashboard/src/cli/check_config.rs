//! `check-config`: what is wrong with the settings was said before this runs.

use super::say;
use crate::config::ServeArgs;

pub(super) fn run(_args: &ServeArgs) -> anyhow::Result<()> {
    say("The configuration is complete.")
}
