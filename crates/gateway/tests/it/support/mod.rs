//! Helpers. Waiting is by looking again, with a generous end, never by a fixed sleep.

pub mod backend;
pub mod dashboard;
pub mod frames;
pub mod gateway;
pub mod http;
pub mod management;
pub mod tls;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Looks every 20 ms until `look` finds something.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A port below the ephemeral range that nobody has now.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let offset = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 20_000 + (std::process::id() * 97 + offset) % 12_000;
        let port = u16::try_from(port).unwrap();
        if TcpListener::bind(local(port)).is_ok() {
            return port;
        }
    }
}

pub fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

pub fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(local(port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

pub fn is_open(port: u16) -> bool {
    TcpStream::connect(local(port)).is_ok()
}

pub fn wait_open(port: u16) {
    wait_for(&format!("port {port} to open"), || is_open(port).then_some(()));
}

pub fn wait_closed(port: u16) {
    wait_for(&format!("port {port} to close"), || (!is_open(port)).then_some(()));
}
