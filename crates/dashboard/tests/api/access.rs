//! Second factors, step-up, recovery: the whole life of each.

use crate::authenticator::Authenticator;
use crate::throttles::hold;
use proxima_dashboard::config::{AppConfig, SecondFactorPolicy};
use proxima_test_support::{Answer, Client, PASSWORD, TestApp, audited, dump};
use proxima_types::Role;
use serde_json::{Value, json};
use sqlx::PgPool;
use totp_rs::{Algorithm, Builder, Secret};

const LOGIN: &str = "/api/v1/auth/login";
const SECOND: &str = "/api/v1/auth/second-factor";
const STEP_UP: &str = "/api/v1/auth/step-up";
const ORIGIN: &str = "http://localhost:8080";

/// The code of an authenticator app, so many steps from now.
pub fn code(secret: &str, steps: i64) -> String {
    let totp = Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_step_duration(30)
        .with_secret(Secret::try_from_base32(secret).unwrap())
        .build()
        .unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    totp.generate(now.checked_add_signed(steps * 30).unwrap()).to_string()
}

async fn step_one(app: &TestApp, username: &str) -> (Client, Answer) {
    let client = app.anonymous();
    let answer = client.post(LOGIN, &json!({ "username": username, "password": PASSWORD })).await;
    (client, answer)
}

struct Enrolled {
    secret: String,
    /// The code that confirmed the secret.
    used: String,
    recovery: Vec<String>,
}

/// Adds an authenticator app.
async fn enroll(client: &Client) -> Enrolled {
    let begun = client.post("/api/v1/me/totp", &json!({})).await.expect(201);
    let secret = begun["secret"].as_str().unwrap().to_owned();
    assert!(begun["uri"].as_str().unwrap().starts_with("otpauth://totp/"), "{begun}");
    assert!(begun["qrSvg"].as_str().unwrap().starts_with("<svg "));
    let used = code(&secret, 0);
    let confirmed = client.post("/api/v1/me/totp/confirm", &json!({ "code": used })).await.expect(200);
    let codes = confirmed["recoveryCodes"].as_array().cloned().unwrap_or_default();
    let recovery = codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    Enrolled { secret, used, recovery }
}

