//! The box installs itself, asking a dashboard of a few lines.

use super::fake_box::FakeBox;
use crate::enroll::{Ended, Enrollment, enroll};
use crate::host::Host;
use proxima_types::InstallToken;
use proxima_types::enroll::{ReportEnd, ReportRequest};
use proxima_types::identity::DashboardUrl;
use proxima_types::setup::place;
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What was asked, and how often the same.
type Asked = Arc<Mutex<Vec<(String, Value)>>>;
/// Answers a path and body; the number of earlier requests is told. `None`: hangs up.
type Answer = Box<dyn Fn(&str, &Value, usize) -> Option<(u16, Value)> + Send>;

struct FakeDashboard {
    url: DashboardUrl,
    asked: Asked,
}

impl FakeDashboard {
    fn new(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Asked::default();
        let kept = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = serve(stream, &kept, &answer);
            }
        });
        Self { url: DashboardUrl::parse(&url).expect("a url"), asked }
    }

    fn reports(&self) -> Vec<ReportRequest> {
        let asked = self.asked.lock().expect("not poisoned");
        let reports = asked.iter().filter(|(path, _)| path.ends_with("/report"));
        reports.map(|(_, body)| serde_json::from_value(body.clone()).expect("a report")).collect()
    }

    fn end(&self) -> Option<ReportEnd> {
        self.reports().pop().and_then(|report| report.end)
    }
}

fn serve(mut stream: TcpStream, asked: &Asked, answer: &Answer) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut head, mut length) = (String::new(), 0);
    reader.read_line(&mut head)?;
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = text.trim().parse().unwrap_or(0);
        }
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let before = {
        let mut asked = asked.lock().expect("not poisoned");
        asked.push((path.clone(), body.clone()));
        asked.len() - 1
    };
    let Some((status, said)) = answer(&path, &body, before) else { return Ok(()) };
    let said = said.to_string();
    write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{said}", said.len())
}

fn claimed(fake: &FakeBox, obstacle: &Value) -> Value {
    let sha256 =
        crate::files::sha256(&fake.at("/usr/local/lib/proxima-gateway/upload.1")).expect("read").expect("there");
    json!({ "job": uuid::Uuid::from_u128(9), "serverName": "s", "config": super::fake_box::config(2).expose(), "sha256": sha256,
        "version": "1", "obstacle": obstacle, "startSeconds": 5, "heartbeatSeconds": 2 })
}

fn told(cancelled: bool, proven: bool) -> Value {
    json!({ "cancelled": cancelled, "proven": proven })
}

/// A box that has downloaded its program.
fn downloaded() -> FakeBox {
    let fake = FakeBox::new();
    fake.put("/usr/local/lib/proxima-gateway/upload.1", &super::fake_box::program(b"new"), 0o755);
    fake
}

fn run(fake: &FakeBox, dashboard: &FakeDashboard, interrupted: &dyn Fn() -> bool) -> (Ended, String) {
    let token = InstallToken::from_random_bytes([5; 32]);
    let line = format!("{}\n", token.expose());
    let http = || {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5));
        client.build().map_err(|error| error.to_string())
    };
    let mut out = Vec::new();
    let ended = fake.with_host(|host| {
        let host =
            Host { root: host.root.clone(), commands: host.commands, now_ms: host.now_ms, http: &http, log: host.log };
        let mut input = line.as_bytes();
        let mut wanted = Enrollment {
            dashboard: dashboard.url.clone(),
            input: &mut input,
            program: fake.at("/usr/local/lib/proxima-gateway/upload.1"),
            random: &|buffer| buffer.fill(7),
            interrupted,
        };
        enroll(&host, &mut wanted, &mut out)
    });
    let said = String::from_utf8(out).expect("text");
    assert!(!said.contains(token.expose()) && !said.contains("pr_") && !said.contains("pk_"), "{said}");
    (ended, said)
}

#[test]
fn answers_that_are_lost_are_asked_for_again_and_nothing_is_reported_twice() {
    let fake = downloaded();
    let claim = claimed(&fake, &Value::Null);
    let dashboard = FakeDashboard::new(Box::new(move |path, body, before| match (path, before) {
        // Nobody answers, a proxy says that the dashboard is away, an answer is cut off.
        (_, 0 | 4) => None,
        (_, 1) => Some((502, json!("<html>"))),
        ("/api/v1/install/claim", _) => Some((200, claim.clone())),
        _ => Some((200, told(false, body["sequence"].as_u64() > Some(13)))),
    }));
    let (ended, said) = run(&fake, &dashboard, &|| false);
    assert_eq!(ended, Ended::Installed, "{said}");
    let mut numbers: Vec<u64> = dashboard.reports().iter().map(|report| report.sequence).collect();
    let all = numbers.len();
    numbers.dedup();
    assert_eq!(numbers.len(), all - 1, "one was asked again, by its number");
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert!(matches!(dashboard.end(), Some(ReportEnd::Succeeded { .. })));
    assert!(fake.service().runs && fake.at(place::RECEIPT).exists() && !fake.at(place::STAGED).exists());
}

