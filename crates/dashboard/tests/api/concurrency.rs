//! Two people at once: of what can be done once, it is done once, and the other is told.

use proxima_test_support::{Answer, Client, PASSWORD, TestApp, TestGateway, audited, rows_matching};
use proxima_types::Role;
use serde_json::{Value, json};
use sqlx::PgPool;

const ROUNDS: usize = 12;

/// Sends the same kind of request from all at once.
async fn at_once(requests: Vec<(Client, proxima_test_support::Method, String, Option<Value>)>) -> Vec<Answer> {
    let barrier = std::sync::Arc::new(tokio::sync::Barrier::new(requests.len()));
    let mut tasks = Vec::new();
    for (client, method, path, body) in requests {
        let barrier = std::sync::Arc::clone(&barrier);
        tasks.push(tokio::spawn(async move {
            barrier.wait().await;
            client.send(method, &path, body.as_ref()).await
        }));
    }
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

fn post(client: &Client, path: &str, body: Value) -> (Client, proxima_test_support::Method, String, Option<Value>) {
    (client.clone(), proxima_test_support::Method::POST, path.to_owned(), Some(body))
}

/// One of them won; every other is a 409 that names the field.
fn one_won(answers: &[Answer], won: u16, field: &str) {
    let (winners, losers): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == won);
    assert_eq!(winners.len(), 1, "{answers:?}");
    for loser in losers {
        loser.problem(409, "conflict");
        assert_eq!(loser.bad_fields(), [field]);
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn simultaneous_creations_of_one_username_or_slug_make_one(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    for round in 0..ROUNDS {
        let name = |i: usize| if i.is_multiple_of(2) { format!("Same{round}") } else { format!(" same{round} ") };
        let requests = (0..5).map(|i| {
            post(&admin, "/api/v1/users", json!({ "username": name(i), "password": PASSWORD, "role": "CUSTOMER" }))
        });
        one_won(&at_once(requests.collect()).await, 201, "username");
        let requests = (0..5).map(|i| {
            let username = format!("slug{round}-{i}");
            let body = json!({ "username": username, "loginSlug": format!("slug{round}"), "password": PASSWORD, "role": "CUSTOMER" });
            post(&admin, "/api/v1/users", body)
        });
        one_won(&at_once(requests.collect()).await, 201, "loginSlug");
    }
    // Of the losers nothing is left: no server without its owner's twin, no audit row.
    let (users, servers) =
        (rows_matching(&app.db, "users", "role = 'CUSTOMER'").await, rows_matching(&app.db, "servers", "true").await);
    assert_eq!((users.len(), servers.len()), (2 * ROUNDS, 2 * ROUNDS));
    assert_eq!(audited(&app.db, "user.create").await.len(), 2 * ROUNDS + 1);
    assert_eq!(proxima_test_support::first_broken(&app.db).await.unwrap(), None);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn simultaneous_renames_to_one_username_make_one(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let customers = [app.customer("a1").await, app.customer("a2").await, app.customer("a3").await];
    for round in 0..ROUNDS {
        let body = json!({ "username": format!("wanted{round}") });
        let requests = customers.iter().map(|customer| {
            let path = format!("/api/v1/users/{}", customer.id);
            (admin.clone(), proxima_test_support::Method::PATCH, path, Some(body.clone()))
        });
        one_won(&at_once(requests.collect()).await, 200, "username");
    }
}

/// Two admins, and nobody else who could be one.
async fn two_admins(app: &TestApp, round: usize) -> [(String, String, Client); 2] {
    let mut pair = Vec::new();
    for side in ["x", "y"] {
        let name = format!("{side}{round}");
        let client = app.sign_in_new(&name, Role::Admin).await;
        let id = client.get("/api/v1/me").await.expect(200)["id"].as_str().unwrap().to_owned();
        pair.push((id, name, client));
    }
    sqlx::query("DELETE FROM users WHERE role = 'ADMIN' AND username NOT IN ($1, $2)")
        .bind(&pair[0].1)
        .bind(&pair[1].1)
        .execute(&app.db)
        .await
        .unwrap();
    pair.try_into().unwrap_or_else(|_| unreachable!())
}

/// Who came second: no longer signed in, no longer an admin, or stopped as the last one.
fn came_second(answer: &Answer) -> bool {
    matches!(answer.json()["code"].as_str(), Some("unauthenticated" | "forbidden" | "last_admin"))
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn two_admins_who_delete_or_demote_each_other_leave_one(db: PgPool) {
    let app = TestApp::start(db).await;
    for round in 0..ROUNDS {
        let [x, y] = two_admins(&app, round).await;
        let delete = |by: &Client, of: &(String, String, Client)| {
            let path = format!("/api/v1/users/{}?confirmUsername={}", of.0, of.1);
            (by.clone(), proxima_test_support::Method::DELETE, path, None)
        };
        let demote = |by: &Client, of: &(String, String, Client)| {
            let path = format!("/api/v1/users/{}", of.0);
            (by.clone(), proxima_test_support::Method::PATCH, path, Some(json!({ "role": "CUSTOMER" })))
        };
        let requests = match round % 3 {
            0 => vec![delete(&x.2, &y), delete(&y.2, &x)],
            1 => vec![demote(&x.2, &y), demote(&y.2, &x)],
            _ => vec![demote(&x.2, &y), delete(&y.2, &x)],
        };
        let answers = at_once(requests).await;
        assert_eq!(answers.iter().filter(|answer| answer.status.is_success()).count(), 1, "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| came_second(answer)).count(), 1, "{answers:?}");
        assert_eq!(rows_matching(&app.db, "users", "role = 'ADMIN'").await.len(), 1);
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn two_admins_who_demote_themselves_leave_one(db: PgPool) {
    let app = TestApp::start(db).await;
    for round in 0..ROUNDS {
        let pair = two_admins(&app, round).await;
        let requests = pair.iter().map(|(id, _, client)| {
            let path = format!("/api/v1/users/{id}");
            (client.clone(), proxima_test_support::Method::PATCH, path, Some(json!({ "role": "CUSTOMER" })))
        });
        let answers = at_once(requests.collect()).await;
        let (done, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!(done.len(), 1, "{answers:?}");
        refused[0].problem(409, "last_admin");
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn of_two_admins_who_revoke_or_reinstate_at_once_one_wins(db: PgPool) {
    let app = TestApp::start(db).await;
    let admins = [app.admin().await, app.sign_in_new("admin2", Role::Admin).await];
    // Of one person's refusals in a minute no more get rows of their own (`Refusals`), and one of the two may lose every time.
    for round in 0..ROUNDS.min(10) {
        let customer = app.customer(&format!("customer{round}")).await;
        for (action, now) in [("revoke", "GRACE"), ("reinstate", "ACTIVE")] {
            let path = format!("/api/v1/servers/{}/license/{action}", customer.server_id);
            let requests = admins.iter().map(|admin| post(admin, &path, json!({})));
            let answers = at_once(requests.collect()).await;
            let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
            assert_eq!(won.len(), 1, "{answers:?}");
            assert_eq!(won[0].json()["status"], now);
            assert_eq!(lost[0].problem(409, "license_state_conflict")["licenseStatus"], now);
            let rows = audited(&app.db, &format!("server.license.{action}")).await;
            let of_this = rows.iter().filter(|row| row.target == Some(customer.server_id.0));
            let mut outcomes: Vec<_> = of_this.map(|row| row.outcome.as_str()).collect();
            outcomes.sort_unstable();
            assert_eq!(outcomes, ["FAILURE", "SUCCESS"], "both are on record");
        }
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn regenerating_at_once_leaves_one_living_key(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let mut first = app.gateway(&customer).await;
    let path = format!("/api/v1/servers/{}/license/regenerate", customer.server_id);
    let answers = at_once((0..6).map(|_| post(&admin, &path, json!({}))).collect()).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    assert_eq!(first.beat().await.body["code"], "license_key_retired");
    assert_eq!(rows_matching(&app.db, "retired_keys", "reason = 'REGENERATED'").await.len(), 6);
    TestGateway::expect_status(&app.gateway(&customer).await.beat().await, "ACTIVE");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn of_those_who_save_one_generation_at_once_one_wins(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let own = app.sign_in("alice", PASSWORD).await;
    let path = format!("/api/v1/servers/{}/config", customer.server_id);
    for generation in 0..ROUNDS {
        let requests = [&admin, &own, &admin, &own].into_iter().zip(8000..).map(|(client, port)| {
            let listeners = json!([{ "port": port, "backendUrl": "http://127.0.0.1:3000" }]);
            let body = json!({ "generation": generation, "listeners": listeners });
            (client.clone(), proxima_test_support::Method::PUT, path.clone(), Some(body))
        });
        let answers = at_once(requests.collect()).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
        assert_eq!((won.len(), lost.len()), (1, 3), "{answers:?}");
        for answer in lost {
            answer.problem(409, "stale");
        }
        assert_eq!(own.get(&path).await.expect(200)["listeners"], won[0].json()["listeners"]);
    }
}

/// A license action and the customer's deletion at once: done before it, or nothing there any more.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn acting_on_a_customer_who_is_being_deleted(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    for round in 0..ROUNDS {
        let customer = app.customer(&format!("gone{round}")).await;
        let gateway = app.gateway(&customer).await;
        let license = format!("/api/v1/servers/{}/license", customer.server_id);
        let deletion = format!("/api/v1/users/{}?confirmUsername=gone{round}", customer.id);
        let mut beating = gateway.clone();
        let beats = tokio::spawn(async move {
            for _ in 0..5 {
                let beat = beating.beat().await;
                assert_eq!(beat.signature, Ok(()), "{beat:?}");
                assert!(beat.status == 200 || beat.body["code"] == "license_key_retired", "{beat:?}");
            }
        });
        let answers = at_once(vec![
            (admin.clone(), proxima_test_support::Method::DELETE, deletion, None),
            post(&admin, &format!("{license}/revoke"), json!({})),
            post(&admin, &format!("{license}/regenerate"), json!({})),
        ])
        .await;
        beats.await.unwrap();
        answers[0].expect_status(204);
        for answer in &answers[1..] {
            assert!([200, 404].contains(&answer.status.as_u16()), "{answer:?}");
        }
        assert_eq!(gateway.clone().beat().await.body["code"], "license_key_retired");
    }
    assert_eq!(rows_matching(&app.db, "servers", "true").await.len(), 0);
    assert_eq!(rows_matching(&app.db, "gateway_installs", "true").await.len(), 0);
}
