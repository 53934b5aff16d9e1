//! A primary that fails and a standby that takes over, behind an address that moves: what a virtual address or a proxy
//! is in front of a cluster (docs/operate.md).

use crate::postgres::Postgres;
use crate::stand::{Stand, Told};
use proxima_test_support::wait_until;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering::Relaxed};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// A port that leads to one server, then to another.
struct Address {
    port: u16,
    target: Arc<AtomicU16>,
    /// Connections of before stay open, and nothing passes any more: a host that is gone without a word.
    swallowed: Arc<AtomicBool>,
}

impl Address {
    async fn new(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (target, swallowed) = (Arc::new(AtomicU16::new(target)), Arc::new(AtomicBool::new(false)));
        let (to, gone) = (Arc::clone(&target), Arc::clone(&swallowed));
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let of_before = !gone.load(Relaxed);
                tokio::spawn(pass(near, to.load(Relaxed), Arc::clone(&gone), of_before));
            }
        });
        Self { port, target, swallowed }
    }
}

async fn pass(mut near: TcpStream, target: u16, gone: Arc<AtomicBool>, of_before: bool) {
    let Ok(mut far) = TcpStream::connect(("127.0.0.1", target)).await else { return };
    let swallowed = async {
        while !(of_before && gone.load(Relaxed)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
        () = swallowed => {}
    }
    // Both stay open, and silent.
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_fail_over_costs_no_verdict_and_nothing_committed() {
    let primary = Postgres::start_new().await;
    let standby = primary.standby();
    let address = Address::new(primary.port).await;
    let mut stand = Stand::through(&primary, address.port).await;
    // Synchronous replication is what makes "committed" mean "on both".
    let synchronous = "ALTER SYSTEM SET synchronous_standby_names = '*'";
    primary.run("postgres", synchronous).await;
    primary.run("postgres", "SELECT pg_reload_conf()").await;
    wait_until(&primary.pool(), "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')").await;
    let marks = vec![stand.leave_a_mark().await];

    // The primary's host is gone: connections hang, nobody says a word.
    address.target.store(1, Relaxed);
    address.swallowed.store(true, Relaxed);
    for _ in 0..2 {
        assert_eq!(stand.beats().await, [Told::NoVerdict; 3]);
    }
    primary.kill();
    standby.promote();
    address.target.store(standby.port, Relaxed);
    stand.recovers(&marks).await;
}
