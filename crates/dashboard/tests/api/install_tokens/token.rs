//! The life of an install token.

use super::{FakeBox, facts, identity_of, job_of, make, post_nothing, world};
use crate::world::World;
use futures_util::future::join_all;
use proxima_test_support::{Blocker, TestApp, audited, rows_matching, run_program};
use proxima_types::Role;
use serde_json::{Value, json};
use sqlx::PgPool;
use std::path::Path;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn of_many_boxes_with_one_token_one_gets_it(db: PgPool) {
    let (world, _releases) = world(db).await;
    let path = world.path("/install-token");
    assert_eq!(world.own.get(&path).await.expect(200)["open"], Value::Null);
    let token = make(&world).await;
    let open = world.own.get(&path).await.expect(200);
    assert_eq!(open["open"]["madeBy"], "alice");
    assert!(!open.to_string().contains(&token[3..]), "it is shown once");
    assert_eq!(world.status().await, "NOT_INSTALLED");

    let boxes: Vec<_> = (0..8).map(|_| FakeBox::new(world.app.anonymous(), &token)).collect();
    let answers = join_all(boxes.iter().map(FakeBox::claim)).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 7));
    lost.iter().for_each(|answer| drop(answer.problem(401, "install_token_refused")));
    assert_eq!(rows_matching(&world.app.db, "jobs", "true").await.len(), 1);
    assert_eq!(world.own.get(&path).await.expect(200)["open"], Value::Null, "used");
    assert_eq!(world.status().await, "INSTALLING");
    let job = world.own.get(&world.path(&format!("/jobs/{}", job_of(&won[0].json())))).await.expect(200);
    assert_eq!(
        (&job["byCommand"], &job["state"], &job["requestedBy"]),
        (&json!(true), &json!("RUNNING"), &json!("alice"))
    );
    let steps: Vec<_> = job["steps"].as_array().unwrap().iter().map(|step| step["id"].as_str().unwrap()).collect();
    assert_eq!(steps, ["FACTS", "BINARY", "USER", "CONFIG", "UNIT", "START", "HEARTBEAT"]);
    let used = audited(&world.app.db, "server.install_token.use").await;
    assert_eq!((used.len(), used[0].username.as_str(), used[0].ip.as_deref()), (1, "system", Some("127.0.0.1")));
    assert_eq!(used[0].metadata["madeBy"], "alice");
    assert_eq!(audited(&world.app.db, "server.install_token.create").await.len(), 1);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn expired_withdrawn_replaced_and_unknown_tokens_look_the_same(db: PgPool) {
    let (world, _releases) = world(db.clone()).await;
    let path = world.path("/install-token");
    let expired = FakeBox::of(&world).await;
    expired.download("x86_64").await.expect_status(200);
    // The database's clock judges, whoever's else runs.
    sqlx::query("UPDATE install_tokens SET expires_at = clock_timestamp()").execute(&db).await.unwrap();
    assert_eq!(world.own.get(&path).await.expect(200)["open"], Value::Null);
    let replaced = FakeBox::of(&world).await;
    let withdrawn = FakeBox::of(&world).await;
    world.own.delete(&path).await.expect_status(204);
    world.own.delete(&path).await.expect_status(204);
    let unknown = FakeBox { token: format!("pt_{}", "A".repeat(43)), ..expired.clone() };
    let empty = FakeBox { token: String::new(), ..expired.clone() };
    for presented in [&expired, &replaced, &withdrawn, &unknown, &empty] {
        let mut seen = [presented.claim().await, presented.download("x86_64").await].map(|answer| {
            let mut problem = answer.problem(401, "install_token_refused");
            problem["requestId"].take();
            problem
        });
        assert_eq!(seen[0].take(), seen[1].take());
    }
    assert_eq!(audited(&db, "server.install_token.create").await.len(), 3);
    assert_eq!(audited(&db, "server.install_token.withdraw").await.len(), 1, "only of what was good");
    assert_eq!(rows_matching(&db, "jobs", "true").await.len(), 0);
    // A token is no login, and a report token is its job's alone.
    let session = world.app.anonymous().with_header("authorization", &format!("Bearer {}", make(&world).await));
    session.get(&path).await.problem(401, "unauthenticated");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_token_is_not_made_where_it_could_come_to_nothing(db: PgPool) {
    let world = World::new(db.clone(), Path::new("none")).await;
    let path = world.path("/install-token");
    post_nothing(&world.own, &path).await.problem(409, "no_gateway_program");
    let app = TestApp::start(db.clone()).await;
    let bob = app.sign_in_new("bob", Role::Customer).await;
    post_nothing(&bob, &path).await.problem(404, "not_found");
    bob.delete(&path).await.problem(404, "not_found");
    let admin = app.sign_in("admin", proxima_test_support::PASSWORD).await;
    let problem = post_nothing(&admin, &path).await.problem(409, "gateway_url_missing");
    assert!(problem["detail"].as_str().unwrap().contains("--gateway-url"), "{problem}");
    world.connect_by_hand(22).await;
    world.queue("INSTALL").await;
    post_nothing(&admin, &path).await.problem(409, "job_unfinished");
    assert_eq!(rows_matching(&db, "install_tokens", "true").await.len(), 0);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_job_that_runs_refuses_a_claim_and_leaves_its_token_good(db: PgPool) {
    let (world, _releases) = world(db).await;
    let fake = FakeBox::of(&world).await;
    world.connect_by_hand(22).await;
    let job = world.queue("INSTALL").await;
    fake.claim().await.problem(409, "job_unfinished");
    post_nothing(&world.own, &format!("{job}/cancel")).await.expect_status(200);
    fake.claim().await.expect_status(200);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn the_key_is_the_newest_when_the_token_is_used(db: PgPool) {
    let (world, _releases) = world(db).await;
    let license = world.path("/license");
    let fake = FakeBox::of(&world).await;
    let reveal = async || post_nothing(&world.admin, &format!("{license}/reveal")).await.expect(200)["apiKey"].clone();
    let before = reveal().await;
    post_nothing(&world.admin, &format!("{license}/regenerate")).await.expect_status(200);
    let claimed = fake.claim().await.expect(200);
    let identity = identity_of(&claimed);
    assert_eq!(json!(identity.api_key), reveal().await);
    assert_ne!(json!(identity.api_key), before);
    assert_eq!(identity.server_id, world.customer.server_id);
    assert_eq!(identity.dashboard_url.to_string(), "https://panel.example.com");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_claim_whose_answer_was_lost_is_answered_again_until_the_first_report(db: PgPool) {
    let (world, _releases) = world(db).await;
    let mut fake = FakeBox::of(&world).await;
    let claimed = fake.claim().await.expect(200);
    assert_eq!(fake.claim().await.expect(200), claimed, "the same installation, the same secret");
    let thief = FakeBox::new(world.app.anonymous(), &fake.token);
    thief.claim().await.problem(401, "install_token_refused");
    fake.report(&job_of(&claimed), json!([]), Value::Null).await.expect_status(200);
    fake.claim().await.problem(401, "install_token_refused");
    assert_eq!(audited(&world.app.db, "server.install_token.use").await.len(), 1);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn what_a_stranger_sends_is_bounded_and_what_stands_in_the_way_is_said(db: PgPool) {
    let (world, _releases) = world(db).await;
    let fake = FakeBox::of(&world).await;
    let listener = json!({ "port": 6060, "address": "::", "process": "squat\u{1b}[31mter", "pid": 1, "unit": null });
    fake.claim_with(&json!(vec![listener.clone(); 501])).await.refuses(&[("facts", "too_many")]);
    fake.claim_with(&json!(vec![listener.clone(); 5000])).await.problem(413, "too_large");
    let mut facts = facts(&json!([]));
    facts["more"] = json!(1);
    let claimed = fake.claim_with(&json!([listener])).await.expect(200);
    assert_eq!(claimed["obstacle"]["code"], "PORT_TAKEN");
    assert!(claimed["obstacle"]["sentence"].as_str().unwrap().contains("6060 is taken by squatter"), "{claimed}");
    assert_eq!(claimed["warnings"][0]["code"], "CLOCK_OFF", "1970");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn the_script_names_every_program_and_nobodys_token(db: PgPool) {
    let (world, releases) = world(db).await;
    std::fs::create_dir(releases.path().join("x; reboot")).unwrap();
    std::fs::write(releases.path().join("x; reboot/proxima-gateway"), "evil").unwrap();
    let made = post_nothing(&world.own, &world.path("/install-token")).await.expect(201);
    let command = made["command"].as_str().unwrap();
    assert!(
        command.contains("'https://panel.example.com/install.sh'") && command.contains(made["token"].as_str().unwrap())
    );
    let answer = world.app.anonymous().get("/install.sh").await;
    let script = answer.text.clone();
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, Some("text/x-shellscript; charset=utf-8"))
    );
    assert!(script.contains("dashboard='https://panel.example.com'") && !script.contains('@'), "{script}");
    assert!(!script.contains(made["token"].as_str().unwrap()) && !script.contains("reboot"));
    let fake = FakeBox::new(world.app.anonymous(), made["token"].as_str().unwrap());
    let program = fake.download("x86_64").await;
    assert_eq!((program.text.len(), program.header("content-length")), (200_000, Some("200000")));
    for architecture in ["aarch64", "..%2Fx86_64", "x%20", "%00", "%1B%5B31m", "%F0%9F%A6%A6"] {
        fake.download(architecture).await.problem(404, "not_found");
    }
    let line = script.lines().find(|line| line.trim_start().starts_with("x86_64)")).unwrap();
    let sha256 =
        run_program("sha256sum", &[releases.path().join("x86_64/proxima-gateway").to_str().unwrap()], "").await;
    let sha256 = sha256.stdout.split(' ').next().unwrap().to_owned();
    assert_eq!(line.trim(), format!("x86_64) sha256={sha256} bytes=200000 ;;"));
    // Whole it is a program; cut anywhere it does nothing at all.
    assert_eq!(run_program("sh", &["-n"], &script).await.code, Some(0));
    for cut in (0..script.len() - "proxima_install\n".len()).step_by(97) {
        let said = run_program("sh", &[], &format!("PROXIMA_INSTALL_TOKEN=pt_x\n{}", &script[..cut])).await;
        assert_eq!(said.stdout, "", "cut after {cut} bytes");
        assert!(!said.stderr.contains("Not installed"), "cut after {cut} bytes: {}", said.stderr);
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn who_is_called_what_meanwhile_gives_nobody_anothers_key(db: PgPool) {
    let (world, _releases) = world(db.clone()).await;
    world.app.customer("bob").await;
    let fake = FakeBox::of(&world).await;
    let mut blocker = Blocker::hold(&db, "LOCK TABLE job_steps IN EXCLUSIVE MODE").await;
    let claiming = tokio::spawn(async move { fake.claim().await.expect(200) });
    blocker.wait_for("WITH held AS (UPDATE jobs SET plan").await;
    for (from, to) in [("alice", "carol"), ("bob", "alice")] {
        let rename = "UPDATE users SET username = $2 WHERE username = $1";
        sqlx::query(rename).bind(from).bind(to).execute(&db).await.unwrap();
    }
    blocker.release().await;
    assert_eq!(identity_of(&claiming.await.unwrap()).server_id, world.customer.server_id);
}

/// Asks for the program, and reads no more than the answer's first byte.
async fn stall(world: &World, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(world.app.url.strip_prefix("http://").unwrap()).await.unwrap();
    let request =
        format!("GET /api/v1/install/program/x86_64 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.read_u8().await.unwrap();
    stream
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn downloads_of_one_server_leave_room_for_anothers(db: PgPool) {
    let (world, releases) = world(db).await;
    // More than the kernel takes in for a reader who reads nothing.
    std::fs::write(releases.path().join("x86_64/proxima-gateway"), vec![7_u8; 24 << 20]).unwrap();
    let greedy = FakeBox::of(&world).await;
    let _stalled = join_all((0..2).map(|_| stall(&world, &greedy.token))).await;
    greedy.download("x86_64").await.problem(503, "busy");
    let other = world.app.customer("bob").await;
    let path = format!("/api/v1/servers/{}/install-token", other.server_id);
    let made = world.admin.post(&path, &json!({})).await.expect(201);
    let other = FakeBox::new(world.app.anonymous(), made["token"].as_str().unwrap());
    other.download("x86_64").await.expect_status(200);
}
