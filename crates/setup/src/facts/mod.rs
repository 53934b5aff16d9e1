//! What the box is. Reads only.

mod disk;
mod os_release;
mod sockets;

use crate::files;
use crate::host::Host;
use crate::problem::Result;
use crate::{commands, journal, receipt, systemd};
use proxima_types::identity::GatewayIdentity;
use proxima_types::setup::{ExistingInstall, Facts, UnitState, place};
use std::io;
use zeroize::Zeroizing;

/// No `config.json` is longer, in bytes.
const MAX_CONFIG_BYTES: u64 = 1024 * 1024;
const MAX_SMALL_BYTES: u64 = 64 * 1024;

pub(crate) fn gather(host: &Host<'_>, ports: &[u16]) -> Result<Facts> {
    let release = ["/etc/os-release", "/usr/lib/os-release"]
        .iter()
        .find_map(|path| files::read(host, path, MAX_SMALL_BYTES).ok()?)
        .map(|text| os_release::parse(&text))
        .unwrap_or_default();
    let systemd_version = host.commands.run(commands::SYSTEMD_VERSION).ok();
    Ok(Facts {
        os_id: release.id,
        os_name: release.pretty_name,
        os_version: release.version_id,
        architecture: rustix::system::uname().machine().to_string_lossy().into_owned(),
        systemd_running: systemd::is_running(host),
        systemd_version: systemd_version.and_then(|ended| systemd_major(&ended.stdout)),
        disks: disk::spaces(host),
        clock_ms: (host.now_ms)(),
        listeners: sockets::listeners(host, ports),
        existing: existing(host)?,
        selinux_enforcing: files::read(host, "/sys/fs/selinux/enforce", 8)
            .is_ok_and(|text| text.is_some_and(|text| text.trim() == "1")),
    })
}

/// `systemd 252 (252.38-1~deb12u1)`.
fn systemd_major(text: &str) -> Option<u32> {
    let word = text.lines().next()?.strip_prefix("systemd ")?.split([' ', '.', '~', '-']).next()?;
    word.parse().ok()
}

fn existing(host: &Host<'_>) -> Result<Option<ExistingInstall>> {
    if [place::BINARY, place::CONFIG, place::UNIT_FILE].iter().all(|path| !host.at(path).exists()) {
        return Ok(None);
    }
    let identity = identity(host)?;
    let unit = if systemd::is_running(host) { systemd::state(host)? } else { UnitState::default() };
    let of_receipt = receipt::read(host).and_then(|receipt| receipt.gateway_version);
    Ok(Some(ExistingInstall {
        version: of_receipt.or_else(|| systemd::GatewayStatus::read(host).version),
        server_id: identity.as_ref().map(|identity| identity.server_id),
        install_id: identity.as_ref().map(|identity| identity.install_id),
        unit,
        unfinished_jobs: journal::unfinished_jobs(host),
    }))
}

/// Whose `config.json` is there; `None` without one, or with one that is not valid.
pub(crate) fn identity(host: &Host<'_>) -> Result<Option<GatewayIdentity>> {
    use std::io::Read as _;
    let path = host.at(place::CONFIG);
    let mut text = Zeroizing::new(String::new());
    match std::fs::File::open(&path).and_then(|file| file.take(MAX_CONFIG_BYTES).read_to_string(&mut text)) {
        Ok(_) => Ok(GatewayIdentity::parse(&text).ok()),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::InvalidData | io::ErrorKind::IsADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(files::at(host, place::CONFIG)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_systemd_is_read() {
        assert_eq!(systemd_major("systemd 252 (252.38-1~deb12u1)\n+PAM"), Some(252));
        assert_eq!(systemd_major("systemd 257.9"), Some(257));
        assert_eq!(systemd_major("Python 3"), None);
    }
}
