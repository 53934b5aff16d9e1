//! Long bodies: whole, counted and bounded like short ones, and through the kernel alone where both sides are plain.

use crate::support::backend::Backend;
use crate::support::gateway::{Served, serve_with};
use crate::support::http::{content_length, field, get, read_exactly, read_head, status};
use crate::support::tls::{certificate, secured, visit};
use crate::support::{connect, free_port, wait_for};
use serde_json::Value;
use std::io::{Read as _, Write as _};

const SIZE: usize = 24 * 1024 * 1024;

fn body() -> Vec<u8> {
    (0..SIZE).map(|index| u8::try_from((index * 7 + index / 65_536) % 251).unwrap()).collect()
}

/// By the path: a known length, none, or what was sent back again.
fn backend() -> Backend {
    Backend::raw(|mut stream| {
        while let Some(head) = read_head(&mut stream) {
            let sent = read_exactly(&mut stream, content_length(&head));
            let answer = if head.starts_with("POST") { sent } else { body() };
            let ends_itself = head.contains("/until-close");
            let length =
                if ends_itself { "Connection: close".to_owned() } else { format!("Content-Length: {}", answer.len()) };
            if stream.write_all(format!("HTTP/1.1 200 OK\r\n{length}\r\n\r\n").as_bytes()).is_err() {
                return;
            }
            if head.contains("/cut") {
                let _ = stream.write_all(&answer[..SIZE / 2]);
                return;
            }
            if stream.write_all(&answer).is_err() || ends_itself {
                return;
            }
        }
    })
}

fn spliced(metrics: u16) -> usize {
    let page = get(metrics, "/metrics");
    let line = page.lines().find_map(|line| line.strip_prefix("proxima_gateway_body_bytes_spliced_total ")).unwrap();
    line.parse().unwrap()
}

fn serve(backend: &Backend) -> (Served, u16) {
    let metrics = free_port();
    let served = serve_with(
        &backend.url(),
        &["--metrics-listen", &format!("127.0.0.1:{metrics}"), "--visitor-stall-seconds", "2"],
    );
    (served, metrics)
}

#[test]
fn they_arrive_whole_either_way_and_pass_through_the_kernel() {
    let backend = backend();
    let (served, metrics) = serve(&backend);
    let mut visitor = connect(served.port);
    visitor.write_all(b"GET /known HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let head = read_head(&mut visitor).unwrap();
    assert!(read_exactly(&mut visitor, content_length(&head)) == body());
    assert!(spliced(metrics) > SIZE / 2, "{}", spliced(metrics));
    served.gateway.wait_log(&format!("bytes_out={SIZE}"));

    let before = spliced(metrics);
    visitor.write_all(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes()).unwrap();
    visitor.write_all(&body()).unwrap();
    let head = read_head(&mut visitor).expect("the connection serves on");
    assert!(read_exactly(&mut visitor, content_length(&head)) == body());
    assert!(spliced(metrics) > before + SIZE, "both ways");
    served.gateway.wait_log(&format!("bytes_in={SIZE} bytes_out={SIZE}"));

    // HTTP/1.0 has the end of the connection for the end of the body: nothing is framed anew.
    let mut visitor = connect(served.port);
    visitor.write_all(b"GET /until-close HTTP/1.0\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!(status(&read_head(&mut visitor).unwrap()), 200);
    let mut rest = Vec::new();
    visitor.read_to_end(&mut rest).unwrap();
    assert!(rest == body());
}

#[test]
fn a_body_that_is_cut_does_not_look_whole() {
    let backend = backend();
    let (served, _) = serve(&backend);
    let mut visitor = connect(served.port);
    visitor.write_all(b"GET /cut HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let head = read_head(&mut visitor).unwrap();
    assert_eq!(field(&head, "content-length"), Some(SIZE.to_string().as_str()));
    let mut rest = Vec::new();
    let _ = visitor.read_to_end(&mut rest);
    assert!(rest.len() < SIZE && rest == body()[..rest.len()]);
    served.gateway.wait_log("backend broke off");
}

#[test]
fn a_reader_who_takes_nothing_is_given_up() {
    let backend = backend();
    let (served, _) = serve(&backend);
    let mut visitor = connect(served.port);
    visitor.write_all(b"GET /known HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    read_head(&mut visitor).unwrap();
    served.gateway.wait_log("outcome=\"aborted\"");
    let mut rest = Vec::new();
    let _ = visitor.read_to_end(&mut rest);
    assert!(rest.len() < SIZE);
}

#[test]
fn over_tls_the_same_bodies_are_copied() {
    let backend = backend();
    let (served, metrics) = serve(&backend);
    let secured = secured(2, served.port, &backend.url(), &[certificate(&["shop.test"]).pem("shop")], &Value::Null);
    served.dashboard.grants(secured);
    served.dashboard.wait_beat("2", |beat| beat.request.applied_config.is_some_and(|applied| applied.number == 2));
    let mut visitor = visit(served.port, "shop.test");
    visitor.write_all(b"GET /known HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let head = read_head(&mut visitor).unwrap();
    assert!(read_exactly(&mut visitor, content_length(&head)) == body());
    wait_for("the log", || served.gateway.log().contains(&format!("bytes_out={SIZE}")).then_some(()));
    assert_eq!(spliced(metrics), 0);
}
