//! All that runs on the box before our binary does: constant scripts of one line, POSIX `sh`,
//! without single quotes, `!` and backslashes, so that every login shell passes them on unchanged.
//! Data reaches them by standard input alone.

/// One script in its spellings for each [`crate::ssh::Privileges`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Privileged {
    pub root: &'static str,
    pub sudo: &'static str,
    pub sudo_password: &'static str,
    /// What [`HELPER`] calls it: its first line of standard input.
    pub verb: &'static str,
}

/// `-k` ignores cached passwords, so that whether sudo reads one from standard input never depends
/// on earlier commands.
macro_rules! privileged {
    ($verb:literal, $script:expr) => {
        Privileged {
            root: concat!("exec env LC_ALL=C sh -c '", $script, "'"),
            sudo: concat!("exec env LC_ALL=C sudo -k -n sh -c '", $script, "'"),
            sudo_password: concat!("exec env LC_ALL=C sudo -k -S -p '' sh -c '", $script, "'"),
            verb: concat!($verb, "\n"),
        }
    };
}

macro_rules! who {
    () => {
        "echo proxima-uid=$(id -u)"
    };
}

macro_rules! staged {
    () => {
        concat!(
            "d=/usr/local/lib/proxima-gateway; c=$d/claim; read -r who || who=; if [ -n \"$who\" ]; then ",
            "umask 022; mkdir -p $d || exit 71; [ -z \"$(find $c -mmin +30 2>/dev/null)\" ] || rm -f $c; ",
            "(set -C; echo \"$who\" >$c) 2>/dev/null; ",
            "case \"$(cat $c 2>/dev/null)\" in \"$who\") touch $c;; \"\") ;; *) exit 65;; esac; fi; ",
            "f=$d/staged; [ -f $f ] || exit 0; s=$(sha256sum <$f) && echo proxima-staged=${s%% *}"
        )
    };
}

macro_rules! upload {
    () => {
        concat!(
            "umask 022; d=/usr/local/lib/proxima-gateway; read -r want size || exit 70; ",
            "mkdir -p $d || exit 71; rm -f $d/upload.*; t=$d/upload.$$; trap \"rm -f $t\" EXIT HUP INT TERM; ",
            "cat >$t || exit 72; s=$(sha256sum <$t) || exit 73; [ \"${s%% *}\" = \"$want\" ] || exit 74; ",
            "{ sync $t 2>/dev/null || sync; } && chmod 755 $t && mv -f $t $d/staged || exit 75; ",
            "trap - EXIT; echo proxima-upload=done"
        )
    };
}

macro_rules! undo_upload {
    () => {
        "d=/usr/local/lib/proxima-gateway; rm -f $d/staged $d/upload.* $d/claim; rmdir $d 2>/dev/null; exit 0"
    };
}

macro_rules! setup {
    () => {
        concat!(
            "d=/usr/local/lib/proxima-gateway; for b in $d/staged $d/proxima-gateway; do ",
            "if [ -x $b ]; then exec $b setup; fi; done; exit 69"
        )
    };
}

macro_rules! uninstall {
    () => {
        concat!(
            "d=/usr/local/lib/proxima-gateway; for b in $d/staged $d/proxima-gateway; do ",
            "if [ -x $b ]; then $b setup || exit; ",
            "rm -f $d/staged $d/upload.* $d/claim $d/as-root /etc/sudoers.d/proxima-gateway; rmdir $d 2>/dev/null; exit 0; ",
            "fi; done; exit 69"
        )
    };
}

macro_rules! revoke {
    () => {
        "d=/usr/local/lib/proxima-gateway; rm -f /etc/sudoers.d/proxima-gateway $d/as-root; rmdir $d 2>/dev/null; exit 0"
    };
}

/// Prints the effective user's number, with a mark against what login scripts print.
pub(crate) const WHO: Privileged = privileged!("who", who!());
/// Prints `proxima-staged=` and the SHA-256 of what is staged, if anything is. Reads who installs: the box is theirs for half
/// an hour or until [`UNDO_UPLOAD`], and anybody else gets exit status 65; an empty line claims nothing.
pub(crate) const STAGED: Privileged = privileged!("staged", staged!());
/// Reads `<sha256> <bytes>` and the bytes; stages them. Exit statuses: 74 another digest, else 70 to
/// 75 what could not be written.
pub(crate) const UPLOAD: Privileged = privileged!("upload", upload!());
/// Removes what [`STAGED`] and [`UPLOAD`] left; keeps the folder when something else is in it.
pub(crate) const UNDO_UPLOAD: Privileged = privileged!("undo", undo_upload!());
/// The setup program of the staged binary, else of the one in use; exit status 69 without any.
pub(crate) const SETUP: Privileged = privileged!("setup", setup!());
/// As [`SETUP`], and once that succeeded removes what is ours and not of the setup program.
pub(crate) const UNINSTALL: Privileged = privileged!("uninstall", uninstall!());
/// Removes the helper and its sudoers entry.
pub(crate) const REVOKE: Privileged = privileged!("revoke", revoke!());

