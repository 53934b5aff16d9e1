//! The package's life on a machine: install, start, upgrade, removal, purge.

use super::machine::{Machine, build, package};
use proxima_test_support::Folder;

/// What `systemd-analyze security` may say of a unit at most.
const MAX_EXPOSURE: f64 = 2.0;
const READY: &str =
    "for try in $(seq 600); do curl -fsS http://127.0.0.1:8080/readyz && exit 0; sleep 0.1; done 2>/dev/null; exit 1";

#[tokio::test]
async fn vps_lab_the_package_installs_runs_hardened_upgrades_and_leaves_the_keys() {
    let machine = Machine::up().await;
    let said = machine.follow("install").await;
    assert!(said.contains("/etc/proxima-dashboard/config.toml"), "what comes next: {said}");
    let unit = machine.run("systemctl is-enabled proxima-dashboard proxima-dashboard-backup.timer; systemctl is-active proxima-dashboard proxima-dashboard-backup.timer || true").await;
    assert_eq!(unit, "enabled\nenabled\ninactive\nactive\n", "it waits to be configured");
    let modes = "stat -c '%a %U:%G' /etc/proxima-dashboard /etc/proxima-dashboard/config.toml /var/lib/proxima-dashboard /var/backups/proxima-dashboard";
    let service = "700 proxima-dashboard:proxima-dashboard\n";
    assert_eq!(
        machine.run(modes).await,
        format!("750 root:proxima-dashboard\n640 root:proxima-dashboard\n{service}{service}")
    );
    for unit in ["proxima-dashboard", "proxima-dashboard-backup"] {
        let analysis = machine.run(&format!("systemd-analyze security --no-pager {unit} | tail -n 1")).await;
        let exposure = analysis.split(": ").nth(1).and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
        assert!(exposure.expect("a figure") < MAX_EXPOSURE, "{analysis}");
    }

    machine.run("systemctl start proxima-dashboard").await;
    machine.run(READY).await;
    // Root's commands leave nothing of root's behind, and work beside the running service.
    machine.run("printf vivid-otter-plays-5 | proxima-dashboard create-admin --username admin --password-stdin").await;
    let strangers = "find /var/lib/proxima-dashboard ! -user proxima-dashboard";
    assert_eq!(machine.run(strangers).await, "");
    let rights = machine.run("grep CapEff /proc/$(systemctl show -P MainPID proxima-dashboard)/status").await;
    assert!(rights.trim().ends_with("0000000000000400"), "CAP_NET_BIND_SERVICE alone: {rights}");
    let servers = machine.run("systemctl status --no-pager proxima-dashboard | grep -o 'postgres -D.*'").await;
    assert_eq!(servers.trim(), "postgres -D /var/lib/proxima-dashboard/postgres/data");
    machine.run("test -x /usr/lib/proxima-dashboard/gateways/*/proxima-gateway && test -s /usr/share/bash-completion/completions/proxima-dashboard").await;

    // Killed with its PostgreSQL, it comes back.
    machine.run(&format!("systemctl kill --signal KILL proxima-dashboard\n{READY}")).await;

    let state = "systemctl show -P MainPID proxima-dashboard; sha256sum /var/lib/proxima-dashboard/keys.json /etc/proxima-dashboard/config.toml";
    machine.run("echo '# mine' >>/etc/proxima-dashboard/config.toml").await;
    let before = machine.run(state).await;
    machine.run("apt-get install -y --reinstall ./proxima-dashboard_*.deb").await;
    machine.run(READY).await;
    let after = machine.run(state).await;
    assert_ne!(before.lines().next(), after.lines().next(), "another process");
    assert_eq!(before.split_once('\n').map(|(_, rest)| rest), after.split_once('\n').map(|(_, rest)| rest));

    machine.run("apt-get remove -y proxima-dashboard; ! systemctl is-active proxima-dashboard").await;
    machine.run("apt-get install -y ./proxima-dashboard_*.deb && systemctl start proxima-dashboard").await;
    machine.run(READY).await;
    let purged = machine.attempt("apt-get purge -y proxima-dashboard").await;
    assert_eq!(purged.code, Some(0), "{purged:?}");
    assert!(
        format!("{}{}", purged.stdout, purged.stderr).contains("/var/lib/proxima-dashboard was kept"),
        "{purged:?}"
    );
    machine.run("test -s /var/lib/proxima-dashboard/keys.json && test ! -e /etc/proxima-dashboard").await;
    machine
        .run(&format!("apt-get install -y ./proxima-dashboard_*.deb && systemctl start proxima-dashboard\n{READY}"))
        .await;
    assert_eq!(machine.run(strangers).await, "");
}

