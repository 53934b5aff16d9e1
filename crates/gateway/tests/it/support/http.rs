//! HTTP as bytes.

use super::connect;
use std::io::{Read, Write};

/// Reads up to and with the empty line.
pub fn read_head(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

pub fn read_exactly(stream: &mut impl Read, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// One line with its end.
pub fn read_line(stream: &mut impl Read) -> String {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        line.extend(read_exactly(stream, 1));
    }
    String::from_utf8(line).unwrap()
}

/// The first value of a field, whatever its case.
pub fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    fields(head, name).into_iter().next()
}

pub fn fields<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .filter(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .collect()
}

pub fn content_length(head: &str) -> usize {
    field(head, "content-length").and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// The three digits of a status line.
pub fn status(response: &str) -> u16 {
    response.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no status: {response:?}"))
}

/// Sends bytes on a connection of its own and reads until the other side closes.
pub fn exchange(port: u16, request: &str) -> String {
    let mut stream = connect(port);
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    String::from_utf8_lossy(&response).into_owned()
}

pub fn get(port: u16, path: &str) -> String {
    exchange(port, &format!("GET {path} HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n"))
}

/// A response on a connection that stays open: head and body of its `Content-Length`.
pub fn read_response(stream: &mut impl Read) -> (String, Vec<u8>) {
    let head = read_head(stream).expect("a response");
    let body = read_exactly(stream, content_length(&head));
    (head, body)
}

pub fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}
