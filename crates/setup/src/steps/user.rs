//! The system user and group that the gateway runs as.

use super::{Applied, outcome};
use crate::commands::{self, CommandLine};
use crate::files;
use crate::host::{Host, Owner};
use crate::journal::{self, Entry, Note};
use crate::problem::{Result, problem};
use crate::systemd::run;
use proxima_types::setup::{BoxStep, Done, ReceiptThing, SetupProblemCode as Code, place};
use uuid::Uuid;

/// The comment of a user that we made, as in `commands::USERADD`.
const OUR_COMMENT: &str = "Proxima Gateway";
/// No `/etc/passwd` is read further, in bytes.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// What `/etc/passwd` and `/etc/group` say of the gateway's user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// uid and primary gid.
    pub user: Option<Owner>,
    pub group: Option<u32>,
    /// The user is one that we made.
    pub is_ours: bool,
}

pub(crate) fn find(host: &Host<'_>) -> Result<Account> {
    let read = |path| files::read(host, path, MAX_BYTES).map(Option::unwrap_or_default);
    Ok(parse(&read("/etc/passwd")?, &read("/etc/group")?))
}

/// passwd(5), group(5).
fn parse(passwd: &str, group: &str) -> Account {
    let line = |text: &str| -> Option<Vec<String>> {
        let mut lines = text.lines().map(|line| line.split(':').map(str::to_owned).collect::<Vec<_>>());
        lines.find(|fields| fields.first().is_some_and(|name| name == place::USER))
    };
    let mut account = Account::default();
    if let Some(fields) = line(passwd)
        && let [_, _, uid, gid, comment, ..] = fields.as_slice()
        && let (Ok(uid), Ok(gid)) = (uid.parse(), gid.parse())
    {
        account.user = Some(Owner { uid, gid });
        account.is_ours = comment == OUR_COMMENT;
    }
    account.group = line(group).and_then(|fields| fields.get(2)?.parse().ok());
    account
}

/// The user's uid and the group's gid.
pub(super) fn require(host: &Host<'_>) -> Result<Owner> {
    match find(host)? {
        Account { user: Some(user), group: Some(gid), .. } => Ok(Owner { uid: user.uid, gid }),
        _ => Err(problem(
            Code::UserUnsuitable,
            format!("The system user {} is missing on the server.", place::USER),
            "Start again from the beginning: it is made anew.",
        )),
    }
}

pub(super) fn apply(host: &Host<'_>, job: Uuid) -> Result<Applied> {
    let before = find(host)?;
    if before.user.is_some_and(|user| user.uid == 0) {
        return Err(problem(
            Code::UserUnsuitable,
            format!("The server has a user {} with the rights of root.", place::USER),
            "The gateway must not run as root: rename or remove that user, then start again.",
        ));
    }
    let note = Note { user_existed: before.user.is_some(), group_existed: before.group.is_some(), ..Note::default() };
    let entry = journal::begin(host, job, BoxStep::User, &[], note)?;
    if before.user.is_none() {
        let line = if before.group.is_some() { commands::USERADD_INTO_GROUP } else { commands::USERADD };
        run(host, line)?;
        host.say("Created the system user proxima-gateway.");
    } else if before.group.is_none() {
        run(host, commands::GROUPADD)?;
    }
    require(host)?;
    let thing = |what: &str, existed: bool| ReceiptThing {
        name: format!("{what} {}", place::USER),
        done: if existed { Done::Kept } else { Done::Created },
        sha256: None,
        version: None,
    };
    let things = vec![thing("user", entry.note.user_existed), thing("group", entry.note.group_existed)];
    Ok((outcome(before.user.is_none() || before.group.is_none()), things))
}

pub(super) fn revert(host: &Host<'_>, entry: &Entry) -> Result<()> {
    remove(host, !entry.note.user_existed, !entry.note.group_existed)
}

/// Removes the user, the group, or both, as far as they are there. userdel may take the group along.
pub(crate) fn remove(host: &Host<'_>, user: bool, group: bool) -> Result<()> {
    let once = |line: CommandLine| run(host, line).map(|_| ());
    if user && find(host)?.user.is_some() {
        once(commands::USERDEL)?;
    }
    if group && find(host)?.group.is_some() {
        once(commands::GROUPDEL)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_found_by_its_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nproxima-gateway2:x:5:5::/:/bin/sh\n";
        assert_eq!(parse(passwd, "proxima-gateway2:x:5:\n"), Account::default());
        let passwd = "proxima-gateway:x:998:997:Proxima Gateway:/nonexistent:/usr/sbin/nologin\n";
        let found = parse(passwd, "proxima-gateway:x:997:\n");
        assert_eq!(found, Account { user: Some(Owner { uid: 998, gid: 997 }), group: Some(997), is_ours: true });
        assert!(!parse("proxima-gateway:x:998:997:Somebody:/:/bin/sh", "").is_ours);
        assert_eq!(parse("proxima-gateway:x:one:2:\n", "proxima-gateway\n"), Account::default());
    }
}
