//! The manual way of installing, on real boxes: the very command that the dashboard shows.

use super::real_box::{Owner, RealBox, config, releases, step_of};
use crate::world::World;
use proxima_test_support::{Customer, Finished, LabOptions, assert_same_box, rows_matching};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::time::Duration;

/// What differs between two installs of the same gateway: its own identity, times, and the key that SSH is traded for.
const OWN: [&str; 5] = [
    "/etc/proxima-gateway/config.json",
    "/var/lib/proxima-gateway/",
    "/var/lib/proxima-gateway-setup/receipt.json",
    "/root/.ssh",
    "-time",
];

/// A dashboard that runs no jobs itself, and a box.
async fn world_and_box(db: PgPool, options: LabOptions) -> (World, RealBox, Owner, tempfile::TempDir) {
    let releases = releases();
    let target = RealBox::up(options).await;
    let world = World::with(db, config(releases.path())).await;
    target.reaches(&world.app.url);
    let owner = Owner::of(&world);
    owner.configures(&target).await;
    (world, target, owner, releases)
}

async fn command(owner: &Owner) -> String {
    let made = owner.browser.post(&owner.path("/install-token"), &json!({})).await.expect(201);
    made["command"].as_str().unwrap().to_owned()
}

/// As somebody who is logged in types it.
async fn typed(target: &RealBox, user: &str, command: &str) -> Finished {
    target.lab.exec_with_input(&["su", "-", user, "-c", "bash"], &format!("{command}\n")).await
}

async fn newest_job(owner: &Owner) -> String {
    let jobs = owner.browser.get(&owner.path("/jobs")).await.expect(200);
    owner.path(&format!("/jobs/{}", jobs["items"][0]["id"].as_str().unwrap()))
}

/// It says that it installed, in the steps' words, and the dashboard says the same.
async fn installed(owner: &Owner, target: &RealBox, done: &Finished) -> Value {
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert!(done.stdout.contains("Create its user …") && done.stdout.contains("\nInstalled:"), "{}", done.stdout);
    let job = owner.succeeds(&newest_job(owner).await).await;
    assert_eq!((&job["byCommand"], &job["kind"]), (&json!(true), &json!("INSTALL")));
    let states: Vec<_> = job["steps"].as_array().unwrap().iter().map(|step| step["state"].clone()).collect();
    assert!(states.iter().all(|state| state == "DONE" || state == "UNCHANGED"), "{job:#}");
    target.serves().await;
    job
}

/// Everything but what is every install's own.
fn alike(snapshot: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let is_own = |path: &String| OWN.iter().any(|own| path.starts_with(own) || path.ends_with(own));
    snapshot.iter().filter(|(path, _)| !is_own(path)).map(|(path, what)| (path.clone(), what.clone())).collect()
}

/// What a receipt says, without when and by which job.
async fn receipt(target: &RealBox) -> Value {
    let text = target.run("stat -c %a:%U:%G /var/lib/proxima-gateway-setup/receipt.json >&2; cat /var/lib/proxima-gateway-setup/receipt.json").await;
    let mut receipt: Value = serde_json::from_str(&text).unwrap();
    for own in ["job", "committedAt", "installId"] {
        receipt[own].take();
    }
    for thing in
        receipt["steps"].as_array_mut().unwrap().iter_mut().flat_map(|step| step["things"].as_array_mut().unwrap())
    {
        if thing["name"] == "/etc/proxima-gateway/config.json" {
            thing["sha256"].take();
        }
    }
    receipt
}

/// Wherever on the box something is kept, its own key is where it belongs, and nothing is another customer's.
async fn holds_nothing_of_others(world: &World, target: &RealBox, other: &Customer) {
    let search = "grep -rlaF -f /dev/stdin /etc /var /root /home /opt /srv /tmp /run /usr/local 2>/dev/null; true";
    let files_with =
        async |what: &str| target.lab.exec_with_input(&["bash", "-c", search], &format!("{what}\n")).await.stdout;
    let own = world.app.gateway(&world.customer).await.key;
    assert_eq!(files_with(own.expose()).await, "/etc/proxima-gateway/config.json\n");
    let key = world.app.gateway(other).await.key;
    let others = format!("{}\n{}\n{}", key.expose(), other.server_id, other.username);
    assert_eq!(files_with(&others).await, "");
}