async fn age_proofs(app: &TestApp) {
    let stale = "UPDATE sessions SET stepped_up_at = now() - interval '301 seconds'";
    sqlx::query(stale).execute(&app.db).await.unwrap();
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_authenticator_app_guards_the_account_and_each_code_is_good_once(db: PgPool) {
    let app = TestApp::start(db).await;
    let alice = app.sign_in_new("alice", Role::Customer).await;
    let other = app.sign_in("alice", PASSWORD).await;
    let Enrolled { secret, used, recovery } = enroll(&alice).await;
    assert_eq!(recovery.len(), 10);
    assert!(recovery.iter().all(|code| code.len() == 27), "{recovery:?}");
    // The other session ended, this one goes on under another token.
    other.get("/api/v1/me").await.problem(401, "unauthenticated");
    let me = alice.get("/api/v1/me").await.expect(200);
    assert_eq!((&me["secondFactor"], &me["recoveryCodesLeft"]), (&json!(true), &json!(10)));

    // The password alone opens nothing but the second step.
    let (half, answer) = step_one(&app, "alice").await;
    assert_eq!(answer.expect(202)["methods"], json!(["TOTP", "RECOVERY_CODE"]));
    assert_eq!(answer.session_token(), None);
    half.get("/api/v1/me").await.problem(401, "unauthenticated");
    // The code that confirmed is used up.
    for bad in [used, code(&secret, 5), "12345".to_owned(), "abcdef".to_owned()] {
        half.post(SECOND, &json!({ "method": "TOTP", "code": bad })).await.refuses(&[("code", "wrong")]);
    }
    let good = code(&secret, 1);
    let answer = half.post(SECOND, &json!({ "method": "TOTP", "code": good })).await;
    let former = app.with_token(&answer.session_token().unwrap());
    let me = answer.expect(200);
    assert_eq!((&me["signedInWith"], &me["mustEnroll"]), (&json!("TOTP"), &json!(false)));
    half.get("/api/v1/me").await.expect_status(200);
    // The half session is used up too, and the code for every other sign-in.
    half.post(SECOND, &json!({ "method": "TOTP", "code": code(&secret, 1) })).await.problem(401, "login_expired");
    half.post(LOGIN, &json!({ "username": "alice", "password": PASSWORD })).await.expect_status(202);
    half.post(SECOND, &json!({ "method": "TOTP", "code": good })).await.refuses(&[("code", "wrong")]);
    // A browser's session ends when the next sign-in there is whole, and not before.
    former.get("/api/v1/me").await.expect_status(200);

    // A recovery code is good once, however it is typed.
    let typed = recovery[0].to_uppercase().replace('-', " ");
    let me = half.post(SECOND, &json!({ "method": "RECOVERY_CODE", "code": typed })).await.expect(200);
    assert_eq!((&me["signedInWith"], &me["recoveryCodesLeft"]), (&json!("RECOVERY_CODE"), &json!(9)));
    former.get("/api/v1/me").await.problem(401, "unauthenticated");
    let (half, _) = step_one(&app, "alice").await;
    let again = json!({ "method": "RECOVERY_CODE", "code": recovery[0] });
    half.post(SECOND, &again).await.refuses(&[("code", "wrong")]);

    let steps: Vec<Value> =
        audited(&app.db, "user.login").await.into_iter().map(|row| row.metadata["with"].clone()).collect();
    assert_eq!(steps, [json!("PASSWORD"), json!("PASSWORD"), json!("TOTP"), json!("RECOVERY_CODE")]);
    assert_eq!(audited(&app.db, "user.login.failed").await.len(), 6);
    let text = dump(&app.db).await;
    assert!(!text.contains(&secret) && !recovery.iter().any(|code| text.contains(code.as_str())));
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn five_wrong_second_factors_end_the_sign_in(db: PgPool) {
    let app = TestApp::start(db).await;
    let alice = app.sign_in_new("alice", Role::Customer).await;
    let secret = enroll(&alice).await.secret;
    let (half, _) = step_one(&app, "alice").await;
    let wrong = json!({ "method": "TOTP", "code": "000000" });
    for _ in 0..5 {
        half.post(SECOND, &wrong).await.refuses(&[("code", "wrong")]);
    }
    half.post(SECOND, &json!({ "method": "TOTP", "code": code(&secret, 0) })).await.problem(401, "login_expired");
    // A new sign-in does not help: what is guessed is counted for the account.
    let (half, _) = step_one(&app, "alice").await;
    half.post(SECOND, &wrong).await.refuses(&[("code", "wrong")]);
    hold(&app.db).await;
    let right = json!({ "method": "TOTP", "code": code(&secret, 1) });
    half.post(SECOND, &right).await.problem(429, "too_many_attempts");
    // A change of password ends half-made sign-ins.
    let (half, _) = step_one(&app, "alice").await;
    let change = json!({ "currentPassword": PASSWORD, "newPassword": "another-heron-sings-8" });
    alice.post("/api/v1/me/password", &change).await.expect_status(204);
    half.post(SECOND, &wrong).await.problem(401, "login_expired");
    alice.get("/api/v1/me").await.expect_status(200);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_admin_without_a_second_factor_can_do_nothing_but_add_one(db: PgPool) {
    let required = SecondFactorPolicy::Required;
    let config = AppConfig { bcrypt_cost: 4, admin_second_factor: required, ..AppConfig::default() };
    let app = TestApp::start_with(db, config).await;
    let admin = app.admin().await;
    let me = admin.get("/api/v1/me").await.expect(200);
    assert_eq!((&me["mustEnroll"], &me["secondFactorRequired"]), (&json!(true), &json!(true)));
    for path in ["/api/v1/users", "/api/v1/servers", "/api/v1/settings", "/api/v1/audit", "/api/v1/me/sessions"] {
        admin.get(path).await.problem(403, "enrollment_required");
    }
    admin.post("/api/v1/me/recovery-codes", &json!({})).await.problem(403, "enrollment_required");
    // Even here a proof has its time.
    age_proofs(&app).await;
    admin.post("/api/v1/me/totp", &json!({})).await.problem(403, "step_up_required");
    admin.post(STEP_UP, &json!({ "method": "PASSWORD", "password": PASSWORD })).await.expect_status(200);
    enroll(&admin).await;
    admin.get("/api/v1/users").await.expect_status(200);
    assert_eq!(admin.get("/api/v1/me").await.expect(200)["mustEnroll"], false);
    // The last one stays.
    admin.delete("/api/v1/me/totp").await.problem(409, "last_second_factor");
    let customer = app.sign_in_new("alice", Role::Customer).await;
    assert_eq!(customer.get("/api/v1/me").await.expect(200)["mustEnroll"], false);
    enroll(&customer).await;
    customer.delete("/api/v1/me/totp").await.expect_status(204);
    assert_eq!(customer.get("/api/v1/me/security").await.expect(200)["recoveryCodes"], Value::Null);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn customers_need_a_second_factor_where_the_operator_says_so(db: PgPool) {
    let required = SecondFactorPolicy::Required;
    let config = AppConfig { bcrypt_cost: 4, customer_second_factor: required, ..AppConfig::default() };
    let app = TestApp::start_with(db, config).await;
    let (admin, alice) = (app.admin().await, app.sign_in_new("alice", Role::Customer).await);
    admin.get("/api/v1/users").await.expect_status(200);
    let me = alice.get("/api/v1/me").await.expect(200);
    assert_eq!((&me["mustEnroll"], &me["secondFactorRequired"]), (&json!(true), &json!(true)));
    let factor = format!("/api/v1/users/{}/second-factor", me["id"].as_str().unwrap());
    assert_eq!(admin.get(&factor).await.expect(200)["required"], true);
    alice.get("/api/v1/servers").await.problem(403, "enrollment_required");
    enroll(&alice).await;
    alice.get("/api/v1/servers").await.expect_status(200);
    alice.delete("/api/v1/me/totp").await.problem(409, "last_second_factor");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_step_up_is_good_for_five_minutes_and_changes_the_token(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let alice = app.customer("alice").await;
    let reveal = format!("/api/v1/servers/{}/license/reveal", alice.server_id);
    admin.post(&reveal, &json!({})).await.expect_status(200);
    age_proofs(&app).await;
    let refused = admin.post(&reveal, &json!({})).await.problem(403, "step_up_required");
    assert_eq!(refused["methods"], json!(["PASSWORD"]));
    let user = format!("/api/v1/users/{}", alice.id);
    for change in [
        json!({ "username": "alicia" }),
        json!({ "password": "another-heron-sings-8" }),
        json!({ "role": "ADMIN", "confirmServerDeletion": "alice" }),
    ] {
        admin.patch(&user, &change).await.problem(403, "step_up_required");
    }
    let new_admin = json!({ "username": "second", "password": PASSWORD, "role": "ADMIN" });
    admin.post("/api/v1/users", &new_admin).await.problem(403, "step_up_required");
    // What signs nobody in needs none.
    let harmless = json!({ "displayName": "Alice", "username": "alice", "role": "CUSTOMER" });
    admin.patch(&user, &harmless).await.expect_status(200);

    let wrong = json!({ "method": "PASSWORD", "password": "not-the-password" });
    admin.post(STEP_UP, &wrong).await.refuses(&[("password", "wrong")]);
    let answer = admin.post(STEP_UP, &json!({ "method": "PASSWORD", "password": PASSWORD })).await;
    assert!(answer.expect(200)["steppedUpUntil"].is_string());
    assert!(answer.session_token().is_some());
    admin.post(&reveal, &json!({})).await.expect_status(200);
    assert_eq!(audited(&app.db, "user.step_up").await.len(), 1);
    let failed = audited(&app.db, "user.step_up.failed").await;
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].metadata["refused"], "wrong_password", "{failed:?}");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_copied_token_ends_with_the_next_step_up(db: PgPool) {
    let app = TestApp::start(db).await;
    app.customer("alice").await;
    let old = app.session_token("alice").await;
    let answer = app.with_token(&old).post(STEP_UP, &json!({ "method": "PASSWORD", "password": PASSWORD })).await;
    let new = answer.session_token().unwrap();
    assert_ne!(old, new);
    // Requests on their way still arrive (for ten seconds), without the proof.
    let later = "UPDATE sessions SET previous_until = now() + interval '1 hour'";
    sqlx::query(later).execute(&app.db).await.unwrap();
    app.with_token(&old).get("/api/v1/me").await.expect_status(200);
    app.with_token(&old).post("/api/v1/me/totp", &json!({})).await.problem(403, "step_up_required");
    app.with_token(&new).post("/api/v1/me/totp", &json!({})).await.expect_status(201);
    sqlx::query("UPDATE sessions SET previous_until = now()").execute(&app.db).await.unwrap();
    app.with_token(&old).get("/api/v1/me").await.problem(401, "unauthenticated");
    app.with_token(&new).get("/api/v1/me").await.expect_status(200);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn another_admin_lets_somebody_in_who_lost_the_second_factor(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, alice) = (app.admin().await, app.sign_in_new("alice", Role::Customer).await);
    let id = alice.get("/api/v1/me").await.expect(200)["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/users/{id}/second-factor");
    admin.delete(&path).await.problem(409, "no_second_factor");
    enroll(&alice).await;
    let seen = admin.get(&path).await.expect(200);
    assert_eq!(
        seen,
        json!({ "enrolled": true, "required": false, "totp": true, "passkeys": 0, "recoveryCodesLeft": 10 })
    );
    admin.delete(&path).await.expect_status(204);
    alice.get("/api/v1/me").await.problem(401, "unauthenticated");
    app.sign_in("alice", PASSWORD).await;
    let rows = audited(&app.db, "user.second_factor.reset").await;
    let outcomes: Vec<_> = rows.iter().map(|row| (row.username.as_str(), row.outcome.as_str())).collect();
    assert_eq!(outcomes, [("admin", "FAILURE"), ("admin", "SUCCESS")]);
    assert_eq!(rows[1].metadata["totp"], json!(true));
    // One's own are changed on one's own page.
    let own = admin.get("/api/v1/me").await.expect(200)["id"].as_str().unwrap().to_owned();
    enroll(&admin).await;
    admin.delete(&format!("/api/v1/users/{own}/second-factor")).await.problem(409, "own_second_factor");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_passkey_signs_in_alone_as_second_factor_and_for_step_up(db: PgPool) {
    let app = TestApp::start(db).await;
    let alice = app.sign_in_new("alice", Role::Customer).await;
    sqlx::query("UPDATE users SET login_slug = 'acme' WHERE username = 'alice'").execute(&app.db).await.unwrap();
    let mut key = Authenticator::new(ORIGIN);
    let options = alice.post("/api/v1/me/passkeys/options", &json!({})).await.expect(200);
    assert_eq!(options["publicKey"]["rp"]["id"], "localhost");
    assert_eq!(options["publicKey"]["authenticatorSelection"]["userVerification"], "required");
    let body = json!({ "ceremonyId": options["ceremonyId"], "name": "Laptop", "credential": key.create(&options["publicKey"]) });
    let added = alice.post("/api/v1/me/passkeys", &body).await.expect(201);
    assert_eq!(added["passkey"]["name"], "Laptop");
    assert_eq!(added["recoveryCodes"].as_array().map(Vec::len), Some(10));
    // A challenge is good once.
    alice.post("/api/v1/me/passkeys", &body).await.refuses(&[("credential", "refused")]);

    // Without a password.
    let sign_in = |key: &mut Authenticator, options: &Value, slug: Value| json!({ "ceremonyId": options["ceremonyId"], "credential": key.get(&options["publicKey"]), "slug": slug });
    let browser = app.anonymous();
    let options = browser.post("/api/v1/auth/passkey/options", &json!({})).await.expect(200);
    let body = sign_in(&mut key, &options, Value::Null);
    let me = browser.post("/api/v1/auth/passkey", &body).await.expect(200);
    assert_eq!((&me["username"], &me["signedInWith"]), (&json!("alice"), &json!("PASSKEY")));
    browser.post("/api/v1/auth/passkey", &body).await.problem(401, "passkey_refused");
    for (slug, status) in [("acme", 200), ("bobs", 401)] {
        let options = browser.post("/api/v1/auth/passkey/options", &json!({})).await.expect(200);
        let body = sign_in(&mut key, &options, json!(slug));
        browser.post("/api/v1/auth/passkey", &body).await.expect_status(status);
    }
    assert_eq!(audited(&app.db, "session.replace").await.len(), 1, "one that the browser had, and no refusal ends one");

    // After the password.
    let (half, answer) = step_one(&app, "alice").await;
    assert_eq!(answer.expect(202)["methods"], json!(["PASSKEY", "RECOVERY_CODE"]));
    let second = |key: &mut Authenticator, options: &Value| json!({ "method": "PASSKEY", "ceremonyId": options["ceremonyId"], "credential": key.get(&options["publicKey"]) });
    // A challenge for something else does not count, nor one of another site, nor a key that went back.
    let foreign = browser.post("/api/v1/auth/passkey/options", &json!({})).await.expect(200);
    half.post(SECOND, &second(&mut key, &foreign)).await.refuses(&[("credential", "wrong")]);
    let path = format!("{SECOND}/passkey");
    let options = half.post(&path, &json!({})).await.expect(200);
    let mut phished = key.clone();
    phished.origin = "https://localhost.example.com".to_owned();
    half.post(SECOND, &second(&mut phished, &options)).await.refuses(&[("credential", "wrong")]);
    let options = half.post(&path, &json!({})).await.expect(200);
    let mut copied = key.clone();
    copied.counter = 0;
    half.post(SECOND, &second(&mut copied, &options)).await.refuses(&[("credential", "wrong")]);
    let options = half.post(&path, &json!({})).await.expect(200);
    half.post(SECOND, &second(&mut key, &options)).await.expect_status(200);

    // For step-up, and to the end.
    age_proofs(&app).await;
    let refused = half.post("/api/v1/me/recovery-codes", &json!({})).await.problem(403, "step_up_required");
    assert_eq!(refused["methods"], json!(["PASSWORD", "PASSKEY"]));
    let options = half.post(&format!("{STEP_UP}/passkey"), &json!({})).await.expect(200);
    half.post(STEP_UP, &second(&mut key, &options)).await.expect_status(200);
    half.post("/api/v1/me/recovery-codes", &json!({})).await.expect_status(200);
    let id = added["passkey"]["id"].as_str().unwrap();
    half.patch(&format!("/api/v1/me/passkeys/{id}"), &json!({ "name": "Phone" })).await.expect_status(200);
    half.delete(&format!("/api/v1/me/passkeys/{id}")).await.expect_status(204);
    let options = browser.post("/api/v1/auth/passkey/options", &json!({})).await.expect(200);
    let body = sign_in(&mut key, &options, Value::Null);
    browser.post("/api/v1/auth/passkey", &body).await.problem(401, "passkey_refused");
    app.sign_in("alice", PASSWORD).await;
}
