//! Boxes on which an install cannot be done: each says why, and is left as it was.

use crate::customer::{Customer, FIRST_JOB, SERVER, assert_same, config, gateway_binary, sha256, steps};
use proxima_test_support::LabOptions;
use proxima_types::setup::{SetupAction, SetupData, SetupProblemCode as Code, StepInput};
use uuid::Uuid;

const SECOND_JOB: Uuid = Uuid::from_u128(2);

async fn refusal(customer: &Customer, job: Uuid, input: StepInput) -> Code {
    let reply = customer.apply(job, input).await;
    reply.problem.expect("a problem").code
}

#[tokio::test]
async fn vps_lab_faults_of_the_disk_and_the_tools_change_nothing() {
    let binary = gateway_binary();
    let mebibytes = std::fs::metadata(&binary).expect("the binary").len() / 1024 / 1024;
    let small_disk = Some(u32::try_from(mebibytes * 5 / 2 + 40).expect("a size"));
    let customer = Customer::new(LabOptions { small_disk, ..LabOptions::default() }).await;
    customer.upload(&binary);

    customer.run("mv /usr/sbin/useradd /usr/sbin/useradd.away").await;
    assert_eq!(refusal(&customer, FIRST_JOB, StepInput::User {}).await, Code::NoUserTools);
    customer.run("mv /usr/sbin/useradd.away /usr/sbin/useradd").await;
    customer.install(FIRST_JOB).await;

    // Of another server; also of another job, as a second dashboard would ask.
    let other = config("https://other.example", Uuid::from_u128(0xbad));
    customer.commit(FIRST_JOB).await;
    let before = customer.snapshot_at_rest().await;
    assert_eq!(refusal(&customer, SECOND_JOB, other).await, Code::OtherServer);
    assert_same(&customer.snapshot_at_rest().await, &before, "another server's");

    let unit = "cd /etc/systemd && printf '#mine\n' >>system/proxima-gateway.service && mount --bind system system && mount -o remount,bind,ro system";
    customer.run(unit).await;
    assert_eq!(refusal(&customer, SECOND_JOB, StepInput::Unit {}).await, Code::ReadOnly);
    customer.run("umount /etc/systemd/system").await;
    customer.revert(SECOND_JOB).await;
    assert!(customer.run("tail -n 1 /etc/systemd/system/proxima-gateway.service").await.contains("#mine"));

    let full = "cp /usr/local/lib/proxima-gateway/proxima-gateway /usr/local/lib/proxima-gateway/staged && printf x >>/usr/local/lib/proxima-gateway/staged && cat /dev/zero >/var/fill 2>/dev/null; true";
    customer.run(full).await;
    let hash = customer.run("sha256sum /usr/local/lib/proxima-gateway/staged | cut -d' ' -f1").await.trim().to_owned();
    let input = StepInput::Binary { sha256: hash, version: String::new() };
    assert_eq!(refusal(&customer, SECOND_JOB, input).await, Code::DiskFull);
    customer.run("rm /var/fill").await;
    customer.revert(SECOND_JOB).await;
    let in_use = customer.run("sha256sum /usr/local/lib/proxima-gateway/proxima-gateway | cut -d' ' -f1").await;
    assert_eq!(in_use.trim(), sha256(&binary));
    assert_eq!(customer.run("ls -A /var/lib/proxima-gateway-setup").await.trim(), "receipt.json");
}

#[tokio::test]
async fn vps_lab_a_config_that_is_immutable_is_named() {
    let customer = Customer::new(LabOptions::default()).await;
    customer.upload(&gateway_binary());
    customer.install(FIRST_JOB).await;
    customer.commit(FIRST_JOB).await;
    customer.run("chattr +i /etc/proxima-gateway/config.json").await;
    let code = refusal(&customer, SECOND_JOB, config("https://moved.example", SERVER)).await;
    customer.run("chattr -i /etc/proxima-gateway/config.json").await;
    assert_eq!(code, Code::Immutable);
    customer.revert(SECOND_JOB).await;
}

#[tokio::test]
async fn vps_lab_a_box_without_systemd_is_refused_and_reverted() {
    let customer = Customer::new(LabOptions { no_systemd: true, ..LabOptions::default() }).await;
    let before = customer.snapshot().await;
    customer.upload(&gateway_binary());
    let Some(SetupData::Facts(facts)) = customer.ask(FIRST_JOB, SetupAction::Facts { ports: vec![] }).await.data else {
        panic!("facts")
    };
    assert_eq!((facts.systemd_running, facts.systemd_version), (false, None));
    let mut codes = Vec::new();
    for input in steps(&customer.dashboard_url) {
        codes.push(customer.apply(FIRST_JOB, input).await.problem.map(|problem| problem.code));
    }
    assert_eq!(codes, [None, None, None, Some(Code::NoSystemd), Some(Code::NoSystemd)]);
    customer.revert(FIRST_JOB).await;
    assert_same(&customer.snapshot().await, &before, "reverted");
}
