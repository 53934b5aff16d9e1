//! Free space where an install writes.

use crate::host::Host;
use proxima_types::setup::DiskSpace;
use rustix::fs::{StatVfsMountFlags, statvfs};
use std::path::Path;

const PLACES: [&str; 3] = ["/usr/local/lib", "/etc", "/var/lib"];

/// A place that does not exist yet is measured where it will be made.
pub(super) fn spaces(host: &Host<'_>) -> Vec<DiskSpace> {
    PLACES.iter().filter_map(|place| space(host, place)).collect()
}

fn space(host: &Host<'_>, place: &str) -> Option<DiskSpace> {
    let found = Path::new(place).ancestors().find_map(|path| statvfs(host.at(path.to_str()?)).ok())?;
    Some(DiskSpace {
        path: place.to_owned(),
        free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
        read_only: found.f_flag.contains(StatVfsMountFlags::RDONLY),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::System;

    #[test]
    fn a_place_that_is_missing_is_measured_above_it() {
        let http = || Err(String::new());
        let host =
            Host { root: "/nonexistent-root".into(), commands: &System, now_ms: &|| 0, http: &http, log: &|_| {} };
        assert_eq!(space(&host, "/etc"), None);
        let host = Host { root: "/".into(), ..host };
        assert!(space(&host, "/no/such/place").is_some_and(|space| space.free_bytes > 0));
    }
}
