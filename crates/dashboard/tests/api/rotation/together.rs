//! Several at once: admins, heartbeats of both keys, and both of them together.

use super::{Bench, expect_plain, expect_retired};
use proxima_db::heartbeats::Finding;
use proxima_test_support::{Beat, TestGateway, audited};
use proxima_types::Role;
use serde_json::json;
use sqlx::PgPool;
use std::sync::Arc;

const ROUNDS: usize = 10;

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn heartbeats_of_both_keys_in_one_batch_are_each_judged_and_end_it_once(db: PgPool) {
    let mut bench = Bench::new(db).await;
    let (old, new) = (bench.gateway.key.clone(), bench.hand_over().await);
    let [first, second, third] = [(); 3].map(|()| bench.gateway.report());
    // One runtime thread: all three wait before a worker takes them.
    let queue = &bench.app.app.heartbeats;
    let (first, second, third) = tokio::join!(
        queue.judge(old.digest(), first),
        queue.judge(new.digest(), second),
        queue.judge(old.digest(), third)
    );
    for (judged, is_old) in [(first, true), (second, false), (third, true)] {
        let Finding::Licensed(licensed) = judged.unwrap().finding else { panic!("judged before it ended") };
        assert_eq!((licensed.next_key.is_some(), licensed.first_use), (is_old, !is_old));
    }
    assert_eq!(audited(&bench.app.db, "server.license.rotate.end").await.len(), 1);
    let sequence: i64 =
        sqlx::query_scalar("SELECT sequence FROM gateway_installs").fetch_one(&bench.app.db).await.unwrap();
    assert_eq!(sequence, 5, "one sequence for both keys");
    expect_retired(&bench.beat_with(&old).await);
    expect_plain(&bench.beat_with(&new).await, "ACTIVE");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn of_two_admins_who_rotate_or_cancel_at_once_one_wins(db: PgPool) {
    let bench = Bench::new(db).await;
    let other = bench.app.sign_in_new("admin2", Role::Admin).await;
    let (rotate, cancel) = (bench.path("/rotate"), bench.path("/rotate/cancel"));
    for _ in 0..ROUNDS {
        for (path, refusal) in [(&rotate, "rotation_open"), (&cancel, "no_rotation")] {
            let body = json!({});
            let (one, two) = tokio::join!(bench.admin.post(path, &body), other.post(path, &body));
            let (won, lost) = if one.status == 200 { (one, two) } else { (two, one) };
            won.expect_status(200);
            lost.problem(409, refusal);
        }
    }
    for action in ["server.license.rotate", "server.license.rotate.cancel"] {
        let rows = audited(&bench.app.db, action).await;
        assert_eq!(rows.iter().filter(|row| row.outcome == "SUCCESS").count(), ROUNDS);
        assert_eq!(rows.len(), 2 * ROUNDS, "both are on record");
    }
}

fn lives(beat: &Beat) -> bool {
    assert_eq!(beat.signature, Ok(()), "{beat:?}");
    assert!(beat.status == 200 || beat.body["code"] == "license_key_retired", "{beat:?}");
    beat.status == 200
}

/// The new key is used while an admin cancels or regenerates: whoever comes first, exactly one key is left, and a
/// gateway that has both is never without one, but for the hard cut.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn adopting_while_an_admin_ends_it_otherwise_leaves_one_key(db: PgPool) {
    let mut bench = Bench::new(db).await;
    for round in 0..ROUNDS {
        let new = bench.hand_over().await;
        let action = if round % 2 == 0 { "/rotate/cancel" } else { "/regenerate" };
        let mut adopting: TestGateway = bench.gateway.clone();
        adopting.key = new.clone();
        let (path, body) = (bench.path(action), json!({}));
        let (answer, first, _) = tokio::join!(
            bench.admin.post(&path, &body),
            adopting.beat(),
            proxima_dashboard::jobs::sweep(&bench.app.app)
        );
        assert!([200, 409].contains(&answer.status.as_u16()), "{answer:?}");
        bench.gateway.sequence += 1;
        let old_lives = lives(&bench.gateway.beat().await);
        let new_lives = lives(&bench.beat_with(&new).await);
        if action == "/regenerate" {
            assert_eq!((old_lives, new_lives), (false, false), "the hard cut retires whatever was");
            bench.gateway = bench.app.gateway(&bench.customer).await;
        } else {
            assert_ne!(old_lives, new_lives, "{answer:?}");
            assert_eq!(answer.status == 200, old_lives, "who cancelled keeps the old key");
            assert!(lives(&first) || old_lives);
            if new_lives {
                bench.gateway.key = new;
            }
        }
        expect_plain(&bench.gateway.beat().await, "ACTIVE");
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_fleet_that_rotates_at_once_ends_each_rotation_once(db: PgPool) {
    const FLEET: usize = 40;
    let bench = Bench::new(db).await;
    let mut gateways = Vec::new();
    for number in 0..FLEET {
        let customer = bench.app.customer(&format!("fleet{number}")).await;
        let path = format!("/api/v1/servers/{}/license/rotate", customer.server_id);
        bench.admin.post(&path, &json!({})).await.expect_status(200);
        gateways.push(bench.app.gateway(&customer).await);
    }
    let admin = Arc::new(bench.admin.clone());
    let mut beats = tokio::task::JoinSet::new();
    for mut gateway in gateways {
        let admin = Arc::clone(&admin);
        beats.spawn(async move {
            let old = gateway.key.clone();
            gateway.key = super::handed(&gateway.beat().await);
            expect_plain(&gateway.beat().await, "ACTIVE");
            let license = format!("/api/v1/servers/{}/license", gateway.server_id);
            assert!(admin.get(&license).await.expect(200)["lastRotation"]["adoptedAt"].is_string());
            gateway.key = old;
            expect_retired(&gateway.beat().await);
        });
    }
    assert_eq!(beats.join_all().await.len(), FLEET);
    assert_eq!(audited(&bench.app.db, "server.license.rotate.end").await.len(), FLEET);
    assert_eq!(proxima_test_support::first_broken(&bench.app.db).await.unwrap(), None);
}
