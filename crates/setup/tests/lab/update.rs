//! Updates: confirmed by an authentic answer, else taken back; with nobody watching.

use crate::customer::{Customer, FIRST_JOB, gateway_binary, sha256, time};
use crate::dashboard;
use proxima_test_support::{Folder, LabOptions};
use proxima_types::setup::{
    SetupAction, SetupData, SetupProblemCode as Code, SetupReply, UpdateReport, UpdateState, place,
};
use std::path::PathBuf;
use std::time::Duration;
use uuid::Uuid;

fn update(binary: &PathBuf, version: &str) -> SetupAction {
    SetupAction::Update { sha256: sha256(binary), version: version.to_owned(), at: time(), wait_seconds: 15 }
}

fn report(reply: SetupReply) -> (UpdateReport, Option<Code>) {
    let Some(SetupData::Update(report)) = reply.data else { panic!("{:?}", reply.problem) };
    (report, reply.problem.map(|problem| problem.code))
}

async fn in_use(customer: &Customer) -> String {
    customer.run("sha256sum /usr/local/lib/proxima-gateway/proxima-gateway | cut -d' ' -f1").await.trim().to_owned()
}

async fn is_answered(customer: &Customer) -> bool {
    let Some(SetupData::Status(status)) = customer.ask(FIRST_JOB, SetupAction::Status {}).await.data else {
        panic!("a status")
    };
    status.gateway_is_current && status.gateway.is_some_and(|gateway| !gateway["answeredAt"].is_null())
}

async fn until_answered(customer: &Customer) {
    for _ in 0..300 {
        if is_answered(customer).await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no answer was heard");
}

#[tokio::test]
async fn vps_lab_an_update_is_confirmed_or_taken_back_by_itself() {
    let port = dashboard::free_port();
    let customer = Customer::new(LabOptions { dashboard_port: Some(port), ..LabOptions::default() }).await;
    dashboard::serve(customer.lab.machine_address.into(), port);
    customer.upload(&gateway_binary());
    customer.install(FIRST_JOB).await;
    customer.commit(FIRST_JOB).await;
    until_answered(&customer).await;

    // The same program with a byte behind its end: it runs, and is another file.
    let folder = Folder::new();
    let (good, bad) = (folder.join("good"), folder.join("bad"));
    let mut bytes = std::fs::read(gateway_binary()).expect("the binary");
    bytes.push(0);
    std::fs::write(&good, &bytes).expect("written");
    bytes.truncate(100_000);
    std::fs::write(&bad, &bytes).expect("written");

    customer.upload(&good);
    let (confirmed, problem) = report(customer.ask(Uuid::from_u128(2), update(&good, "2.0.0")).await);
    assert_eq!((confirmed.state, problem), (UpdateState::Confirmed, None));
    assert_eq!(in_use(&customer).await, sha256(&good));
    let previous = customer.run("sha256sum /usr/local/lib/proxima-gateway/proxima-gateway.previous").await;
    assert!(previous.starts_with(&sha256(&gateway_binary())), "the one before is kept");
    let Some(SetupData::Status(status)) = customer.ask(FIRST_JOB, SetupAction::Status {}).await.data else {
        panic!("a status")
    };
    assert_eq!(status.receipt.and_then(|receipt| receipt.gateway_version).as_deref(), Some("2.0.0"));

    customer.upload(&bad);
    // The staged program cannot even be run: the one in use is asked.
    let third = Uuid::from_u128(3);
    let (rolled_back, problem) = report(customer.ask_installed(third, update(&bad, "3.0.0")).await);
    assert_eq!((rolled_back.state, problem), (UpdateState::RolledBack, Some(Code::RolledBack)));
    assert_eq!(in_use(&customer).await, sha256(&good));
    until_answered(&customer).await;
    let again = report(customer.ask_installed(third, update(&bad, "3.0.0")).await);
    assert_eq!(again.0, rolled_back, "asked again, it says how it ended");

    // Whoever asked is gone after a moment.
    customer.upload(&bad);
    let fourth = Uuid::from_u128(4);
    customer.ask_installed_and_kill(fourth, update(&bad, "4.0.0"), 1500).await;
    let ended = async {
        loop {
            let Some(SetupData::Status(status)) = customer.ask_previous(fourth, SetupAction::Status {}).await.data
            else {
                panic!("a status")
            };
            match status.update {
                Some(update) if update.job == fourth && update.state.is_final() => return update.state,
                _ => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(120), ended).await.expect("an end");
    assert_eq!((ended, in_use(&customer).await), (UpdateState::RolledBack, sha256(&good)));
    until_answered(&customer).await;
    assert!(customer.shell("test -e /usr/local/lib/proxima-gateway/staged").await.code == Some(1), "{}", place::STAGED);
}