/// Without the lock, and without the download, which the script takes away by itself, and an undone step too.
fn alike(mut snapshot: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let passing =
        ["run/proxima-gateway-setup.lock", "usr/local/lib/proxima-gateway", "usr/local/lib/proxima-gateway/upload.1"];
    snapshot.retain(|path, _| !passing.contains(&path.as_str()));
    snapshot
}

#[test]
fn whatever_stops_it_the_box_is_as_it_was() {
    let refusal = |code: &str| json!({ "code": code, "detail": "It is over." });
    let obstacle = json!({ "code": "PORT_TAKEN", "sentence": "Port 80 is taken.", "remedy": "Free it." });
    for case in ["refused", "obstacle", "cancelled", "given up", "no heartbeat", "interrupted"] {
        let fake = downloaded();
        let before = fake.snapshot();
        let claim = claimed(&fake, if case == "obstacle" { &obstacle } else { &Value::Null });
        let over = refusal(if case == "refused" { "install_token_refused" } else { "job_ended" });
        let dashboard = FakeDashboard::new(Box::new(move |path, body, _| {
            let late = body["sequence"].as_u64() > Some(9);
            Some(match (case, path) {
                ("refused", _) => (401, over.clone()),
                (_, "/api/v1/install/claim") => (200, claim.clone()),
                ("given up", _) if late => (409, over.clone()),
                ("cancelled", _) => (200, told(late, false)),
                _ => (200, told(false, false)),
            })
        }));
        let looks = Cell::new(0);
        let interrupted = || {
            looks.set(looks.get() + 1);
            case == "interrupted" && looks.get() > 9
        };
        let (ended, said) = run(&fake, &dashboard, &interrupted);
        let expected = if case == "interrupted" { Ended::Interrupted } else { Ended::Failed };
        assert_eq!(ended, expected, "{case}: {said}");
        let words = if case == "refused" { "Nothing was changed." } else { "The server is as it was before." };
        assert!(said.contains(words), "{case}: {said}");
        assert_eq!(alike(fake.snapshot()), alike(before), "{case}");
        match case {
            "refused" => assert!(dashboard.reports().is_empty()),
            "given up" => assert!(dashboard.end().is_none(), "it is not told what it does not want to hear"),
            "cancelled" | "interrupted" => {
                assert!(matches!(dashboard.end(), Some(ReportEnd::Cancelled { .. })), "{case}")
            }
            _ => assert!(matches!(dashboard.end(), Some(ReportEnd::Failed { .. })), "{case}"),
        }
    }
}

#[test]
fn a_box_on_which_another_server_is_being_installed_is_left_alone() {
    let hour = 3_600_000;
    let modified = |fake: &FakeBox| {
        let written =
            std::fs::metadata(fake.at(place::CLAIM)).and_then(|metadata| metadata.modified()).expect("a time");
        i64::try_from(written.duration_since(std::time::UNIX_EPOCH).expect("a time").as_millis()).expect("fits")
    };
    for (owner, age, installs) in [(3, 0, false), (2, 0, true), (3, hour, true)] {
        let mut fake = downloaded();
        // What that install has done so far.
        fake.put(place::STAGED, &super::fake_box::program(b"theirs"), 0o755);
        fake.put(place::CLAIM, format!("{}\n", uuid::Uuid::from_u128(owner)).as_bytes(), 0o644);
        fake.with_host(|host| {
            let input = proxima_types::setup::StepInput::User {};
            crate::steps::apply(host, super::fake_box::JOB, &input).expect("applied")
        });
        fake.now_ms = modified(&fake) + age;
        let before = fake.snapshot();
        let claim = claimed(&fake, &Value::Null);
        let dashboard = FakeDashboard::new(Box::new(move |path, _, _| match path {
            "/api/v1/install/claim" => Some((200, claim.clone())),
            _ => Some((200, told(false, true))),
        }));
        let (ended, said) = run(&fake, &dashboard, &|| false);
        assert_eq!(ended == Ended::Installed, installs, "{said}");
        if !installs {
            assert!(said.contains("is being installed on this machine"), "{said}");
            assert_eq!(alike(fake.snapshot()), alike(before));
            assert!(fake.at(place::STAGED).exists());
        }
    }
}
