//! HTTP/2 as frames, so that what no client would send can be sent.

use super::PATIENCE;
use super::tls::{Visitor, client, visit_with};
use std::io::{ErrorKind, Read as _, Write as _};
use std::time::Duration;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const ACK: u8 = 1;
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
pub const PADDED: u8 = 8;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Debug, Clone)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// A visitor's connection of frames.
pub struct Frames {
    visitor: Visitor,
    /// Read, and not a whole frame yet.
    read: Vec<u8>,
}

/// What is there of the next frame.
pub enum Look {
    Frame(Frame),
    /// Not yet.
    Nothing,
    End,
}

impl Frames {
    /// With the preface sent, and both settings acknowledged.
    pub fn open(port: u16) -> Self {
        let mut frames = Self::bare(port);
        frames.raw(PREFACE);
        frames.send(SETTINGS, 0, 0, &[]);
        let settings = frames.next().expect("the gateway's settings");
        assert_eq!((settings.kind, settings.flags & ACK), (SETTINGS, 0));
        frames.send(SETTINGS, ACK, 0, &[]);
        while frames.next().expect("the acknowledgement").kind != SETTINGS {}
        frames
    }

    /// HTTP/2 is agreed on, and nothing is sent.
    pub fn bare(port: u16) -> Self {
        let visitor = visit_with(&client(rustls::ALL_VERSIONS, &[b"h2"]), port, "shop.test").unwrap();
        assert_eq!(visitor.conn.alpn_protocol(), Some(&b"h2"[..]));
        Self { visitor, read: Vec::new() }
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        // Whoever was sent away hears of it when it reads.
        let _ = self.visitor.write_all(bytes);
        let _ = self.visitor.flush();
    }

    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.raw(&frame(kind, flags, stream, payload));
    }

    /// A whole header block.
    pub fn headers(&mut self, stream: u32, flags: u8, lines: &[(&str, &str)]) {
        self.send(HEADERS, END_HEADERS | flags, stream, &block(lines));
    }

    /// Waits for a frame; `None`: the connection has ended.
    ///
    /// # Panics
    /// When nothing comes, and no end.
    pub fn next(&mut self) -> Option<Frame> {
        match self.look(PATIENCE) {
            Look::Frame(frame) => Some(frame),
            Look::End => None,
            Look::Nothing => panic!("waited in vain for a frame or the end"),
        }
    }

    pub fn look(&mut self, patience: Duration) -> Look {
        self.visitor.sock.set_read_timeout(Some(patience)).unwrap();
        loop {
            if let Some(frame) = self.take() {
                return Look::Frame(frame);
            }
            let mut some = [0; 16_384];
            match self.visitor.read(&mut some) {
                Ok(0) => return Look::End,
                Ok(read) => self.read.extend_from_slice(&some[..read]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Look::Nothing;
                }
                Err(_) => return Look::End,
            }
        }
    }

    fn take(&mut self) -> Option<Frame> {
        let head = self.read.get(..9)?;
        let end = 9 + u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        let (kind, flags) = (head[3], head[4]);
        let payload = self.read.get(9..end)?.to_vec();
        self.read.drain(..end);
        Some(Frame { kind, flags, stream, payload })
    }
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Literals without indexing and without Huffman's code (RFC 7541 section 6.2.2).
pub fn block(lines: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in lines {
        bytes.push(0);
        for text in [name, value] {
            length(&mut bytes, text.len());
            bytes.extend(text.chars().map(|char| u8::try_from(u32::from(char)).unwrap()));
        }
    }
    bytes
}

/// An integer with a prefix of seven bits (RFC 7541 section 5.1).
fn length(bytes: &mut Vec<u8>, length: usize) {
    if length < 127 {
        bytes.push(u8::try_from(length).unwrap());
        return;
    }
    bytes.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128 + 128).unwrap());
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap());
}

pub fn get(path: &str) -> Vec<(&str, &str)> {
    vec![(":method", "GET"), (":scheme", "https"), (":authority", "shop.test"), (":path", path)]
}

pub fn post(path: &str) -> Vec<(&str, &str)> {
    vec![(":method", "POST"), (":scheme", "https"), (":authority", "shop.test"), (":path", path)]
}
