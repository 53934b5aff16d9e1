//! How a port ends, and how the program does.

use super::{PATIENCE, Port, open, options, patient, request, rest, send, until};
use crate::PROGRAM;
use proxima_test_support::{DashboardProcess, Folder, database_url};
use sqlx::PgPool;

#[tokio::test]
async fn what_was_accepted_is_answered_and_told_to_go() {
    let port = open(options(patient())).await;
    let (mut slow, mut fresh, mut resting) = (port.connect().await, port.connect().await, port.connect().await);
    send(&mut slow, &request("/slow")).await;
    send(&mut resting, &request("/")).await;
    until(&mut resting, ";").await;
    port.asked.notified().await;
    port.ending.leaving.cancel();
    port.ending.closing.cancel();
    // Connected before the port closed: it gets its answer, and an end.
    send(&mut fresh, &request("/")).await;
    let answer = rest(&mut fresh).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("connection: close\r\n"), "{answer}");
    assert_eq!(rest(&mut resting).await, "", "one that rests is closed");
    port.go.notify_one();
    let answer = rest(&mut slow).await;
    assert!(answer.ends_with("slow") && answer.contains("connection: close\r\n"), "{answer}");
    port.ended().await;
}

#[tokio::test]
async fn what_does_not_end_is_cut() {
    let port = open(options(patient())).await;
    let mut slow = port.connect().await;
    send(&mut slow, &request("/slow")).await;
    port.asked.notified().await;
    let Port { ending, .. } = &port;
    ending.closing.cancel();
    ending.cut.cancel();
    assert_eq!(rest(&mut slow).await, "");
    port.ended().await;
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn a_balancer_is_told_before_the_port_closes(db: PgPool) {
    let (url, data) = (database_url(&db), Folder::new());
    let process = DashboardProcess::start(PROGRAM, &url, &data, &[("PROXIMA_DRAIN_DELAY", "600")]).await;
    let client = process.client();
    client.get("/readyz").await.expect_status(200);
    process.terminate().await;
    let ready = client.get("/readyz").await;
    ready.expect_status(503);
    assert_eq!((ready.text.as_str(), ready.header("connection")), ("stopping\n", Some("close")));
    client.get("/healthz").await.expect_status(200);
    client.get("/api/v1/me").await.expect_status(401);
    // Asked again, it waits no longer.
    process.signal("TERM").await;
    let ended = tokio::time::timeout(PATIENCE, process.ended()).await.expect("it ends");
    assert_eq!(ended.0, Some(0), "{}", ended.1);
}
