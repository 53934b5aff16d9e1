//! Boxes that are not as an install would have them.

use super::real_box::{LAB, Owner, RealBox, config, releases, world_and_box};
use crate::world::World;
use proxima_test_support::{Cable, LabOptions};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_port_in_use_and_a_tmp_that_runs_nothing(db: PgPool) {
    let options = LabOptions { noexec_tmp: true, no_sftp: true, busy_ports: vec![80], ..LabOptions::default() };
    let (world, target, owner, _releases) = world_and_box(db, options).await;
    assert_eq!(target.run("cp /bin/true /tmp/t; /tmp/t 2>/dev/null; echo $?; rm /tmp/t").await, "126\n");
    owner.connects(&target, &target.lab.root).await;
    let before = target.snapshot().await;
    let job = owner.queues("INSTALL").await;
    owner.fails(&job, "PORT_TAKEN", "Port 80 is taken by other-web-serve").await;
    let sentence = owner.ends(&job).await["problem"]["sentence"].as_str().unwrap().to_owned();
    assert!(sentence.contains("(other-web-server-80.service)"), "{sentence}");
    target.is_as(&before, "a port in use").await;
    let other = target.run("perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(\"127.0.0.1:80\"); print $s \"GET / HTTP/1.0\\r\\n\\r\\n\"; print <$s>'").await;
    assert!(other.contains("another web server"), "it was left alone: {other}");

    target.run("systemctl disable -q --now other-web-server-80").await;
    let before = target.snapshot().await;
    owner.installs(&target).await;
    owner.uninstalls(&target, &before).await;
    drop(world);
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn no_systemd_or_another_architecture(db: PgPool) {
    let lying = LabOptions { arch_lie: Some("aarch64"), ..LabOptions::default() };
    let (world, target, owner, releases) = world_and_box(db, lying).await;
    owner.connects(&target, &target.lab.root).await;
    let before = target.snapshot().await;
    let job = owner.queues("INSTALL").await;
    let done = owner.fails(&job, "NO_BINARY", "no gateway for aarch64 servers").await;
    let place = releases.path().join("aarch64/proxima-gateway").display().to_string();
    assert!(done["problem"]["remedy"].as_str().unwrap().contains(&place), "{done:#}");
    target.is_as(&before, "another architecture").await;

    let bare = RealBox::up(LabOptions { no_systemd: true, ..LabOptions::default() }).await;
    bare.reaches(&world.app.url);
    owner.connects(&bare, &bare.lab.root).await;
    let untouched = bare.snapshot().await;
    let job = owner.queues("INSTALL").await;
    owner.fails(&job, "NO_SYSTEMD", "is not run by systemd").await;
    bare.is_as(&untouched, "no systemd").await;

    // The customer takes the first box after all, whose uname has come to its senses.
    target.run("mv /usr/bin/uname.true /usr/bin/uname").await;
    owner.connects(&target, &target.lab.root).await;
    let before = target.snapshot().await;
    owner.installs(&target).await;
    owner.uninstalls(&target, &before).await;
}

/// Dates are judged by the database's clock: it is shifted here, for the box has the machine's.
async fn shifted(db: &PgPool, by: &str) -> PgPool {
    let functions = ["now", "clock_timestamp", "statement_timestamp", "transaction_timestamp"];
    sqlx::raw_sql("CREATE SCHEMA shifted").execute(db).await.unwrap();
    for name in functions {
        let function = format!(
            "CREATE FUNCTION shifted.{name}() RETURNS timestamptz STABLE LANGUAGE sql AS 'SELECT pg_catalog.{name}() + interval ''{by}'''"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(function)).execute(db).await.unwrap();
    }
    let options = (*db.connect_options()).clone().options([("search_path", "shifted,pg_catalog,public")]);
    PgPoolOptions::new().max_connections(10).connect_with(options).await.unwrap()
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_clock_that_is_a_day_off_and_a_slow_line(db: PgPool) {
    let (releases, target) = (releases(), RealBox::up(LabOptions::default()).await);
    let mut world = World::with(shifted(&db, "-1 day").await, config(releases.path())).await;
    target.reaches(&world.app.url);
    world.run_jobs();
    let owner = Owner::of(&world);
    owner.connects(&target, &target.lab.root).await;
    let before = target.snapshot().await;
    let tested = owner.browser.post(&owner.path("/connection/test"), &json!({})).await.expect(200);
    assert_eq!(tested["problem"], Value::Null, "{tested:#}");
    target.lab.cable(Cable::Slow(16_000)).await;
    let done = owner.installs(&target).await;
    for warnings in [&tested["warnings"], &done["result"]["warnings"]] {
        let warning = &warnings[0];
        let sentence = warning["sentence"].as_str().unwrap();
        assert_eq!(warning["code"], "CLOCK_OFF");
        assert!(sentence.contains("hours apart") || sentence.contains("1 day apart"), "{sentence}");
        assert!(warning["remedy"].as_str().unwrap().contains("timedatectl set-ntp true"));
    }
    target.lab.cable(Cable::Whole).await;
    owner.uninstalls(&target, &before).await;
    world.app.db.close().await;
}

/// What the operator's setting opens is open, and nothing beside it; `::ffff:` and the like in `connections.rs`, names whose
/// answer changes in the installer's own tests.
#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn the_labs_addresses_are_reached_when_the_setting_says_so(db: PgPool) {
    let (releases, target) = (releases(), RealBox::up(LabOptions::default()).await);
    let mut world =
        World::with(db, proxima_dashboard::config::AppConfig { outbound_allowed: vec![], ..config(releases.path()) })
            .await;
    target.reaches(&world.app.url);
    world.run_jobs();
    let owner = Owner::of(&world);
    let address = target.lab.address;
    let mapped = format!("::ffff:{address}");
    let probe = owner.path("/connection/host-key");
    owner.saves(&target, &target.lab.root, None).await;
    let denied = owner.browser.post(&probe, &json!({})).await.expect(200);
    assert_eq!(denied["problem"]["code"], "ADDRESS_DENIED", "{denied}");
    let allow =
        |list: Value| json!({ "dashboardIpAllowlist": [], "outboundAllowlist": list, "offlineLimitDays": null });
    world.admin.put("/api/v1/settings", &allow(json!([LAB]))).await.expect_status(200);
    owner.connects(&target, &target.lab.root).await;
    let before = target.snapshot().await;
    owner.installs(&target).await;
    owner.uninstalls(&target, &before).await;
    // Every job asks anew.
    owner.saves(&target, &target.lab.root, None).await;
    world.admin.put("/api/v1/settings", &allow(json!([]))).await.expect_status(200);
    let job = owner.queues("INSTALL").await;
    owner.fails(&job, "ADDRESS_DENIED", "it is a private address").await;
    for host in ["169.254.169.254", "127.0.0.1", "::1", "::ffff:169.254.169.254", &mapped, "localhost"] {
        let form = json!({ "host": host, "port": 22, "user": "root", "password": "x" });
        owner.browser.put(&owner.path("/connection"), &form).await.expect_status(200);
        let denied = owner.browser.post(&probe, &json!({})).await.expect(200);
        assert_eq!(denied["problem"]["code"], "ADDRESS_DENIED", "{host}: {denied}");
    }
}
