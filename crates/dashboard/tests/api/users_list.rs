//! The users list: search, filters, order, and pages without gaps or repeats.

use proxima_test_support::{Client, PASSWORD, TestApp};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};

async fn names(client: &Client, query: &str) -> Vec<String> {
    let page = client.get(&format!("/api/v1/users?{query}")).await.expect(200);
    page["items"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect()
}

/// All pages of a list, one item after another.
async fn walk(client: &Client, query: &str, limit: usize) -> Vec<Value> {
    let (mut items, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = client.get(&format!("/api/v1/users?{query}&limit={limit}{cursor}")).await.expect(200);
        let found = page["items"].as_array().unwrap();
        assert!(found.len() <= limit);
        items.extend(found.iter().cloned());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
        assert!(!found.is_empty(), "a page before the last is not empty");
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn every_order_is_walked_without_gaps_or_repeats(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    for i in 0..23 {
        app.customer(&format!("c{:02}", (i * 7) % 23)).await;
    }
    // Some were made in the same instant.
    sqlx::query("UPDATE users SET created_at = date_trunc('minute', created_at) WHERE username > 'c10'")
        .execute(&app.db)
        .await
        .unwrap();
    for sort in ["username", "-username", "createdAt", "-createdAt"] {
        let whole = walk(&admin, &format!("sort={sort}"), 200).await;
        assert_eq!(whole.len(), 24);
        for limit in [1, 5, 23, 24] {
            assert_eq!(walk(&admin, &format!("sort={sort}"), limit).await, whole, "{sort} by {limit}");
        }
    }
    let ascending = names(&admin, "sort=username").await;
    let mut sorted = ascending.clone();
    sorted.sort();
    assert_eq!(ascending, sorted);
    sorted.reverse();
    assert_eq!(names(&admin, "sort=-username").await, sorted);
    assert_eq!(names(&admin, "").await, ascending, "by default by username");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn filters_and_search_find_what_they_name(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    for (username, display, server) in
        [("alice", "Zoë 100%", "Paris"), ("bob", "B_b", "Lyon"), ("carol", "", "back\\slash")]
    {
        let form = json!({ "username": username, "password": PASSWORD, "role": "CUSTOMER", "displayName": display,
                           "serverName": server });
        admin.post("/api/v1/users", &form).await.expect_status(201);
    }
    for (query, expected) in [
        ("search=ALI", vec!["alice"]),
        ("search=zo%C3%AB", vec!["alice"]),
        ("search=lyon", vec!["bob"]),
        // Wildcards are letters like any other.
        ("search=%25", vec!["alice"]),
        ("search=_", vec!["bob"]),
        ("search=%5C", vec!["carol"]),
        ("search=%20%20", vec!["admin", "alice", "bob", "carol"]),
        ("search=%00", vec!["admin", "alice", "bob", "carol"]),
        ("search=nobody", vec![]),
        ("role=ADMIN", vec!["admin"]),
        ("role=CUSTOMER", vec!["alice", "bob", "carol"]),
        ("licenseStatus=ACTIVE", vec!["alice", "bob", "carol"]),
        ("licenseStatus=GRACE", vec![]),
        ("serverStatus=NOT_INSTALLED&search=a", vec!["alice", "carol"]),
        ("serverStatus=ONLINE", vec![]),
        ("role=ADMIN&serverStatus=NOT_INSTALLED", vec![]),
    ] {
        assert_eq!(names(&admin, query).await, expected, "{query}");
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn what_no_list_understands_is_refused(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    for limit in ["0", "201", "4294967295"] {
        for list in ["users", "servers", "audit"] {
            admin.get(&format!("/api/v1/{list}?limit={limit}")).await.refuses(&[("limit", "out_of_range")]);
        }
    }
    for query in [
        "limit=-1",
        "limit=x",
        "role=admin",
        "sort=password_hash",
        "licenseStatus=active",
        "serverStatus=x",
        "colour=red",
    ] {
        admin.get(&format!("/api/v1/users?{query}")).await.refuses(&[("query", "invalid")]);
    }
    admin.get("/api/v1/servers?colour=red").await.refuses(&[("query", "invalid")]);
    for list in ["users", "servers", "audit"] {
        for cursor in ["x", "%00", "bnVsbA", "W10", "eyJhIjoxfQ", "9999"] {
            let answer = admin.get(&format!("/api/v1/{list}?cursor={cursor}")).await;
            // `null` and a number are JSON, and may even be a cursor of this list.
            assert!([200, 422].contains(&answer.status.as_u16()), "{list} {cursor}: {}", answer.text);
        }
    }
    // A cursor that somebody wrote: a name with a NUL, a date before all dates.
    let written = |json: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json)
    };
    let by_name = written(r#"{"Username":"a\u0000"}"#);
    admin.get(&format!("/api/v1/users?cursor={by_name}")).await.problem(422, "validation_failed");
    let nil = "00000000-0000-0000-0000-000000000000";
    let by_date = written(&format!(r#"{{"CreatedAt":["-200000-01-01T00:00:00Z","{nil}"]}}"#));
    admin.get(&format!("/api/v1/users?sort=createdAt&cursor={by_date}")).await.problem(422, "validation_failed");
    admin.get(&format!("/api/v1/servers?cursor={}", written(r#""a\u0000""#))).await.problem(422, "validation_failed");
    // Of another order.
    let page = admin.get("/api/v1/users?limit=1").await.expect(200);
    assert_eq!(page["nextCursor"], Value::Null);
    app.customer("alice").await;
    let page = admin.get("/api/v1/users?limit=1").await.expect(200);
    let next = page["nextCursor"].as_str().unwrap();
    admin.get(&format!("/api/v1/users?sort=createdAt&cursor={next}")).await.refuses(&[("cursor", "invalid")]);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_customer_sees_one_server_whatever_they_ask(db: PgPool) {
    let app = TestApp::start(db).await;
    app.customer("alice").await;
    for i in 0..5 {
        app.customer(&format!("other{i}")).await;
    }
    let own = app.sign_in("alice", PASSWORD).await;
    let admin = app.admin().await;
    for query in ["", "?limit=1", "?search=o", "?search=other", "?status=NOT_INSTALLED", "?licenseStatus=ACTIVE"] {
        let page = own.get(&format!("/api/v1/servers{query}")).await;
        assert!(!page.text.contains("other"), "{query}: {}", page.text);
        assert_eq!(page.expect(200)["nextCursor"], Value::Null);
    }
    // Even with a cursor of the admin's list.
    let page = admin.get("/api/v1/servers?limit=2").await.expect(200);
    let next = page["nextCursor"].as_str().unwrap();
    let page = own.get(&format!("/api/v1/servers?cursor={next}")).await.expect(200);
    assert_eq!(page["items"], json!([]));
    assert_eq!(admin.get("/api/v1/servers?search=other").await.expect(200)["items"].as_array().unwrap().len(), 5);
}

/// A search is answered in one of three ways (`users::list`), and each finds the same: what very many match is read in the list's
/// order, what few match is looked up, and what many match but none of the next is read on.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_search_among_many_accounts_finds_all_of_them(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    sqlx::query(
        "INSERT INTO users (id, username, display_name, password_hash, role) \
         SELECT gen_random_uuid(), CASE WHEN i <= 1100 THEN 'first' ELSE 'later' END || lpad(i::text, 5, '0'), \
                CASE i WHEN 700 THEN 'Qx' WHEN 6000 THEN 'qX' END, '-', 'CUSTOMER' FROM generate_series(1, 6200) i",
    )
    .execute(&app.db)
    .await
    .unwrap();
    for (search, first, last, found) in [
        ("first", "first00001", "first01100", 1100),
        ("LATER", "later01101", "later06200", 5100),
        ("qx", "first00700", "later06000", 2),
        ("r0600", "later06000", "later06009", 10),
        ("zzz", "", "", 0),
    ] {
        let items = walk(&admin, &format!("search={search}"), 200).await;
        let names: Vec<_> = items.iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect();
        let ends = (names.first().map_or("", String::as_str), names.last().map_or("", String::as_str));
        assert_eq!((ends, names.len()), ((first, last), found), "{search}");
        assert!(names.is_sorted(), "{search}");
    }
}

/// A status is answered in one of two ways (`candidates::few`): from the few servers that can have it, or from the list when
/// they are many; both find the same, in the list of accounts and in that of servers.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_status_is_found_whether_few_or_many_have_it(db: PgPool) {
    let app = TestApp::start(db).await;
    let admin = app.admin().await;
    sqlx::raw_sql(
        "INSERT INTO users (id, username, password_hash, role)
         SELECT gen_random_uuid(), 'u' || lpad(i::text, 5, '0'), '-', 'CUSTOMER' FROM generate_series(1, 2500) i;
         INSERT INTO servers (id, owner_id, name, api_key_digest, api_key_ciphertext, api_key_last4, api_secret_ciphertext)
         SELECT gen_random_uuid(), id, username, sha256(username::bytea), '-', '-', '-' FROM users WHERE username LIKE 'u%';
         INSERT INTO gateway_installs (server_id, install_id, boot_id, sequence, phase, version, uptime_seconds, os,
                                       architecture, hostname, counters, first_seen_at, last_heartbeat_at)
         SELECT id, gen_random_uuid(), gen_random_uuid(), 1, 'serving', '1', 1, '', '', '', '{}', now(), now()
         FROM servers WHERE name LIKE 'u%'",
    )
    .execute(&app.db)
    .await
    .unwrap();
    let expect = async |counts: [(&str, usize); 3]| {
        for (status, count) in counts {
            for query in [format!("users?serverStatus={status}"), format!("servers?status={status}")] {
                let (mut names, mut cursor) = (Vec::new(), String::new());
                loop {
                    let page = admin.get(&format!("/api/v1/{query}&limit=200{cursor}")).await.expect(200);
                    let found = page["items"].as_array().unwrap().iter();
                    names.extend(
                        found.map(|item| item["username"].as_str().or(item["name"].as_str()).unwrap().to_owned()),
                    );
                    let Some(next) = page["nextCursor"].as_str() else { break };
                    cursor = format!("&cursor={next}");
                }
                assert_eq!(names.len(), count, "{query}");
                assert!(names.is_sorted_by(|one, other| one < other), "{query}");
            }
        }
    };
    expect([("ONLINE", 2500), ("OFFLINE", 0), ("NOT_INSTALLED", 0)]).await;
    let set = async |change: &str| {
        sqlx::raw_sql(AssertSqlSafe(change.to_owned())).execute(&app.db).await.unwrap();
    };
    set("UPDATE gateway_installs g SET last_heartbeat_at = now() - interval '1 hour' FROM servers s
         WHERE s.id = g.server_id AND s.name LIKE 'u%7';
         UPDATE gateway_installs g SET phase = 'starting' FROM servers s WHERE s.id = g.server_id AND s.name = 'u00001';
         DELETE FROM gateway_installs g USING servers s WHERE s.id = g.server_id AND s.name LIKE 'u%00'")
    .await;
    expect([("ONLINE", 2224), ("OFFLINE", 251), ("NOT_INSTALLED", 25)]).await;
    // An older install beside the one that is heard does not count.
    set("UPDATE gateway_installs SET last_heartbeat_at = now() - interval '1 hour'
         WHERE server_id IN (SELECT id FROM servers WHERE name > 'u00100');
         DELETE FROM gateway_installs g USING servers s WHERE s.id = g.server_id AND s.name LIKE 'u01%';
         INSERT INTO gateway_installs (server_id, install_id, boot_id, sequence, phase, version, uptime_seconds, os,
                                       architecture, hostname, counters, first_seen_at, last_heartbeat_at)
         SELECT id, gen_random_uuid(), gen_random_uuid(), 1, 'serving', '1', 1, '', '', '', '{}', now(), now() - interval '2 hours'
         FROM servers WHERE name = 'u00002'").await;
    expect([("ONLINE", 88), ("OFFLINE", 1397), ("NOT_INSTALLED", 1015)]).await;
}
