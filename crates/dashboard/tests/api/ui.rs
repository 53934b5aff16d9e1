//! The embedded UI and the health endpoints.

use proxima_test_support::{Method, TestApp};
use sqlx::PgPool;

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn every_page_is_the_same_page_and_tells_nothing_of_slugs(db: PgPool) {
    let app = TestApp::start(db).await;
    let client = app.anonymous();
    let page = client.get("/").await;
    // A build without the UI says how to build it; it is the same for every page then, too.
    assert!([200, 404].contains(&page.status.as_u16()), "{page:?}");
    if page.status == 200 {
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(page.header("cache-control"), Some("no-cache"));
        assert!(!page.text.contains("<script>"), "no inline script: the policy would refuse it");
    } else {
        assert!(page.text.contains("npm run build"), "{}", page.text);
    }
    for path in [
        "/login",
        "/login/nobody",
        "/login/acme",
        "/app",
        "/admin/users",
        "/login/%00",
        "/..%2f..%2fetc/passwd",
        "/%ff",
    ] {
        let answer = client.get(path).await;
        assert_eq!((answer.status, &answer.text), (page.status, &page.text), "{path}");
    }
    assert_eq!(client.get("/assets/nothing-here.js").await.status, 404, "a missing file is no page");
    client.send(Method::POST, "/login", None).await.problem(405, "method_not_allowed");
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn health_and_readiness_are_public_and_metrics_are_not(db: PgPool) {
    let app = TestApp::start(db).await;
    let client = app.anonymous();
    assert_eq!(client.get("/healthz").await.text, "ok\n");
    assert_eq!(client.get("/readyz").await.text, "ready\n");
    let metrics = client.get("/metrics").await;
    assert!(!metrics.text.contains("proxima_http_requests_total"), "{}", metrics.text);
}
