//! Every route of the OpenAPI document x every kind of caller (invariant 7).

mod table;

use proxima_dashboard::app::Actor;
use proxima_dashboard::app::notifications::{self, EndpointForm};
use proxima_dashboard::entropy::{EntropyExt as _, OsEntropy};
use proxima_test_support::{Answer, Client, Customer, Method, PASSWORD, TestApp, TestGateway, rows_matching};
use proxima_types::Role;
use serde_json::Value;
use sqlx::PgPool;
use std::collections::BTreeSet;
use table::{NONE, ROWS, Row, STEP_UP};

/// Every operation of the generated document, as `METHOD path`.
pub fn operations() -> BTreeSet<(String, String)> {
    let document: Value = serde_json::from_str(&proxima_dashboard::http::openapi_json().unwrap()).unwrap();
    let paths = document["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("operations");
            methods.keys().map(|method| (method.to_uppercase(), path.clone()))
        })
        .collect()
}

/// Two customers, an admin, and whoever else may call: made afresh for each row.
pub struct World {
    pub own: Customer,
    other: Customer,
    own_client: Client,
    admin: Client,
    ended: Client,
    pub gateway: TestGateway,
    own_session: String,
    other_session: String,
    /// A finished job of each customer's server.
    own_job: String,
    other_job: String,
    /// A passkey of each customer's that no authenticator has, where the path names one.
    own_passkey: String,
    other_passkey: String,
    /// A webhook and a delivery of it, where the path names one: the platform's, nobody's own.
    webhook: String,
    delivery: String,
}

/// Whose things a path names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Own,
    Other,
    Nobody,
}

impl World {
    pub fn suffix() -> String {
        OsEntropy.uuid().simple().to_string()[..12].to_owned()
    }

    async fn new(app: &TestApp, row: &Row) -> Self {
        let suffix = Self::suffix();
        let (own, other) = (app.customer(&format!("a-{suffix}")).await, app.customer(&format!("b-{suffix}")).await);
        let own_client = app.sign_in(&own.username, PASSWORD).await;
        let admin_name = format!("admin-{suffix}");
        let admin = app.sign_in_new(&admin_name, Role::Admin).await;
        let token = app.session_token(&admin_name).await;
        let ended = app.with_token(&token);
        ended.get("/api/v1/me").await.expect_status(200);
        app.with_token(&token).send(Method::POST, "/api/v1/auth/logout", None).await.expect_status(204);
        let gateway = app.gateway(&own).await;
        // A second session of each customer, where the path names one.
        let (mut own_session, mut other_session) = (String::new(), String::new());
        if row.path.contains("{sessionId}") {
            own_session = second_session(app, &own).await;
            other_session = second_session(app, &other).await;
        }
        let (own_job, other_job) = (finished_job(app, &own).await, finished_job(app, &other).await);
        let (mut own_passkey, mut other_passkey) = (String::new(), String::new());
        if row.path.contains("{passkeyId}") {
            own_passkey = passkey(app, &own).await;
            other_passkey = passkey(app, &other).await;
        }
        let (mut webhook, mut delivery) = (String::new(), String::new());
        if row.path.contains("{endpointId}") || row.path.contains("{deliveryId}") {
            (webhook, delivery) = webhook_with_delivery(app).await;
        }
        Self {
            own_passkey,
            other_passkey,
            own,
            other,
            own_client,
            admin,
            ended,
            gateway,
            own_session,
            other_session,
            own_job,
            other_job,
            webhook,
            delivery,
        }
    }

