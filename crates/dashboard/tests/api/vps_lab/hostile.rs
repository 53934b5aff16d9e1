//! Boxes that want to harm whoever looks at them: what they say reaches the API clean and bounded, and nothing of it is run.

use super::real_box::{Owner, RealBox, world_and_box};
use proxima_test_support::{LabOptions, LabUser};
use serde_json::{Value, json};
use sqlx::PgPool;

/// Bytes of one job's log and problems in the API, at most: the log's own bound, and the JSON around its lines.
const BYTES_MAX: usize = 2 * 1024 * 1024;
/// A user's name that may be typed, and of which a shell would make the file `owned`. (Debian's sshd cuts names at a slash.)
const NAME: &str = "a$(touch${IFS}owned)`touch${IFS}owned`;'\"";

/// All that the API gives of a job is text that a terminal and a page can show.
async fn is_clean(owner: &Owner, job: &str) -> Value {
    let answer = owner.browser.get(job).await;
    assert!(answer.text.len() < BYTES_MAX, "{} bytes", answer.text.len());
    let seen = answer.expect(200);
    check(&seen);
    seen
}

fn check(value: &Value) {
    match value {
        Value::String(text) => {
            let evil = |c: char| {
                (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            };
            assert!(!text.contains(evil), "{text:?}");
        }
        Value::Array(items) => items.iter().for_each(check),
        Value::Object(fields) => fields.values().for_each(check),
        _ => {}
    }
}

async fn is_not_owned(target: &RealBox) {
    assert_eq!(target.run("find / -xdev -name owned").await, "");
}

/// Uid 0 by a name of its own, with root's password.
async fn add_user(target: &RealBox, name: &str) {
    let hash = target.run("sed -n 's/^root:\\([^:]*\\):.*/\\1/p' /etc/shadow").await;
    for (file, line) in [
        ("passwd", format!("{name}:x:0:0::/home/evil:/bin/bash\n")),
        ("shadow", format!("{name}:{}:19000::::::\n", hash.trim())),
    ] {
        let command = format!("cat >>/etc/{file} && mkdir -p /home/evil");
        let done = target.lab.exec_with_input(&["sh", "-c", &command], &line).await;
        assert_eq!(done.code, Some(0), "{}", done.stderr);
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn names_banners_and_login_scripts(db: PgPool) {
    let (world, target, owner, _releases) = world_and_box(db, LabOptions::default()).await;
    let lab = &target.lab;
    for host in ["$(reboot)", "`id`.example", "\u{1b}[31mred", "-oProxyCommand=id", "a;b", "a\nb"] {
        let form = json!({ "host": host, "port": 22, "user": "root", "password": "x" });
        owner.browser.put(&owner.path("/connection"), &form).await.refuses(&[("host", "invalid")]);
    }

    // Somebody who is nobody there, with such a name; then somebody who is root there.
    let evil = LabUser { name: NAME.to_owned(), password: "x".to_owned() };
    owner.connects(&target, &evil).await;
    let before = target.snapshot().await;
    let job = owner.queues("INSTALL").await;
    owner.fails(&job, "PASSWORD_REFUSED", NAME).await;
    is_not_owned(&target).await;
    target.is_as(&before, "a hostile user name").await;
    add_user(&target, NAME).await;

    // The box's own name and distribution, its banner, and what its shells print when nobody asked.
    let syscall = if std::env::consts::ARCH == "x86_64" { 170 } else { 161 };
    target
        .run(&format!(
            "perl -e '$n = \"\\e[31m\\$(touch owned)\\r\\n<script>\"; syscall({syscall}, $n, length $n) == 0 or die'"
        ))
        .await;
    target.run(r#"rm /etc/os-release; { printf 'ID=debian\nPRETTY_NAME="\033[31m$(touch owned) \342\200\256'; head -c 3000000 /dev/zero | tr '\0' x; printf '"\n'; } >/etc/os-release"#).await;
    target.run(r"printf '\033]0;owned\007\033[2J$(touch owned)\r\n%.0s' $(seq 40) >/etc/banner && sed -i '1iBanner /etc/banner' /etc/ssh/sshd_config && systemctl reload ssh").await;
    target.run(r#"printf 'printf "\\033[31mwelcome $(id)\\r\\n"; printf "\\033[2Jproxima-uid=7\\n" >&2\n' | tee /home/evil/.bashrc >>/root/.bashrc"#).await;
    owner.saves(&target, &LabUser { name: NAME.to_owned(), password: lab.root.password.clone() }, None).await;
    let before = target.snapshot().await;
    let job = owner.queues("INSTALL").await;
    owner.succeeds(&job).await;
    target.serves().await;
    let seen = is_clean(&owner, &job).await;
    assert!(seen["log"].to_string().contains("The server says: "), "the banner is shown: {seen:#}");
    let server = owner.browser.get(&owner.server).await;
    check(&server.expect(200));
    is_not_owned(&target).await;
    owner.uninstalls(&target, &before).await;
    drop(world);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_server_that_prints_without_end(db: PgPool) {
    let (world, target, owner, _releases) = world_and_box(db, LabOptions::default()).await;
    owner.connects(&target, &target.lab.root).await;
    let mild = target.snapshot().await;
    let force = |command: &str| {
        format!(
            "sed -i '/^ForceCommand/d' /etc/ssh/sshd_config && sed -i '1iForceCommand {command}' /etc/ssh/sshd_config && systemctl reload ssh"
        )
    };
    for command in ["yes $(printf \"\\\\033[31mred\")", "yes >\\&2", "cat /dev/zero", "cat /dev/urandom >\\&2"] {
        target.run(&force(command)).await;
        let before = target.snapshot().await;
        let job = owner.queues("INSTALL").await;
        owner.fails(&job, "TOO_MUCH_OUTPUT", "printed without end").await;
        is_clean(&owner, &job).await;
        target.is_as(&before, command).await;
    }
    // A banner without end, before anybody is logged in.
    target.run("sed -i '/^ForceCommand/d' /etc/ssh/sshd_config && head -c 200000 /dev/zero | tr '\\0' x >/etc/banner && sed -i '1iBanner /etc/banner' /etc/ssh/sshd_config && systemctl reload ssh").await;
    let job = owner.queues("INSTALL").await;
    owner.fails(&job, "BANNER_TOO_LONG", "endless login banner").await;
    is_clean(&owner, &job).await;
    target.run("sed -i '/^Banner/d' /etc/ssh/sshd_config && rm /etc/banner && systemctl reload ssh").await;
    let before = target.snapshot().await;
    assert_eq!(before.keys().collect::<Vec<_>>(), mild.keys().collect::<Vec<_>>());
    owner.installs(&target).await;
    owner.uninstalls(&target, &before).await;
    drop(world);
}
