//! Against a name server of the test's own.

use super::*;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::UdpSocket;

/// Answers for one name, with one address; others do not exist.
struct Server {
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(at: SocketAddr, name: &'static str, address: [u8; 4], ttl: u32) -> (Self, u16) {
        let socket = UdpSocket::bind(at).await.expect("bound");
        let port = socket.local_addr().expect("bound").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut bytes = [0; 2048];
            loop {
                let (length, from) = socket.recv_from(&mut bytes).await.expect("a question");
                let question = Message::from_vec(&bytes[..length]).expect("a message");
                let query = question.queries[0].clone();
                let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
                answer.add_query(query.clone());
                let known = query.name().to_ascii() == name;
                if known && query.query_type() == RecordType::A {
                    log.lock().expect("a log").push(query.name().to_ascii());
                    let data = RData::A(Ipv4Addr::from(address).into());
                    answer.add_answer(Record::from_rdata(query.name().clone(), ttl, data));
                } else if !known {
                    answer.metadata.response_code = ResponseCode::NXDomain;
                }
                socket.send_to(&answer.to_vec().expect("bytes"), from).await.expect("sent");
            }
        });
        (Self { asked }, port)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("a log").clone()
    }
}

struct Files(PathBuf);

impl Files {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("proxima-names-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn write(&self, file: &str, text: &str) {
        let (path, new) = (self.0.join(file), self.0.join("new"));
        std::fs::write(&new, text).expect("written");
        std::fs::rename(new, path).expect("renamed");
    }

    fn names(&self, port: u16) -> Names {
        Names::new(self.0.join("hosts"), self.0.join("resolv.conf"), port)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn loopback(last: u8, port: u16) -> SocketAddr {
    (Ipv4Addr::new(127, 0, 0, last), port).into()
}

#[tokio::test]
async fn hosts_come_first_and_changes_are_seen() {
    let files = Files::new();
    let (_server, port) = Server::start(loopback(1, 0), "other.test.", [192, 0, 2, 1], 60).await;
    let names = files.names(port);
    files.write("hosts", "127.0.0.7 Backend.test alias # backend.wrong\nnonsense backend.test\n127.0.0.8 backend.test");
    assert_eq!(names.addresses("backend.TEST.").await.expect("found"), [ip("127.0.0.7"), ip("127.0.0.8")]);
    assert_eq!(names.addresses("alias").await.expect("found"), [ip("127.0.0.7")]);
    files.write("hosts", "127.0.0.9 alias");
    assert_eq!(names.addresses("alias").await.expect("found"), [ip("127.0.0.9")]);
    assert!(names.addresses("backend.test").await.is_err());
    assert_eq!(names.addresses("::1").await.expect("found"), [ip("::1")]);
}

#[tokio::test]
async fn localhost_needs_no_file_and_no_server() {
    let found = Files::new().names(9).addresses("localhost").await.expect("found");
    assert!(found.contains(&ip("127.0.0.1")), "{found:?}");
}

#[tokio::test]
async fn the_servers_of_resolv_conf_and_its_search_domains_are_asked() {
    let files = Files::new();
    let (first, port) = Server::start(loopback(1, 0), "backend.internal.test.", [192, 0, 2, 1], 60).await;
    let (second, _) = Server::start(loopback(2, port), "backend.internal.test.", [192, 0, 2, 2], 60).await;
    files.write("resolv.conf", "nameserver 127.0.0.1\nsearch other.test internal.test\noptions timeout:5\n");
    let names = files.names(port);
    for _ in 0..2 {
        assert_eq!(names.addresses("backend").await.expect("found"), [ip("192.0.2.1")]);
    }
    assert_eq!(first.asked(), ["backend.internal.test."], "an answer is kept for its time to live");

    files.write("resolv.conf", "nameserver 127.0.0.2\nsearch internal.test\n");
    assert_eq!(names.addresses("backend").await.expect("found"), [ip("192.0.2.2")]);
    assert_eq!(second.asked().len(), 1);
    let error = names.addresses("absent").await.expect_err("not there").to_string();
    assert!(error.contains("the name absent cannot be resolved"), "{error}");
}

#[tokio::test]
async fn an_answer_without_time_to_live_is_not_kept() {
    let files = Files::new();
    let (server, port) = Server::start(loopback(1, 0), "moving.test.", [192, 0, 2, 1], 0).await;
    files.write("resolv.conf", "nameserver 127.0.0.1\n");
    let names = files.names(port);
    for _ in 0..2 {
        assert_eq!(names.addresses("moving.test").await.expect("found"), [ip("192.0.2.1")]);
    }
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn without_a_name_server_this_machine_is_asked() {
    for text in [None, Some(""), Some("search internal.test\n")] {
        let files = Files::new();
        let (_server, port) = Server::start(loopback(1, 0), "backend.test.", [192, 0, 2, 3], 60).await;
        if let Some(text) = text {
            files.write("resolv.conf", text);
        }
        assert_eq!(files.names(port).addresses("backend.test").await.expect("found"), [ip("192.0.2.3")], "{text:?}");
    }
}

#[tokio::test]
async fn servers_that_say_nothing_are_told_from_backends_that_say_nothing() {
    let mute = UdpSocket::bind(loopback(1, 0)).await.expect("bound");
    let files = Files::new();
    files.write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n");
    let names = files.names(mute.local_addr().expect("bound").port());
    let error = names.addresses("backend.test").await.expect_err("no answer");
    assert_eq!(error.kind(), io::ErrorKind::Other);
    assert!(error.to_string().contains("the name backend.test cannot be resolved"), "{error}");
}
