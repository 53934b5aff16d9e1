//! Guessing passwords is slow, costs no CPU, and locks nobody out of a browser they use.

use proxima_dashboard::app::{Actor, sessions};
use proxima_dashboard::config::AppConfig;
use proxima_test_support::{Client, PASSWORD, TestApp, dump};
use proxima_types::Role;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};

const LOGIN: &str = "/api/v1/auth/login";

async fn guess(client: &Client, username: &str, password: &str) -> (u16, Value) {
    let answer = client.post(LOGIN, &json!({ "username": username, "password": password })).await;
    let mut body = answer.json();
    for differs in ["requestId", "retryAfterSeconds"] {
        body[differs].take();
    }
    (answer.status.as_u16(), body)
}

/// Makes the delays that are in force last, however slowly the test runs.
pub async fn hold(db: &PgPool) {
    let hold = "UPDATE throttles SET blocked_until = now() + interval '10 minutes' WHERE blocked_until > charged_at";
    sqlx::query(hold).execute(db).await.unwrap();
}

/// The longest delay that the last failure began, in seconds.
async fn delay(db: &PgPool) -> f64 {
    let longest = "SELECT max(extract(epoch FROM blocked_until - charged_at))::float8 FROM throttles";
    sqlx::query_scalar(longest).fetch_one(db).await.unwrap()
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn guessing_is_delayed_the_same_for_a_name_that_nobody_has(db: PgPool) {
    let app = TestApp::start(db).await;
    app.customer("alice").await;
    let stranger = app.anonymous();
    let mut answers = Vec::new();
    for name in ["alice", "nobody"] {
        let mut own = Vec::new();
        for _ in 0..6 {
            own.push(guess(&stranger, name, "wrong").await);
        }
        assert!((delay(&app.db).await - 1.0).abs() < 0.001);
        hold(&app.db).await;
        // The right password is refused as well, and not even looked at.
        own.push(guess(&stranger, name, PASSWORD).await);
        answers.push(own);
        let over = "UPDATE throttles SET blocked_until = charged_at";
        sqlx::query(over).execute(&app.db).await.unwrap();
    }
    assert_eq!(answers[0], answers[1]);
    let statuses: Vec<u16> = answers[0].iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [401, 401, 401, 401, 401, 401, 429]);
    // Names that were typed are not written down.
    assert!(!dump(&app.db).await.contains("nobody"));
    // Once the delay is over the next failure costs twice as much, and a success ends it.
    let over = "UPDATE throttles SET blocked_until = charged_at";
    assert_eq!(guess(&stranger, "alice", "wrong").await.0, 401);
    assert!((delay(&app.db).await - 2.0).abs() < 0.001);
    hold(&app.db).await;
    let refused = stranger.post(LOGIN, &json!({ "username": "alice", "password": PASSWORD })).await;
    let seconds = refused.problem(429, "too_many_attempts")["retryAfterSeconds"].as_u64().unwrap();
    assert!((500..=600).contains(&seconds), "{seconds}");
    assert_eq!(refused.header("retry-after"), Some(seconds.to_string().as_str()));
    sqlx::query(over).execute(&app.db).await.unwrap();
    assert_eq!(guess(&stranger, "alice", PASSWORD).await.0, 200);
    assert_eq!(guess(&app.anonymous(), "alice", "wrong").await.0, 401);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn attempts_at_the_same_time_are_counted_too(db: PgPool) {
    let app = TestApp::start(db).await;
    app.customer("alice").await;
    guess(&app.anonymous(), "alice", "wrong").await;
    // So that the next failure begins a delay of minutes.
    sqlx::query("UPDATE throttles SET failures = 14").execute(&app.db).await.unwrap();
    let mut guesses = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let client = app.anonymous();
        guesses.spawn(async move { guess(&client, "alice", "wrong").await.0 });
    }
    let answers = guesses.join_all().await;
    assert_eq!(answers.iter().filter(|status| **status == 401).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 429).count(), 29, "{answers:?}");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn strangers_lock_nobody_out_of_a_browser_they_use(db: PgPool) {
    let app = TestApp::start(db).await;
    let own = app.sign_in_new("alice", Role::Customer).await;
    own.send(proxima_test_support::Method::POST, "/api/v1/auth/logout", None).await.expect_status(204);
    let stranger = app.anonymous();
    for _ in 0..6 {
        guess(&stranger, "alice", "wrong").await;
    }
    hold(&app.db).await;
    assert_eq!(guess(&stranger, "alice", PASSWORD).await.0, 429);
    assert_eq!(guess(&own, "alice", PASSWORD).await.0, 200);
    // That browser has its own count, for its own person only.
    for _ in 0..6 {
        assert_eq!(guess(&own, "alice", "wrong").await.0, 401);
    }
    hold(&app.db).await;
    assert_eq!(guess(&own, "alice", PASSWORD).await.0, 429);
    // Whoever has the console is let in.
    sessions::reset_password(&app.app, &Actor::console(), "alice", "another-heron-sings-8", false).await.unwrap();
    assert_eq!(guess(&stranger, "alice", "another-heron-sings-8").await.0, 200);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn one_address_cannot_try_every_account(db: PgPool) {
    let app = TestApp::start(db).await;
    let stranger = app.anonymous();
    for i in 0..51 {
        assert_eq!(guess(&stranger, &format!("name-{i}"), "wrong").await.0, 401, "{i}");
    }
    hold(&app.db).await;
    assert_eq!(guess(&stranger, "another", "wrong").await.0, 429);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_session_cannot_guess_its_own_password(db: PgPool) {
    let app = TestApp::start(db).await;
    let alice = app.sign_in_new("alice", Role::Customer).await;
    for _ in 0..3 {
        let step_up = json!({ "method": "PASSWORD", "password": "wrong" });
        alice.post("/api/v1/auth/step-up", &step_up).await.refuses(&[("password", "wrong")]);
        let change = json!({ "currentPassword": "wrong", "newPassword": "another-heron-sings-8" });
        alice.post("/api/v1/me/password", &change).await.refuses(&[("currentPassword", "wrong")]);
    }
    hold(&app.db).await;
    let step_up = json!({ "method": "PASSWORD", "password": PASSWORD });
    alice.post("/api/v1/auth/step-up", &step_up).await.problem(429, "too_many_attempts");
    // Signing in elsewhere is another matter.
    app.sign_in("alice", PASSWORD).await;
}

/// A stranger who measures learns nothing: the medians of many sign-ins, in turns, are at most 2 % apart.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
#[allow(clippy::disallowed_methods)] // it is the wall clock that strangers have
async fn soak_timing_unknown_names_take_as_long_as_known_ones(db: PgPool) {
    let app = TestApp::start_with(db, AppConfig { bcrypt_cost: 12, ..AppConfig::default() }).await;
    app.customer("alice").await;
    let guarded = app.sign_in_new("bob", Role::Customer).await;
    sqlx::query("INSERT INTO totp_factors (user_id, secret_ciphertext, used_step) SELECT id, '', 0 FROM users WHERE username = 'bob'")
        .execute(&app.db)
        .await
        .unwrap();
    drop(guarded);
    let stranger = app.anonymous();
    let names = ["alice", "bob", "nobody"];
    let mut times: [Vec<u128>; 3] = Default::default();
    for round in 0..153 {
        // In another order each time: what comes first is no slower for it.
        let i = (round + round / 3) % 3;
        sqlx::query("DELETE FROM throttles").execute(&app.db).await.unwrap();
        let before = std::time::Instant::now();
        assert_eq!(guess(&stranger, names[i], "wrong").await.0, 401);
        times[i].push(before.elapsed().as_micros());
    }
    let medians = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    let (least, most) = (*medians.iter().min().unwrap(), *medians.iter().max().unwrap());
    assert!((most - least) * 100 <= least * 2, "{names:?}: {medians:?}");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_delay_ends_at_a_quarter_of_an_hour_and_each_ten_minutes_forgive_one_failure(db: PgPool) {
    let app = TestApp::start(db).await;
    app.customer("alice").await;
    let stranger = app.anonymous();
    for _ in 0..6 {
        assert_eq!(guess(&stranger, "alice", "wrong").await.0, 401);
    }
    let later =
        "UPDATE throttles SET charged_at = charged_at - $1::interval, blocked_until = blocked_until - $1::interval";
    for doubled in [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 900.0, 900.0] {
        sqlx::query("UPDATE throttles SET blocked_until = charged_at").execute(&app.db).await.unwrap();
        assert_eq!(guess(&stranger, "alice", "wrong").await.0, 401);
        assert!((delay(&app.db).await - doubled).abs() < 0.001, "{} is not {doubled}", delay(&app.db).await);
    }
    // Seventeen failures; after 80 minutes nine of them count, the next one is the tenth.
    sqlx::query(AssertSqlSafe(later.replace("$1", "'80 minutes'"))).execute(&app.db).await.unwrap();
    assert_eq!(guess(&stranger, "alice", "wrong").await.0, 401);
    assert!((delay(&app.db).await - 16.0).abs() < 0.001, "{}", delay(&app.db).await);
}

/// What was counted by a clock that was ahead delays nobody until the clock has caught up, and is not counted twice.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_clock_that_is_put_back_keeps_nobody_out(db: PgPool) {
    let app = TestApp::start(db).await;
    app.customer("alice").await;
    let stranger = app.anonymous();
    assert_eq!(guess(&stranger, "alice", "wrong").await.0, 401);
    let ahead = "UPDATE throttles SET charged_at = charged_at + interval '1 day', blocked_until = blocked_until + interval '1 day'";
    sqlx::query(ahead).execute(&app.db).await.unwrap();
    assert_eq!(guess(&stranger, "alice", "wrong").await.0, 401, "not 429");
    let failures: i32 = sqlx::query_scalar("SELECT max(failures) FROM throttles").fetch_one(&app.db).await.unwrap();
    assert_eq!(failures, 2);
    sqlx::query(ahead).execute(&app.db).await.unwrap();
    assert_eq!(guess(&stranger, "alice", PASSWORD).await.0, 200);
}
