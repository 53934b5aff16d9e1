//! `kill -9` of real processes: the fake box of the unit tests has every point, this has useradd and
//! systemd.

use crate::customer::{Customer, FIRST_JOB, assert_same, gateway_binary, steps};
use proxima_test_support::LabOptions;
use proxima_types::setup::{BoxStep, SetupAction, StepOutcome};

/// From before the request is read to after a whole step, in milliseconds.
const MOMENTS: [u64; 8] = [5, 20, 45, 80, 130, 200, 350, 600];

#[tokio::test]
async fn vps_lab_kill_at_moments_of_an_install_and_its_revert() {
    let customer = Customer::new(LabOptions::default()).await;
    let before = customer.snapshot().await;
    for moment in MOMENTS {
        customer.upload(&gateway_binary());
        for input in steps(&customer.dashboard_url) {
            customer.ask_and_kill(FIRST_JOB, SetupAction::Apply { input }, moment).await;
        }
        for step in BoxStep::ALL.into_iter().rev() {
            customer.ask_and_kill(FIRST_JOB, SetupAction::Revert { step }, moment).await;
        }
        // What ran the requests may be gone with the binary's step.
        customer.upload(&gateway_binary());
        customer.revert(FIRST_JOB).await;
        assert_same(&customer.snapshot().await, &before, &format!("killed after {moment} ms"));
    }
    for moment in MOMENTS {
        customer.upload(&gateway_binary());
        for input in steps(&customer.dashboard_url) {
            customer.ask_and_kill(FIRST_JOB, SetupAction::Apply { input }, moment).await;
        }
        customer.install(FIRST_JOB).await;
        assert_eq!(customer.install(FIRST_JOB).await, [StepOutcome::Unchanged; 5], "killed after {moment} ms");
        customer.revert(FIRST_JOB).await;
        assert_same(&customer.snapshot().await, &before, &format!("killed after {moment} ms, again, reverted"));
    }
}
