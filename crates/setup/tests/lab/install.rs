//! The life of an installation.

use crate::customer::{Customer, FIRST_JOB, assert_same, gateway_binary};
use proxima_test_support::LabOptions;
use proxima_types::setup::{SetupAction, SetupData, StepOutcome, place};
use uuid::Uuid;

/// What `systemd-analyze security` may say of the unit at most.
const MAX_EXPOSURE: f64 = 2.5;

#[tokio::test]
async fn vps_lab_an_install_from_nothing_runs_hardened_and_its_uninstall_leaves_nothing() {
    let customer = Customer::new(LabOptions::default()).await;
    let before = customer.snapshot().await;
    customer.upload(&gateway_binary());
    assert_eq!(customer.install(FIRST_JOB).await, [StepOutcome::Changed; 5]);
    assert_eq!(customer.install(FIRST_JOB).await, [StepOutcome::Unchanged; 5], "a second try");

    assert_eq!(customer.run("systemctl is-active proxima-gateway").await.trim(), "active");
    assert_eq!(customer.run("systemctl is-enabled proxima-gateway").await.trim(), "enabled");
    let analysis = customer.run("systemd-analyze security --no-pager proxima-gateway | tail -n 1").await;
    let exposure: f64 =
        analysis.split(": ").nth(1).and_then(|text| text.split(' ').next()?.parse().ok()).expect("a figure");
    assert!(exposure < MAX_EXPOSURE, "{analysis}");
    let modes = customer
        .run("stat -c '%a %U:%G' /etc/proxima-gateway /etc/proxima-gateway/config.json /var/lib/proxima-gateway")
        .await;
    assert_eq!(
        modes,
        "750 root:proxima-gateway\n600 proxima-gateway:proxima-gateway\n700 proxima-gateway:proxima-gateway\n"
    );
    let capabilities = customer.run("grep CapEff /proc/$(systemctl show -P MainPID proxima-gateway)/status").await;
    assert!(capabilities.trim().ends_with("0000000000000400"), "CAP_NET_BIND_SERVICE alone: {capabilities}");

    let Some(SetupData::Receipt(receipt)) = customer.commit(FIRST_JOB).await.data else { panic!("a receipt") };
    assert_eq!((receipt.steps.len(), receipt.gateway_version.as_deref()), (5, Some("1.0.0")));
    let Some(SetupData::Status(status)) = customer.ask(FIRST_JOB, SetupAction::Status {}).await.data else {
        panic!("a status")
    };
    assert!(status.gateway_is_current && status.unfinished_jobs.is_empty() && status.receipt == Some(receipt));
    let Some(SetupData::Facts(facts)) = customer.ask(FIRST_JOB, SetupAction::Facts { ports: vec![22] }).await.data
    else {
        panic!("facts")
    };
    assert_eq!((facts.os_id.as_str(), facts.systemd_version, facts.systemd_running), ("debian", Some(252), true));
    assert!(facts.listeners.iter().all(|listener| listener.unit.as_deref() == Some("ssh.service")), "{facts:?}");
    assert_eq!(facts.existing.expect("this one").version.as_deref(), Some("1.0.0"));
    assert_eq!(customer.ask(FIRST_JOB, SetupAction::Restart {}).await.outcome, StepOutcome::Changed);

    let reply = customer.ask(FIRST_JOB, SetupAction::Uninstall {}).await;
    assert_eq!(reply.outcome, StepOutcome::Changed, "{reply:?}");
    assert_same(&customer.snapshot().await, &before, "uninstalled");
    customer.upload(&gateway_binary());
    let Some(SetupData::Uninstalled(again)) = customer.ask(FIRST_JOB, SetupAction::Uninstall {}).await.data else {
        panic!("a report")
    };
    assert_eq!(again.removed, [place::LIB], "only what was uploaded for this");
}

#[tokio::test]
async fn vps_lab_a_reverted_job_gives_back_the_very_box() {
    let customer = Customer::new(LabOptions::default()).await;
    let before = customer.snapshot().await;
    customer.upload(&gateway_binary());
    customer.install(FIRST_JOB).await;
    customer.revert(FIRST_JOB).await;
    assert_same(&customer.snapshot().await, &before, "a first install, reverted");

    customer.upload(&gateway_binary());
    customer.install(FIRST_JOB).await;
    customer.commit(FIRST_JOB).await;
    // The customer's own ways, which a second install replaces.
    customer
        .run("cd /usr/local/lib/proxima-gateway && cp proxima-gateway other && printf x >>other && mv other proxima-gateway && chmod 751 proxima-gateway && chmod 400 /etc/proxima-gateway/config.json && printf '#mine\\n' >>/etc/systemd/system/proxima-gateway.service && systemctl daemon-reload && systemctl disable -q proxima-gateway")
        .await;
    let before = customer.snapshot_at_rest().await;
    let second = Uuid::from_u128(2);
    customer.upload(&gateway_binary());
    customer.install(second).await;
    customer.revert(second).await;
    assert_same(&customer.snapshot_at_rest().await, &before, "a second install, reverted");
    let exe = customer.run("readlink /proc/$(systemctl show -P MainPID proxima-gateway)/exe").await;
    assert_eq!(exe.trim(), place::BINARY, "it runs what was put back");
}
