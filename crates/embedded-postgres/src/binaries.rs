//! Finding an installed server.

use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::error::Error;

const OLDEST: u32 = 15;
const DEBIAN: &str = "/usr/lib/postgresql";

/// One installed server's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binaries {
    pub(crate) major: u32,
    folder: PathBuf,
}

impl Binaries {
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn in_folder(folder: PathBuf, major: u32) -> Option<Self> {
        let complete = ["initdb", "pg_ctl", "postgres", "psql"].iter().all(|name| folder.join(name).is_file());
        complete.then_some(Self { major, folder })
    }
}

/// Every installed server, newest first: Debian's versioned folders, then the one that `pg_config` names.
pub(crate) async fn installed() -> Vec<Binaries> {
    let mut found = debian(Path::new(DEBIAN));
    if let Some(other) = by_pg_config().await
        && !found.iter().any(|binaries| binaries.major == other.major)
    {
        found.push(other);
    }
    found.sort_by_key(|binaries| std::cmp::Reverse(binaries.major));
    found
}

fn debian(root: &Path) -> Vec<Binaries> {
    let Ok(entries) = fs::read_dir(root) else { return Vec::new() };
    entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let major = entry.file_name().to_str()?.parse().ok()?;
            Binaries::in_folder(entry.path().join("bin"), major)
        })
        .collect()
}

async fn by_pg_config() -> Option<Binaries> {
    let folder = output("pg_config", "--bindir").await?;
    let major = major_of(&output("pg_config", "--version").await?)?;
    Binaries::in_folder(PathBuf::from(folder), major)
}

async fn output(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().await.ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// `PostgreSQL 15.18 (Debian …)` gives 15, `17beta1` gives 17.
fn major_of(version: &str) -> Option<u32> {
    let digits = version.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The server for a data directory: the one that wrote it, or the newest for a new one.
pub(crate) fn choose(installed: Vec<Binaries>, data: &Path, written_by: Option<u32>) -> Result<Binaries, Error> {
    let newest = installed.first().ok_or(Error::NotInstalled)?;
    match written_by {
        None if newest.major < OLDEST => Err(Error::TooOld { found: newest.major }),
        None => Ok(newest.clone()),
        Some(wanted) => installed.iter().find(|binaries| binaries.major == wanted).cloned().ok_or_else(|| {
            let installed = installed.iter().map(|binaries| binaries.major).collect();
            Error::MajorMismatch { data: data.to_owned(), wanted, installed }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fake(major: u32) -> Binaries {
        Binaries { major, folder: PathBuf::from(format!("/usr/lib/postgresql/{major}/bin")) }
    }

    #[test]
    fn a_new_folder_takes_the_newest_and_an_old_one_its_own() {
        let installed = vec![fake(17), fake(15)];
        assert_eq!(choose(installed.clone(), Path::new("/d"), None).expect("newest").major, 17);
        assert_eq!(choose(installed, Path::new("/d"), Some(15)).expect("its own").major, 15);
    }

    #[test]
    fn what_is_missing_is_said_with_its_remedy() {
        let none = choose(Vec::new(), Path::new("/d"), None).expect_err("nothing installed").to_string();
        assert!(none.contains("PostgreSQL is not installed; install it with: apt-get install postgresql"), "{none}");
        let old = choose(vec![fake(13)], Path::new("/d"), None).expect_err("too old").to_string();
        assert!(old.contains("PostgreSQL 13 is too old; install version 15 or newer"), "{old}");
        let other = choose(vec![fake(17), fake(16)], Path::new("/d"), Some(15)).expect_err("other major").to_string();
        assert!(other.contains("written by PostgreSQL 15, but only 17, 16 is installed"), "{other}");
        assert!(other.contains("apt-get install postgresql-15"), "{other}");
        assert!(other.contains("proxima-dashboard upgrade-database"), "{other}");
    }

    #[test]
    fn versions_are_read_as_pg_config_prints_them() {
        assert_eq!(major_of("PostgreSQL 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major_of("PostgreSQL 17beta1"), Some(17));
        assert_eq!(major_of("nonsense"), None);
    }
}