/// Long, with a machine of its own: `PROXIMA_TEST_FULL=1`. What systemd is told is tested without it, in `api/service.rs`.
#[tokio::test]
async fn vps_lab_systemd_waits_for_it_reloads_it_and_restarts_it_when_it_is_frozen() {
    if std::env::var_os("PROXIMA_TEST_FULL").is_none_or(|value| value != "1") {
        return;
    }
    let machine = Machine::up().await;
    machine.follow("install").await;
    let certificate = async || {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        let files = [("cert.pem", made.cert.pem()), ("key.pem", made.signing_key.serialize_pem())];
        for (name, text) in files {
            let put = ["install", "-D", "-m", "640", "-g", "proxima-dashboard", "/dev/stdin"];
            let to = format!("/etc/proxima-dashboard/tls/{name}");
            let done = machine.lab.exec_with_input(&[&put[..], &[&to]].concat(), &text).await;
            assert_eq!(done.code, Some(0), "{done:?}");
        }
    };
    let config = "public_url = \"https://localhost:8443\"\nlisten = \"127.0.0.1:8443\"\n\
                  tls_cert = \"/etc/proxima-dashboard/tls/cert.pem\"\ntls_key = \"/etc/proxima-dashboard/tls/key.pem\"\n";
    let add = ["sh", "-c", "cat >>/etc/proxima-dashboard/config.toml"];
    assert_eq!(machine.lab.exec_with_input(&add, config).await.code, Some(0));
    certificate().await;
    machine.run("chgrp proxima-dashboard /etc/proxima-dashboard/tls && chmod 750 /etc/proxima-dashboard/tls").await;
    let ask = "curl -fsS --cacert /etc/proxima-dashboard/tls/cert.pem https://localhost:8443/readyz";
    let until = format!("for try in $(seq 600); do {ask} && exit 0; sleep 0.1; done 2>/dev/null; exit 1");

    // The start ends when it is ready, not before.
    machine.run(&format!("systemctl start proxima-dashboard && {ask}")).await;
    certificate().await;
    machine.run(&format!("! {ask} 2>/dev/null && systemctl reload proxima-dashboard && {until}")).await;
    let log = machine.run("journalctl --no-pager -u proxima-dashboard").await;
    assert!(log.contains("SIGHUP: the TLS certificate is read again"), "{log}");
    assert_eq!(machine.run("systemctl show -P NRestarts proxima-dashboard").await, "0\n");

    // Its watchdog, in seconds instead of a minute.
    machine
        .run(
            "mkdir -p /etc/systemd/system/proxima-dashboard.service.d
             printf '[Service]\\nWatchdogSec=2\\nTimeoutAbortSec=2\\nRestartSec=0\\n' >/etc/systemd/system/proxima-dashboard.service.d/test.conf
             systemctl daemon-reload && systemctl restart proxima-dashboard",
        )
        .await;
    let frozen = "pid=$(systemctl show -P MainPID proxima-dashboard); kill -STOP $pid
                  for try in $(seq 600); do
                      now=$(systemctl show -P MainPID proxima-dashboard)
                      if [ $now != $pid ] && [ $now != 0 ]; then break; fi
                      sleep 0.1
                  done";
    machine.run(&format!("{frozen}\n{until}")).await;
    let log = machine.run("journalctl --no-pager -u proxima-dashboard").await;
    assert!(log.contains("Watchdog timeout"), "{log}");

    machine.run("systemctl stop proxima-dashboard").await;
    assert_eq!(machine.run("systemctl show -P Result -P ExecMainStatus proxima-dashboard").await, "success\n0\n");
    machine.run("! pgrep -x -u proxima-dashboard postgres").await;
}

#[tokio::test]
async fn vps_lab_the_same_sources_give_the_same_package() {
    let first = package().await;
    let folder = Folder::new();
    let second = build(&folder, "second").await;
    let bytes = |path| std::fs::read(path).expect("a package");
    assert!(bytes(first) == bytes(second), "they differ");
}