/// Reads a user's name and then [`HELPER`]; lets that user run the helper as root, and nothing else
/// without a password. The entry is checked by visudo alone and among the others; a file whose name
/// has a dot is not read by sudo, so it is exchanged as a whole. Never run by the helper.
pub(crate) const GRANT: Privileged = privileged!(
    "grant",
    concat!(
        "umask 022; read -r user || exit 64; d=/usr/local/lib/proxima-gateway; s=/etc/sudoers.d/proxima-gateway; ",
        "command -v visudo >/dev/null && [ -d /etc/sudoers.d ] || exit 76; ",
        "cat >$d/as-root.new && chmod 755 $d/as-root.new && mv -f $d/as-root.new $d/as-root || exit 71; ",
        "umask 227; rm -f $s.new; echo \"$user ALL=(root) NOPASSWD: $d/as-root\" >$s.new && ",
        "visudo -cqf $s.new && mv -f $s.new $s && visudo -cq || { rm -f $s $s.new $d/as-root; exit 77; }"
    )
);

/// What a user without root's password runs through sudo: the scripts above and nothing else.
pub(crate) const HELPER: &str = concat!(
    "#!/bin/sh\n",
    "# Written by Proxima Gateway: lets its dashboard update and remove the gateway. Uninstalling removes it.\n",
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C; export PATH LC_ALL\n",
    "read -r verb || exit 64\n",
    "case $verb in\n",
    "who) ",
    who!(),
    " ;;\nstaged) ",
    staged!(),
    " ;;\nupload) ",
    upload!(),
    " ;;\nundo) ",
    undo_upload!(),
    " ;;\nsetup) ",
    setup!(),
    " ;;\nuninstall) ",
    uninstall!(),
    " ;;\nrevoke) ",
    revoke!(),
    " ;;\n*) exit 64 ;;\nesac\n",
);

/// Runs [`HELPER`]; its standard input begins with a verb.
pub(crate) const HELPER_COMMAND: &str = "exec env LC_ALL=C sudo -k -n /usr/local/lib/proxima-gateway/as-root";

/// Reads three lines: a mode, our mark, and a line. `add` appends the line, `drop` removes that very
/// line, `only` removes every line that ends in the mark and appends the line unless it is empty.
/// Other lines stay as they are, and a file without any goes; it is exchanged as a whole, with its owner and mode. Runs as
/// the user who logs in: it is their file.
pub(crate) const AUTHORIZE: &str = concat!(
    "exec env LC_ALL=C sh -c '",
    "umask 077; read -r mode && read -r mark && IFS= read -r line || exit 64; cd || exit 71; ",
    "mkdir -p .ssh || exit 71; f=$(readlink -f .ssh/authorized_keys) || exit 71; t=\"$f.proxima\"; src=\"$f\"; ",
    "if [ -f \"$f\" ]; then cp -p \"$f\" \"$t\" || exit 72; ",
    "elif [ -z \"$line\" ]; then exit 0; else src=/dev/null; fi; ",
    "case $mode in ",
    "add) { grep \"\" \"$src\"; echo \"$line\"; } >\"$t\";; ",
    "drop) grep -vxF -e \"$line\" \"$src\" >\"$t\" || [ $? -eq 1 ];; ",
    "only) { grep -v \" $mark$\" \"$src\"; if [ -n \"$line\" ]; then echo \"$line\"; fi; } >\"$t\";; ",
    "*) exit 64;; esac && mv -f \"$t\" \"$f\" || { rm -f \"$t\"; exit 72; }; ",
    "[ -s \"$f\" ] || [ -L .ssh/authorized_keys ] || rm -f \"$f\"'",
);

#[cfg(test)]
mod tests {
    use super::*;
    use proxima_types::setup::place;

    const ALL: [Privileged; 8] = [WHO, STAGED, UPLOAD, UNDO_UPLOAD, SETUP, UNINSTALL, REVOKE, GRANT];

    #[test]
    fn commands_are_one_line_without_what_a_login_shell_would_change() {
        for script in ALL {
            for command in [script.root, script.sudo, script.sudo_password, HELPER_COMMAND, AUTHORIZE] {
                assert!(!command.contains(['\n', '!', '\\']), "{command}");
            }
            assert_eq!(script.root.matches('\'').count(), 2);
            assert_eq!(script.sudo_password.matches('\'').count(), 4);
        }
        assert_eq!(AUTHORIZE.matches('\'').count(), 2);
    }

    #[test]
    fn places_are_the_box_sides() {
        assert!(place::STAGED.ends_with("/staged") && place::BINARY.ends_with("/proxima-gateway"));
        assert!(UPLOAD.root.contains(&format!("d={};", place::LIB)));
        assert!(UPLOAD.root.contains(&format!("/{}$$", place::UPLOAD_PREFIX)));
        assert!(HELPER_COMMAND.ends_with(&format!("{}/as-root", place::LIB)));
    }

    #[test]
    fn the_helper_knows_every_verb_but_the_one_that_makes_it() {
        for script in ALL {
            let known = HELPER.contains(&format!("\n{}) ", script.verb.trim()));
            assert_eq!(known, script.verb != GRANT.verb, "{}", script.verb);
        }
    }
}