    fn path(&self, row: &Row, of: Of) -> String {
        let missing = OsEntropy.uuid().to_string();
        let (user, server, session, name) = match of {
            Of::Own => (self.own.id.to_string(), self.own.server_id.to_string(), &self.own_session, &self.own.username),
            Of::Other => {
                (self.other.id.to_string(), self.other.server_id.to_string(), &self.other_session, &self.other.username)
            }
            Of::Nobody => (missing.clone(), missing.clone(), &missing, &missing),
        };
        let job = match of {
            Of::Own => &self.own_job,
            Of::Other => &self.other_job,
            Of::Nobody => &missing,
        };
        let passkey = match of {
            Of::Own => &self.own_passkey,
            Of::Other => &self.other_passkey,
            Of::Nobody => &missing,
        };
        let (webhook, delivery) = if of == Of::Nobody { (&missing, &missing) } else { (&self.webhook, &self.delivery) };
        let path = row
            .path
            .replace("{endpointId}", webhook)
            .replace("{deliveryId}", delivery)
            .replace("{passkeyId}", passkey)
            .replace("{jobId}", job)
            .replace("{userId}", &user)
            .replace("{serverId}", &server)
            .replace("{sessionId}", session)
            .replace("{slug}", "nobody")
            .replace("{architecture}", "x86_64");
        if row.method == "DELETE" && row.path.contains("{userId}") {
            format!("{path}?confirmUsername={name}")
        } else {
            path
        }
    }

    async fn ask(&self, client: &Client, row: &Row, of: Of) -> Answer {
        let method = Method::from_bytes(row.method.as_bytes()).unwrap();
        let client = client.with_header("proxima-nonce", &TestGateway::nonce());
        client.send(method, &self.path(row, of), (row.body)(self).as_ref()).await
    }
}

/// The id of a fresh session of a customer.
async fn second_session(app: &TestApp, customer: &Customer) -> String {
    let client = app.sign_in(&customer.username, PASSWORD).await;
    let list = client.get("/api/v1/me/sessions").await.expect(200);
    let current = list["items"].as_array().unwrap().iter().find(|session| session["current"] == true).unwrap();
    current["id"].as_str().unwrap().to_owned()
}

/// The id of a passkey that opens nothing.
async fn passkey(app: &TestApp, customer: &Customer) -> String {
    let id = OsEntropy.uuid();
    let insert = "INSERT INTO passkeys (id, user_id, credential_id, credential, name, synced) \
                  VALUES ($1, $2, $3, '{}', 'Key', false)";
    let insert = sqlx::query(insert).bind(id).bind(customer.id.0).bind(id.as_bytes().as_slice());
    insert.execute(&app.db).await.unwrap();
    id.to_string()
}

/// The ids of a fresh webhook, and of a delivery that waits.
async fn webhook_with_delivery(app: &TestApp) -> (String, String) {
    let events = ["gateway.offline".to_owned()];
    let url = Some("https://hooks.example/x");
    let form = EndpointForm { description: "Hook", url, recipients: &[], events: &events, enabled: true };
    let (row, _) = notifications::create(&app.app, &Actor::console(), true, &form).await.unwrap();
    let delivery = notifications::test(&app.app, &Actor::console(), row.id).await.unwrap();
    (row.id.to_string(), delivery.id.to_string())
}

/// The id of a job that failed.
async fn finished_job(app: &TestApp, customer: &Customer) -> String {
    let id = OsEntropy.uuid();
    sqlx::query(
        "INSERT INTO jobs (id, server_id, kind, state, requested_by, finished_at) \
         VALUES ($1, $2, 'INSTALL', 'FAILED', 'somebody', now())",
    )
    .bind(id)
    .bind(customer.server_id.0)
    .execute(&app.db)
    .await
    .unwrap();
    id.to_string()
}

/// What no refused request may change.
async fn state(db: &PgPool) -> Vec<Value> {
    let mut rows = Vec::new();
    for table in [
        "users",
        "servers",
        "settings",
        "retired_keys",
        "gateway_installs",
        "connections",
        "jobs",
        "install_tokens",
        "totp_factors",
        "totp_enrollments",
        "passkeys",
        "recovery_codes",
        "notification_endpoints",
        "notification_settings",
        "notification_deliveries",
    ] {
        rows.extend(rows_matching(db, table, "true").await);
    }
    rows.extend(rows_matching(db, "sessions", "true").await.into_iter().map(|mut row| {
        row["last_seen_at"].take();
        row
    }));
    rows
}

/// All that a caller can see of an answer, but for what names the request.
fn visible(answer: &Answer) -> (u16, Value, Vec<(String, String)>) {
    let mut body = answer.json();
    if let Some(body) = body.as_object_mut() {
        body.remove("requestId");
    }
    let own = ["x-request-id", "date"];
    let headers = answer.headers.iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    (answer.status.as_u16(), body, headers.collect())
}

