//! PostgreSQL's next major version, with the two versions of two releases of Debian.

use super::machine::Machine;
use proxima_test_support::LabOptions;

/// Long: it needs a system of its own. `PROXIMA_TEST_FULL=1`.
#[tokio::test]
async fn vps_lab_an_upgraded_debian_moves_its_database_to_the_new_postgresql() {
    if std::env::var_os("PROXIMA_TEST_FULL").is_none_or(|value| value != "1") {
        return;
    }
    let machine = Machine::up_with(LabOptions { upgraded: true, ..LabOptions::default() }).await;
    // As the machine was before its upgrade.
    machine.run("mv /usr/lib/postgresql/17 /root/17 && dpkg -i --force-depends proxima-dashboard_*.deb").await;
    machine.run("systemctl start proxima-dashboard").await;
    machine.run("printf vivid-otter-plays-5 | proxima-dashboard create-admin --username admin --password-stdin").await;
    let version = "cat /var/lib/proxima-dashboard/postgres/data/PG_VERSION";
    assert_eq!(machine.run(version).await, "15\n");

    // Both are there: the old one is used on, and the log says what to do.
    machine.run("mv /root/17 /usr/lib/postgresql/17 && systemctl restart proxima-dashboard").await;
    assert_eq!(machine.run(version).await, "15\n");
    let log = machine.run("journalctl --no-pager -u proxima-dashboard").await;
    assert!(log.contains("proxima-dashboard upgrade-database"), "{log}");
    let refused = machine.attempt("proxima-dashboard upgrade-database").await;
    assert_eq!(refused.code, Some(1), "the dashboard runs: {refused:?}");
    assert!(refused.stderr.contains("stop"), "{refused:?}");

    // The old one is gone: it says which.
    machine.run("systemctl stop proxima-dashboard && mv /usr/lib/postgresql/15 /root/15").await;
    let refused = machine.attempt("proxima-dashboard migrate").await;
    assert!(refused.stderr.contains("postgresql-15") && refused.stderr.contains("upgrade-database"), "{refused:?}");
    machine.run("mv /root/15 /usr/lib/postgresql/15").await;

    let said = machine.follow("upgrade-database").await;
    assert!(
        said.contains("from PostgreSQL 15 to 17") && said.contains("rm -r /var/lib/proxima-dashboard/postgres/data.15"),
        "{said}"
    );
    assert_eq!(machine.run(version).await, "17\n");
    // Exit code or not: nothing in the lab answers under a public name.
    let looked = machine.attempt("proxima-dashboard doctor").await;
    assert!(looked.stdout.contains("audit"), "{looked:?}");
    let again = machine.run("systemctl stop proxima-dashboard && proxima-dashboard upgrade-database").await;
    assert!(again.contains("Nothing to upgrade"), "{again}");
}