const MODES: &str = "stat -c '%n %a %U:%G' /etc/proxima-gateway/config.json /var/lib/proxima-gateway /var/lib/proxima-gateway-setup \
    /var/lib/proxima-gateway-setup/receipt.json /usr/local/lib/proxima-gateway/*; \
    systemctl is-enabled proxima-gateway; systemctl is-active proxima-gateway";

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn vps_lab_the_command_ends_in_the_same_state_as_ssh(db: PgPool) {
    let (mut world, target, owner, _releases) =
        world_and_box(db, LabOptions { noexec_tmp: true, ..LabOptions::default() }).await;
    let other = world.app.customer("another-customer").await;
    let before = target.snapshot().await;
    let line = command(&owner).await;
    let done = typed(&target, "root", &line).await;
    let job = installed(&owner, &target, &done).await;
    assert_eq!(job["receipt"]["gatewayVersion"], json!(env!("CARGO_PKG_VERSION")));
    let its_row = format!("id = '{}'", world.customer.server_id);
    let pinned = rows_matching(&world.app.db, "servers", &its_row).await[0]["management_fingerprint"].clone();
    let own = target.run("proxima-gateway management-fingerprint").await;
    assert_eq!(pinned, own.trim(), "the certificate of port 6060 is known");
    let token = line.split("PROXIMA_INSTALL_TOKEN=").nth(1).unwrap().split(';').next().unwrap();
    assert!(!format!("{}{}", done.stdout, done.stderr).contains(token), "the terminal shows no secret");
    assert!(!target.run("journalctl --no-pager -q | cat").await.contains(token));
    let (by_command, its_receipt, its_modes) =
        (target.snapshot().await, receipt(&target).await, target.run(MODES).await);

    holds_nothing_of_others(&world, &target, &other).await;

    // Once is once.
    let again = typed(&target, "root", &line).await;
    assert_eq!(again.code, Some(1), "{}{}", again.stdout, again.stderr);
    assert!(
        again.stderr.contains("used, withdrawn or expired") && again.stderr.contains("Make another"),
        "{}",
        again.stderr
    );
    assert_same_box(&alike(&target.snapshot().await), &alike(&by_command), "a refused command");

    // Without the dashboard, and without a trace.
    let refused = target.lab.exec(&["proxima-gateway", "setup", "uninstall"]).await;
    assert_eq!(refused.code, Some(2), "{}", refused.stdout);
    let gone = target.run("proxima-gateway setup uninstall --yes").await;
    assert!(gone.contains("Uninstalled.") && gone.contains("Removed: /etc/proxima-gateway"), "{gone}");
    target.is_as(&before, "uninstalled by hand").await;

    world.run_jobs();
    owner.connects(&target, &target.lab.root).await;
    owner.installs(&target).await;
    assert_same_box(&alike(&by_command), &alike(&target.snapshot().await), "by command and by SSH");
    assert_eq!(receipt(&target).await, its_receipt);
    assert_eq!(target.run(MODES).await, its_modes);
    holds_nothing_of_others(&world, &target, &other).await;
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn vps_lab_the_command_of_sudo_users_with_wget_alone_and_without_either(db: PgPool) {
    let (_world, target, owner, _releases) = world_and_box(db, LabOptions::default()).await;
    let before = target.snapshot().await;
    let line = command(&owner).await;
    // Who may not: a sentence, and the token is as good as before.
    let plain = target.lab.plain.name.clone();
    let refused = typed(&target, &plain, &line).await;
    assert_ne!(refused.code, Some(0), "{}", refused.stdout);
    target.is_as(&before, "refused by sudo").await;
    target.run("mv /usr/bin/curl /usr/bin/wget /root/").await;
    let neither = typed(&target, "root", &line).await;
    assert!(neither.stderr.contains("wget"), "{}", neither.stderr);
    target.run("mv /root/wget /usr/bin/").await;
    let (sudoer, asker) = (target.lab.nopasswd.clone(), target.lab.sudo.clone());
    let done = typed(&target, &sudoer.name, &line).await;
    installed(&owner, &target, &done).await;
    let seen = target.run("cat /var/log/auth.log 2>/dev/null; journalctl --no-pager -q _COMM=sudo").await;
    assert!(seen.contains("COMMAND=") && !seen.contains("pt_"), "sudo logs no token: {seen}");
    target.run("proxima-gateway setup uninstall --yes; mv /root/curl /usr/bin/").await;

    // Asked for the password at the terminal, while the script is on standard input.
    let line = command(&owner).await;
    target.lab.exec_with_input(&["sh", "-c", "cat >/home/asker-command; chmod 644 /home/asker-command"], &line).await;
    let typing = format!("script -qec \"su - {} -c 'bash /home/asker-command'\" /dev/null", asker.name);
    let slowly = format!("(sleep 3; echo {}; sleep 20) | {typing}", asker.password);
    let done = target.lab.exec(&["bash", "-c", &slowly]).await;
    assert!(done.stdout.contains("asking sudo"), "{}{}", done.stdout, done.stderr);
    let job = owner.succeeds(&newest_job(&owner).await).await;
    assert_eq!(job["byCommand"], true);
    target.run("proxima-gateway setup uninstall --yes; rm /home/asker-command").await;
    target.is_as(&before, "all users have installed and uninstalled").await;
}

/// Begins the command and returns when the job's step is in that state.
async fn begun(owner: &Owner, target: &RealBox, step: &str, state: &str) -> String {
    let line = command(owner).await;
    target.lab.exec_with_input(&["sh", "-c", "cat >/run/command"], &line).await;
    let before = owner.browser.get(&owner.path("/jobs")).await.expect(200)["items"].as_array().unwrap().len();
    target.run("setsid bash /run/command >/run/said 2>&1 </dev/null & true").await;
    let jobs = owner.until(&owner.path("/jobs"), |jobs| jobs["items"].as_array().unwrap().len() > before).await;
    let job = owner.path(&format!("/jobs/{}", jobs["items"][0]["id"].as_str().unwrap()));
    owner.until(&job, |job| step_of(job, step).is_some_and(|found| found["state"] == state)).await;
    job
}

async fn until_said(target: &RealBox, words: &str) -> String {
    for _ in 0..600 {
        let said = target.run("cat /run/said").await;
        if said.contains(words) {
            return said;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it never said {words}: {}", target.run("cat /run/said").await);
}

/// No heartbeat reaches the dashboard, everything else does.
const MUTE: &str = "mkdir -p /etc/systemd/system/proxima-gateway.service.d && printf '[Service]\\nPrivateNetwork=yes\\n' \
    >/etc/systemd/system/proxima-gateway.service.d/mute.conf";

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn vps_lab_an_install_by_command_that_is_ended_in_its_middle_leaves_the_box_as_it_was(db: PgPool) {
    let (world, target, owner, _releases) = world_and_box(db.clone(), LabOptions::default()).await;
    target.run("mkdir -p /etc/systemd/system/proxima-gateway.service.d && printf '[Service]\\nExecStartPre=/bin/sleep 3\\n' \
        >/etc/systemd/system/proxima-gateway.service.d/slow.conf").await;
    let before = target.snapshot().await;
    // Ctrl-C, an end by the system, and a lost terminal.
    for signal in ["INT", "TERM", "HUP"] {
        let job = begun(&owner, &target, "START", "RUNNING").await;
        target.run(&format!("pkill -{signal} -f '[s]etup enroll'")).await;
        let said = until_said(&target, "The server is as it was before.").await;
        assert!(said.contains("It was interrupted."), "{said}");
        let done = owner.ends(&job).await;
        assert_eq!((&done["state"], &done["remains"]), (&json!("CANCELLED"), &json!([])), "{done:#}");
        target.is_as(&before, signal).await;
    }
    // Cancelled in the dashboard.
    let job = begun(&owner, &target, "START", "RUNNING").await;
    owner.browser.post(&format!("{job}/cancel"), &json!({})).await.expect_status(200);
    assert!(until_said(&target, "The server is as it was before.").await.contains("cancelled in the dashboard"));
    assert_eq!(owner.ends(&job).await["state"], "CANCELLED");
    target.is_as(&before, "cancelled").await;
    // Given up by the dashboard, while the box was still at work.
    let job = begun(&owner, &target, "START", "RUNNING").await;
    sqlx::query("UPDATE jobs SET lease_until = clock_timestamp() WHERE state = 'RUNNING'").execute(&db).await.unwrap();
    proxima_dashboard::jobs::sweep(&world.app.app).await.unwrap();
    assert_eq!(owner.browser.get(&job).await.expect(200)["problem"]["code"], "COMMAND_SILENT");
    until_said(&target, "The server is as it was before.").await;
    target.is_as(&before, "given up").await;
    // Killed: what it did stays, until the next command goes on from there …
    let killed = begun(&owner, &target, "START", "RUNNING").await;
    target.run("pkill -KILL -f '[s]etup enroll'; sleep 1").await;
    sqlx::query("UPDATE jobs SET lease_until = clock_timestamp() WHERE state = 'RUNNING'").execute(&db).await.unwrap();
    proxima_dashboard::jobs::sweep(&world.app.app).await.unwrap();
    assert_eq!(owner.ends(&killed).await["state"], "FAILED");
    // … or, when that one fails, is put back with it.
    target.run(MUTE).await;
    let failed = typed(&target, "root", &command(&owner).await).await;
    assert_eq!(failed.code, Some(1), "{}{}", failed.stdout, failed.stderr);
    assert!(failed.stdout.contains("no heartbeat") && failed.stdout.contains("as it was before"), "{}", failed.stdout);
    owner.fails(&newest_job(&owner).await, "NO_HEARTBEAT", "no heartbeat").await;
    target.run("rm /etc/systemd/system/proxima-gateway.service.d/mute.conf; systemctl daemon-reload").await;
    target.is_as(&before, "failed after a killed one").await;

    begun(&owner, &target, "CONFIG", "DONE").await;
    target.run("pkill -KILL -f '[s]etup enroll'; sleep 1").await;
    sqlx::query("UPDATE jobs SET lease_until = clock_timestamp() WHERE state = 'RUNNING'").execute(&db).await.unwrap();
    proxima_dashboard::jobs::sweep(&world.app.app).await.unwrap();
    let done = typed(&target, "root", &command(&owner).await).await;
    installed(&owner, &target, &done).await;
    assert_eq!(target.run("ls /var/lib/proxima-gateway-setup").await.trim(), "receipt.json");
    assert_eq!(target.run("ls /usr/local/lib/proxima-gateway").await.trim(), "proxima-gateway");
    target.run("proxima-gateway setup uninstall --yes").await;
    target.is_as(&before, "uninstalled").await;
}
