//! Which user the server runs as.

use std::os::unix::fs::chown;
use std::path::Path;

use tokio::process::Command;

use crate::error::Error;

/// The server's user: another one when this process is root, its own otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    name: String,
    uid: u32,
    /// Set when commands have to change user; the group to take with it.
    drop_to_gid: Option<u32>,
}

impl Account {
    pub(crate) async fn resolve(server_user: &str) -> Result<Self, Error> {
        let uid = rustix::process::geteuid();
        if !uid.is_root() {
            return Ok(Self { name: uid.as_raw().to_string(), uid: uid.as_raw(), drop_to_gid: None });
        }
        let missing = || Error::NoServerUser { user: server_user.to_owned() };
        let uid = id("-u", server_user).await.filter(|uid| *uid != 0).ok_or_else(missing)?;
        let gid = id("-g", server_user).await.ok_or_else(missing)?;
        Ok(Self { name: server_user.to_owned(), uid, drop_to_gid: Some(gid) })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn uid(&self) -> u32 {
        self.uid
    }

    /// A command as the server's user. With `uid` given, std also drops the supplementary groups.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some(gid) = self.drop_to_gid {
            command.uid(self.uid).gid(gid);
        }
        command
    }

    /// Gives a directory that this process just made to the server's user.
    pub(crate) fn own(&self, path: &Path) -> Result<(), Error> {
        match self.drop_to_gid {
            Some(gid) => chown(path, Some(self.uid), Some(gid)).map_err(Error::io("change the owner of", path)),
            None => Ok(()),
        }
    }

    /// The outermost folder on the way to `path` that the server's user cannot enter.
    pub(crate) async fn first_unreachable<'a>(&self, path: &'a Path) -> Option<&'a Path> {
        self.drop_to_gid?;
        let mut folders: Vec<_> = path.ancestors().collect();
        folders.reverse();
        for folder in folders {
            let entered = self.command(Path::new("/usr/bin/test")).arg("-x").arg(folder).status().await;
            if !entered.is_ok_and(|status| status.success()) {
                return Some(folder);
            }
        }
        None
    }
}

/// `id` asks the system's name service, so users that are not in /etc/passwd count too.
async fn id(what: &str, user: &str) -> Option<u32> {
    let output = Command::new("/usr/bin/id").args([what, "--", user]).output().await.ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