#[test]
fn the_table_has_a_row_for_every_route_and_no_other() {
    let rows: BTreeSet<_> = ROWS.iter().map(|row| (row.method.to_owned(), row.path.to_owned())).collect();
    assert_eq!(rows.len(), ROWS.len(), "a route has two rows");
    let operations = operations();
    let without_row: Vec<_> = operations.difference(&rows).collect();
    let without_route: Vec<_> = rows.difference(&operations).collect();
    assert!(without_row.is_empty(), "add rows to routes/table.rs for {without_row:?}");
    assert!(without_route.is_empty(), "remove the rows of {without_route:?}");
}

#[test]
fn the_document_says_of_every_route_whether_it_needs_a_session() {
    let document: Value = serde_json::from_str(&proxima_dashboard::http::openapi_json().unwrap()).unwrap();
    for row in ROWS {
        let security = &document["paths"][row.path][row.method.to_lowercase()]["security"];
        let declared = security[0].as_object().and_then(|scheme| scheme.keys().next().cloned());
        let expected = match (row.anonymous, row.key) {
            _ if row.path.starts_with("/api/v1/install/") => Some("installToken"),
            _ if row.path.starts_with("/api/v1/auth/second-factor") => Some("halfLogin"),
            (401, 200) => Some("licenseKey"),
            (401, _) => Some("session"),
            _ => None,
        };
        assert_eq!(declared.as_deref(), expected, "{} {}", row.method, row.path);
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn every_route_answers_every_caller_as_the_table_says(db: PgPool) {
    let app = TestApp::start(db).await;
    // So that no row's admin is the last one.
    app.admin().await;
    let mut wrong = Vec::new();
    for row in ROWS {
        check(&app, row, &mut wrong).await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn check(app: &TestApp, row: &Row, wrong: &mut Vec<String>) {
    let world = World::new(app, row).await;
    let key = app.anonymous().with_header("authorization", &format!("Bearer {}", world.gateway.key.expose()));
    let before = state(&app.db).await;
    let refused_first = [
        ("anonymous", app.anonymous(), row.anonymous, Of::Own),
        ("ended session", world.ended.clone(), row.ended, Of::Own),
        ("license key", key, row.key, Of::Own),
        ("customer on another's", world.own_client.clone(), row.others, Of::Other),
        ("customer on missing", world.own_client.clone(), row.missing, Of::Nobody),
        ("admin on missing", world.admin.clone(), row.admin_missing, Of::Nobody),
    ];
    let mut answers = Vec::new();
    for (who, client, expected, of) in refused_first {
        if expected == NONE {
            continue;
        }
        let answer = world.ask(&client, row, of).await;
        compare(row, who, expected, &answer, wrong);
        if expected >= 400 && before != state(&app.db).await {
            wrong.push(format!("{} {}: {who} was refused, and yet something changed", row.method, row.path));
        }
        answers.push((who, answer));
    }
    let of = |name: &str| answers.iter().find(|(who, _)| *who == name).map(|(_, answer)| visible(answer));
    if of("customer on another's") != of("customer on missing") {
        wrong.push(format!("{} {}: another's thing can be told from a missing one", row.method, row.path));
    }
    let own = world.ask(&world.own_client, row, Of::Own).await;
    compare(row, "customer on own", row.own, &own, wrong);
    // What changes something gets a customer of its own: the one before may have changed this one.
    let fresh = if row.method == "GET" { world } else { World::new(app, row).await };
    compare(row, "admin", row.admin, &fresh.ask(&fresh.admin, row, Of::Own).await, wrong);
}

/// A customer who measures learns nothing either: of many requests in turns, those for another's thing and those for a missing
/// one take the same within 5 %. What else runs on a machine makes gaps too, but not the same one so many times in a row.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn soak_timing_anothers_thing_takes_as_long_as_a_missing_one(db: PgPool) {
    const REPEATS: usize = 6;
    let app = TestApp::start(db).await;
    let mut told = Vec::new();
    for row in ROWS.iter().filter(|row| (row.others, row.missing) == (404, 404)) {
        let world = World::new(&app, row).await;
        let mut gaps = Vec::new();
        while gaps.len() < REPEATS {
            let (others, missing) = quartiles(&world, row).await;
            if others.abs_diff(missing) * 100 <= others.min(missing) * 5 {
                break;
            }
            gaps.push((others, missing));
        }
        let slower = gaps.iter().filter(|(others, missing)| others > missing).count();
        if gaps.len() == REPEATS && slower % REPEATS == 0 {
            told.push(format!("{} {}: another's and a missing one {gaps:?} us", row.method, row.path));
        }
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// The first quartiles in microseconds of requests for another's thing and for a missing one; which comes first changes with
/// every pair.
#[allow(clippy::disallowed_methods)] // it is the wall clock that customers have
async fn quartiles(world: &World, row: &Row) -> (u128, u128) {
    let (mut others, mut missing) = (Vec::new(), Vec::new());
    for round in 0..300 {
        let mut pair = [(Of::Other, &mut others), (Of::Nobody, &mut missing)];
        if round % 2 == 1 {
            pair.reverse();
        }
        for (of, times) in pair {
            let before = std::time::Instant::now();
            world.ask(&world.own_client, row, of).await;
            times.push(before.elapsed().as_micros());
        }
    }
    others.sort_unstable();
    missing.sort_unstable();
    (others[others.len() / 4], missing[missing.len() / 4])
}

/// Each privileged route refuses a session whose last proof is too old, whatever it would answer otherwise, and no other route
/// does.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn privileged_routes_and_no_others_need_a_fresh_proof(db: PgPool) {
    let app = TestApp::start(db).await;
    app.admin().await;
    let known = ROWS.iter().map(|row| (row.method, row.path)).collect::<BTreeSet<_>>();
    assert!(STEP_UP.iter().all(|route| known.contains(route)), "STEP_UP names a route that is not there");
    let mut wrong = Vec::new();
    for row in ROWS {
        let world = World::new(&app, row).await;
        let stale = "UPDATE sessions SET stepped_up_at = now() - interval '301 seconds'";
        sqlx::query(stale).execute(&app.db).await.unwrap();
        let needed = STEP_UP.contains(&(row.method, row.path));
        let before = state(&app.db).await;
        for (who, client, expected) in [("admin", &world.admin, row.admin), ("own", &world.own_client, row.own)] {
            let recorded = refusals(&app.db).await;
            let answer = world.ask(client, row, Of::Own).await;
            let asked = answer.json()["code"] == "step_up_required";
            if asked && refusals(&app.db).await == recorded {
                wrong.push(format!("{} {}: {who} was refused without an audit row", row.method, row.path));
            }
            if asked != (needed && expected != 403) {
                wrong.push(format!("{} {}: {who} got {}", row.method, row.path, answer.text));
            }
        }
        if needed && before != state(&app.db).await {
            wrong.push(format!("{} {}: refused, and yet something changed", row.method, row.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn refusals(db: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE outcome = 'FAILURE'").fetch_one(db).await.unwrap()
}

fn compare(row: &Row, who: &str, expected: u16, answer: &Answer, wrong: &mut Vec<String>) {
    let status = answer.status.as_u16();
    if status != expected {
        wrong.push(format!("{} {}: {who} got {status}, not {expected}: {}", row.method, row.path, answer.text));
    }
    if status >= 400 && answer.header("content-type") != Some("application/problem+json") {
        wrong.push(format!("{} {}: {who} got no problem document", row.method, row.path));
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn what_is_no_id_is_missing_and_what_is_no_route_is_not_found(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.sign_in_new("alice", Role::Customer).await);
    for path in ["/api/v1/servers/1", "/api/v1/servers/%00", "/api/v1/servers/%ff", "/api/v1/servers/..%2f..%2fusers"] {
        admin.get(path).await.problem(404, "not_found");
        customer.get(path).await.problem(404, "not_found");
    }
    admin.get("/api/v1/users/not-an-id").await.problem(404, "not_found");
    for client in [&admin, &customer, &app.anonymous()] {
        client.get("/api/v1/nothing-here").await.problem(404, "not_found");
        client.get("/api/v2/users").await.problem(404, "not_found");
    }
    admin.delete("/api/v1/fleet").await.problem(405, "method_not_allowed");
}
