//! Admin → Users: one form makes a whole customer; every bad field is named at once (product.md section 2).

use proxima_test_support::{PASSWORD, TestApp, TestGateway, audited, rows_matching};
use proxima_types::Role;
use serde_json::{Value, json};
use sqlx::PgPool;

const USERS: &str = "/api/v1/users";

fn form(username: &str) -> Value {
    json!({ "username": username, "password": PASSWORD, "role": "CUSTOMER" })
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn one_form_makes_a_customer_with_a_server_key_and_secret(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let mut input = form("  Alice.B ");
    input["displayName"] = json!(" Zoë 山田 ");
    input["loginSlug"] = json!("acme-2");
    let answer = admin.post(USERS, &input).await;
    let user = answer.expect(201);
    assert_eq!(answer.header("location"), Some(format!("{USERS}/{}", user["id"].as_str().unwrap()).as_str()));
    assert_eq!(
        (&user["username"], &user["displayName"], &user["loginSlug"], &user["role"]),
        (&json!("alice.b"), &json!("Zoë 山田"), &json!("acme-2"), &json!("CUSTOMER"))
    );
    let server = &user["server"];
    assert_eq!((&server["name"], &server["status"]), (&json!("alice.b's Server"), &json!("NOT_INSTALLED")));
    assert_eq!(server["license"], json!({ "status": "ACTIVE", "graceExpiresAt": null }));
    assert_eq!((&server["ownerId"], &server["ownerUsername"]), (&user["id"], &user["username"]));
    assert_eq!(admin.get(answer.header("location").unwrap()).await.expect(200), user);

    let row = audited(&app.db, "user.create").await.pop().unwrap();
    assert_eq!(
        (row.username.as_str(), row.ip.as_deref(), row.outcome.as_str()),
        ("admin", Some("127.0.0.1"), "SUCCESS")
    );
    assert_eq!((row.target_type.as_deref(), row.target_name.as_deref()), (Some("user"), Some("alice.b")));
    assert_eq!(row.target.map(|id| id.to_string()).as_deref(), user["id"].as_str());
    assert_eq!((&row.metadata["serverId"], &row.metadata["role"]), (&server["id"], &json!("CUSTOMER")));

    // The customer sees their server at once, and nobody ever hands them a key.
    let own = app.sign_in("ALICE.B", PASSWORD).await;
    let list = own.get("/api/v1/servers").await;
    assert_eq!(list.expect(200)["items"], json!([server]));
    assert!(!list.text.contains("pk_") && !list.text.contains("sk_"), "{}", list.text);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_customer_has_one_server_and_an_admin_none(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let mut input = form("carol");
    input["role"] = json!("ADMIN");
    input["serverName"] = json!("Ignored");
    assert_eq!(admin.post(USERS, &input).await.expect(201)["server"], Value::Null);
    let mut input = form("dave");
    input["serverName"] = json!("Dave's Box");
    assert_eq!(admin.post(USERS, &input).await.expect(201)["server"]["name"], "Dave's Box");
    assert_eq!(rows_matching(&app.db, "servers", "true").await.len(), 1);
    let second = sqlx::query(
        "INSERT INTO servers SELECT gen_random_uuid(), owner_id, 'second', sha256('x'), 'x', 'x', 'x' FROM servers",
    )
    .execute(&app.db)
    .await;
    assert!(second.is_err(), "not even by hand");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn keys_are_unpredictable_and_each_is_another(db: PgPool) {
    let app = TestApp::start(db).await;
    let mut keys = std::collections::BTreeSet::new();
    for i in 0..20 {
        let customer = app.customer(&format!("customer{i}")).await;
        let gateway = app.gateway(&customer).await;
        assert!(gateway.key.expose().starts_with("pk_") && gateway.key.expose().len() == 46);
        keys.insert(gateway.key.expose().to_owned());
    }
    assert_eq!(keys.len(), 20);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn every_bad_field_is_named_at_once_and_nothing_is_made(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let input = json!({
        "username": "a b", "password": "short", "displayName": "a\u{7}b", "loginSlug": "admin", "role": "CUSTOMER",
        "serverName": "x".repeat(65),
    });
    admin.post(USERS, &input).await.refuses(&[
        ("username", "invalid"),
        ("password", "too_short"),
        ("displayName", "invalid"),
        ("loginSlug", "reserved"),
        ("serverName", "too_long"),
    ]);
    let empty = json!({ "username": "", "password": "", "role": "CUSTOMER" });
    admin.post(USERS, &empty).await.refuses(&[("username", "required"), ("password", "required")]);
    // Left blank is not given.
    let mut blank = form("blank");
    for field in ["displayName", "loginSlug", "serverName"] {
        blank[field] = json!("  ");
    }
    let user = admin.post(USERS, &blank).await.expect(201);
    assert_eq!((&user["displayName"], &user["loginSlug"]), (&Value::Null, &Value::Null));
    let path = format!("{USERS}/{}", user["id"].as_str().unwrap());
    admin
        .patch(&path, &json!({ "username": "-x", "password": "12345678", "displayName": "\u{202E}", "loginSlug": "A" }))
        .await
        .refuses(&[
            ("username", "invalid"),
            ("password", "breached"),
            ("displayName", "invalid"),
            ("loginSlug", "invalid"),
        ]);
    assert_eq!(rows_matching(&app.db, "users", "true").await.len(), 2);
    assert_eq!(audited(&app.db, "user.update").await.len(), 0);
}

/// `count` characters that no dictionary has.
fn strong(count: usize) -> String {
    "Kr7!vq-Zul_94xw#".chars().cycle().take(count).collect()
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn passwords_are_bounded_in_bytes_and_never_cut(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    // 72 bytes: of one byte each, and of two, three and four bytes each.
    let wide = |text: &str| text.chars().cycle().take(72 / text.chars().next().unwrap().len_utf8()).collect::<String>();
    let longest = [strong(72), wide("éàüñçøßþ"), wide("漢字仮名交"), wide("𝒜𝓃𝒹𝓇ℴ𝓂𝑒𝒹𝒶").chars().take(18).collect()];
    for (i, password) in longest.iter().enumerate() {
        if password.len() != 72 {
            continue;
        }
        let (name, sign_in) = (format!("longest{i}"), "/api/v1/auth/login");
        let mut input = form(&name);
        input["password"] = json!(password);
        admin.post(USERS, &input).await.expect_status(201);
        app.sign_in(&name, password).await;
        // One byte more, and one character less or other, are other passwords.
        let mut shorter = password.clone();
        shorter.pop();
        for other in [format!("{password}x"), shorter.clone(), format!("{shorter}~")] {
            let body = json!({ "username": name, "password": other });
            app.anonymous().post(sign_in, &body).await.problem(401, "invalid_credentials");
        }
        for longer in [format!("{password}x"), format!("{password}é")] {
            let mut input = form("too-long");
            input["password"] = json!(longer);
            let answer = admin.post(USERS, &input).await;
            answer.refuses(&[("password", "too_long")]);
            let message = answer.json()["errors"][0]["message"].as_str().unwrap().to_owned();
            assert!(message.contains("72 bytes") && message.contains(&longer.len().to_string()), "{message}");
        }
    }
    assert!(longest.iter().filter(|password| password.len() == 72).count() >= 3);
    // 73 bytes of fewer than 72 characters.
    let mut input = form("too-long");
    input["password"] = json!(format!("{}é", strong(71)));
    admin.post(USERS, &input).await.refuses(&[("password", "too_long")]);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn short_and_weak_passwords_are_refused_with_the_reason(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let cases = [
        (strong(7), "too_short"),
        // Seven characters, however many bytes.
        ("漢字仮名交書体".to_owned(), "too_short"),
        ("password".to_owned(), "breached"),
        ("12345678".to_owned(), "breached"),
        ("aaaaaaaaaaaaaaaa".to_owned(), "weak"),
        ("qwertyuiop".to_owned(), "breached"),
        ("alicesmith".to_owned(), "weak"),
        ("wonderland-alice".to_owned(), "weak"),
        (format!("{}\u{0}", strong(9)), "invalid"),
        (String::new(), "required"),
    ];
    for (password, code) in cases {
        let mut input = form("alicesmith");
        input["displayName"] = json!("wonderland-alice");
        input["password"] = json!(password);
        let answer = admin.post(USERS, &input).await;
        answer.refuses(&[("password", code)]);
        let message = answer.json()["errors"][0]["message"].as_str().unwrap().to_owned();
        // The reason says why, and does not repeat what was typed (`password` is a word of its own).
        assert!(["", "password"].contains(&password.as_str()) || !message.contains(&password), "{message}");
    }
    let mut input = form("alicesmith");
    input["password"] = json!(strong(8));
    admin.post(USERS, &input).await.expect_status(201);
    app.sign_in("alicesmith", &strong(8)).await;
    let hash: String = sqlx::query_scalar("SELECT password_hash FROM users WHERE username = 'alicesmith'")
        .fetch_one(&app.db)
        .await
        .unwrap();
    assert!(hash.starts_with("$2b$"), "{hash}");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_clash_names_the_field(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let mut input = form("alice");
    input["loginSlug"] = json!("acme");
    admin.post(USERS, &input).await.expect_status(201);
    let bob = admin.post(USERS, &form("bob")).await.expect(201);
    let path = format!("{USERS}/{}", bob["id"].as_str().unwrap());
    let taken = |answer: proxima_test_support::Answer, field: &str| {
        answer.problem(409, "conflict");
        assert_eq!(answer.bad_fields(), [field]);
        assert_eq!(answer.json()["errors"][0]["code"], "taken");
    };
    taken(admin.post(USERS, &form("ALICE")).await, "username");
    let mut input = form("carol");
    input["loginSlug"] = json!("acme");
    taken(admin.post(USERS, &input).await, "loginSlug");
    taken(admin.patch(&path, &json!({ "username": "Alice" })).await, "username");
    taken(admin.patch(&path, &json!({ "loginSlug": "acme" })).await, "loginSlug");
    assert_eq!(admin.get(&path).await.expect(200), bob);
    // Somebody's username is nobody's slug: these are two name spaces.
    admin.patch(&path, &json!({ "loginSlug": "alice" })).await.expect_status(200);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn slugs_that_would_shadow_a_page_are_reserved(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let path = format!("{USERS}/{}", app.customer("alice").await.id);
    for reserved in [
        "account", "admin", "api", "app", "assets", "audit", "fleet", "healthz", "login", "logout", "metrics", "new",
        "proxima", "readyz", "root", "settings", "signin", "support", "system", "users",
    ] {
        admin.patch(&path, &json!({ "loginSlug": reserved })).await.refuses(&[("loginSlug", "reserved")]);
    }
    for invalid in ["a", "-a", "a_b", "a.b", "Acme", "a b", "ä-b", "a/b", "..", &"a".repeat(33)] {
        admin.patch(&path, &json!({ "loginSlug": invalid })).await.refuses(&[("loginSlug", "invalid")]);
    }
    for fine in ["a1", "login2", "0-0", &"a".repeat(32)] {
        assert_eq!(admin.patch(&path, &json!({ "loginSlug": fine })).await.expect(200)["loginSlug"], fine);
    }
    assert_eq!(admin.patch(&path, &json!({ "loginSlug": null })).await.expect(200)["loginSlug"], Value::Null);
    for reserved in ["system", "anonymous", "SYSTEM"] {
        admin.patch(&path, &json!({ "username": reserved })).await.refuses(&[("username", "reserved")]);
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn an_edit_changes_what_is_present_and_says_what_in_the_log(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let path = format!("{USERS}/{}", customer.id);
    let before = admin.get(&path).await.expect(200);
    assert_eq!(admin.patch(&path, &json!({})).await.expect(200), before, "nothing present, nothing changed");
    let change = json!({ "username": "Alice2", "displayName": "Ally", "loginSlug": "ally", "password": strong(20) });
    let after = admin.patch(&path, &change).await.expect(200);
    assert_eq!(
        (&after["username"], &after["displayName"], &after["loginSlug"], &after["id"]),
        (&json!("alice2"), &json!("Ally"), &json!("ally"), &before["id"])
    );
    assert_eq!(after["server"]["id"], before["server"]["id"]);
    let row = audited(&app.db, "user.update").await.pop().unwrap();
    assert_eq!(row.metadata["username"], json!({ "from": "alice", "to": "alice2" }));
    assert_eq!(row.metadata["displayName"], json!({ "from": null, "to": "Ally" }));
    assert_eq!(row.metadata["password"], "changed");
    assert!(!row.metadata.to_string().contains(&strong(20)));
    let after = admin.patch(&path, &json!({ "displayName": null })).await.expect(200);
    assert_eq!((&after["displayName"], &after["loginSlug"]), (&Value::Null, &json!("ally")));
    app.sign_in("alice2", &strong(20)).await;
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn deleting_takes_the_server_along_and_is_confirmed_by_name(db: PgPool) {
    let app = TestApp::start(db).await;
    let (admin, customer) = (app.admin().await, app.customer("alice").await);
    let mut gateway = app.gateway(&customer).await;
    TestGateway::expect_status(&gateway.beat().await, "ACTIVE");
    let path = format!("{USERS}/{}", customer.id);
    for unconfirmed in [path.clone(), format!("{path}?confirmUsername=bob"), format!("{path}?confirmUsername=Alice")] {
        admin.delete(&unconfirmed).await.problem(409, "confirmation_required");
    }
    assert_eq!(rows_matching(&app.db, "servers", "true").await.len(), 1);
    admin.delete(&format!("{path}?confirmUsername=alice")).await.expect_status(204);
    admin.get(&path).await.problem(404, "not_found");
    admin.get(&format!("/api/v1/servers/{}", customer.server_id)).await.problem(404, "not_found");
    for table in ["servers", "gateway_installs"] {
        assert_eq!(rows_matching(&app.db, table, "true").await.len(), 0, "{table}");
    }
    let beat = gateway.beat().await;
    assert_eq!((beat.body["code"].as_str(), &beat.signature), (Some("license_key_retired"), &Ok(())));
    // The log outlives what it speaks of.
    let row = audited(&app.db, "user.delete").await.pop().unwrap();
    assert_eq!((row.target_name.as_deref(), row.target), (Some("alice"), Some(customer.id.0)));
    assert_eq!(row.metadata["serverName"], "alice's Server");
    admin.delete(&format!("{path}?confirmUsername=alice")).await.problem(404, "not_found");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn nobody_deletes_themselves_and_the_last_admin_stays(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    let own = format!("{USERS}/{}", admin.get("/api/v1/me").await.expect(200)["id"].as_str().unwrap());
    let delete = format!("{own}?confirmUsername=admin");
    admin.delete(&delete).await.problem(409, "self_delete");
    admin.patch(&own, &json!({ "role": "CUSTOMER" })).await.problem(409, "last_admin");
    let second = app.sign_in_new("admin2", Role::Admin).await;
    admin.delete(&delete).await.problem(409, "self_delete");
    second.delete(&delete).await.expect_status(204);
    admin.get("/api/v1/me").await.problem(401, "unauthenticated");
    let own = format!("{USERS}/{}", second.get("/api/v1/me").await.expect(200)["id"].as_str().unwrap());
    second.patch(&own, &json!({ "role": "CUSTOMER" })).await.problem(409, "last_admin");
    assert_eq!(rows_matching(&app.db, "users", "role = 'ADMIN'").await.len(), 1);
    assert_eq!(rows_matching(&app.db, "servers", "true").await.len(), 0, "what was refused made no server");
}
