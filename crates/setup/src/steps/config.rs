//! `config.json`: who this gateway is.

use super::{Applied, outcome, thing, user};
use crate::files::{self, at, look};
use crate::host::{Host, Owner};
use crate::journal::{self, Note};
use crate::problem::{Result, problem};
use proxima_types::identity::GatewayIdentity;
use proxima_types::setup::{BoxStep, ConfigText, SetupProblemCode as Code, place};
use std::io;
use uuid::Uuid;

const MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o750;

pub(super) fn apply(host: &Host<'_>, job: Uuid, config: &ConfigText, replace_other_server: bool) -> Result<Applied> {
    let identity = GatewayIdentity::parse(config.expose()).map_err(|errors| {
        problem(
            Code::ConfigInvalid,
            format!("The configuration for this server is not valid: {errors}"),
            "This is a defect of the dashboard: tell the operator.",
        )
    })?;
    let owner = user::require(host)?;
    let existing = crate::facts::identity(host)?;
    let began = journal::find(host, job, BoxStep::Config)?.is_some();
    if let Some(existing) = existing.filter(|existing| existing.server_id != identity.server_id)
        && !replace_other_server
        && !began
    {
        return Err(problem(
            Code::OtherServer,
            format!(
                "This box already runs the gateway of another server ({}, managed by {}).",
                existing.server_id, existing.dashboard_url
            ),
            "Check the address. If this box shall change hands, uninstall the other gateway first.",
        ));
    }
    let entry = journal::begin(host, job, BoxStep::Config, &[place::CONFIG_FOLDER, place::CONFIG], Note::default())?;
    let folder_owner = Owner { uid: host.owner().uid, gid: owner.gid };
    let mut changed = files::folder(&host.at(place::CONFIG_FOLDER), folder_owner, FOLDER_MODE)
        .map_err(at(host, place::CONFIG_FOLDER))?;
    if !is_as_asked(host, config, owner).map_err(at(host, place::CONFIG))? {
        files::write(&host.at(place::CONFIG), config.expose().as_bytes(), owner, MODE)
            .map_err(at(host, place::CONFIG))?;
        host.say("Wrote /etc/proxima-gateway/config.json, readable by the gateway alone.");
        changed = true;
    }
    Ok((outcome(changed), vec![thing(host, &entry, place::CONFIG_FOLDER)?, thing(host, &entry, place::CONFIG)?]))
}

fn is_as_asked(host: &Host<'_>, config: &ConfigText, owner: Owner) -> io::Result<bool> {
    let path = host.at(place::CONFIG);
    let Some(metadata) = look(&path)?.filter(std::fs::Metadata::is_file) else { return Ok(false) };
    if files::owner_of(&metadata) != owner || files::mode_of(&metadata) != MODE {
        return Ok(false);
    }
    Ok(zeroize::Zeroizing::new(std::fs::read(&path)?).as_slice() == config.expose().as_bytes())
}
