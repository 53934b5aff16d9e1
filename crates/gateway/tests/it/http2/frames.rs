//! RFC 9113 frame by frame: what a peer may do is served, what it may not ends its stream or its connection, with the code that the
//! section names or a general one, which may stand for all (section 5.4).

use super::{serve, serve_with};
use crate::support::backend::Backend;
use crate::support::frames::*;
use crate::support::gateway::Served;
use crate::support::http::ok;
use serde_json::json;
use std::time::Duration;

const NO_ERROR: u32 = 0;
const PROTOCOL: u32 = 1;
const FLOW_CONTROL: u32 = 3;
const CLOSED: u32 = 5;
const FRAME_SIZE: u32 = 6;
const REFUSED: u32 = 7;
const INTERNAL: u32 = 2;
const COMPRESSION: u32 = 9;
const CALM: u32 = 11;

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// An answer, by the first byte of its header block or its status.
    Answered,
    Reset(u32),
    Away(u32),
    /// Without a word.
    Ended,
}

fn code(frame: &Frame, at: usize) -> u32 {
    u32::from_be_bytes(frame.payload[at..at + 4].try_into().unwrap())
}

/// Reads on until something has come of `stream`, or of the connection.
fn outcome(frames: &mut Frames, stream: u32) -> Outcome {
    while let Some(frame) = frames.next() {
        match frame.kind {
            GOAWAY => return Outcome::Away(code(&frame, 4)),
            RST_STREAM if frame.stream == stream => return Outcome::Reset(code(&frame, 0)),
            HEADERS if frame.stream == stream => return Outcome::Answered,
            _ => {}
        }
    }
    Outcome::Ended
}

fn backend() -> Backend {
    Backend::new(|head, _| {
        if head.contains(" /slow") {
            std::thread::sleep(Duration::from_millis(300));
            ok("slow")
        } else {
            ok("hello")
        }
    })
}

/// A whole request works on this connection, or on a new one.
fn still_serves(served: &Served) {
    let mut frames = Frames::open(served.port);
    frames.headers(1, END_STREAM, &get("/"));
    assert_eq!(outcome(&mut frames, 1), Outcome::Answered);
}

type Play = Box<dyn Fn(&mut Frames)>;

/// Plays each case on a connection of its own: the connection ends with one of `codes`, or its stream does where that is enough.
fn all_end(cases: Vec<(&str, bool, &[u32], Play)>) {
    let backend = backend();
    let served = serve(&backend);
    let mut wrong = Vec::new();
    for (name, stream_is_enough, codes, play) in cases {
        let mut frames = Frames::open(served.port);
        play(&mut frames);
        let found = outcome(&mut frames, 1);
        let right = |code: &u32| codes.contains(code) || [PROTOCOL, INTERNAL].contains(code);
        let right = match &found {
            Outcome::Away(code) => right(code),
            Outcome::Reset(code) => stream_is_enough && right(code),
            // Nothing more is promised than that it ends (section 5.4.1).
            Outcome::Ended => true,
            Outcome::Answered => false,
        };
        if !right {
            wrong.push(format!("{name}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    still_serves(&served);
}

fn case(
    name: &'static str,
    codes: &'static [u32],
    play: impl Fn(&mut Frames) + 'static,
) -> (&'static str, bool, &'static [u32], Play) {
    (name, false, codes, Box::new(play))
}

fn stream_case(
    name: &'static str,
    codes: &'static [u32],
    play: impl Fn(&mut Frames) + 'static,
) -> (&'static str, bool, &'static [u32], Play) {
    (name, true, codes, Box::new(play))
}

fn setting(id: u16, value: u32) -> Vec<u8> {
    [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

#[test]
fn frames_that_must_not_be_end_the_connection() {
    all_end(vec![
        case("4.2 a DATA frame that is too long", &[FRAME_SIZE], |f| {
            f.headers(1, 0, &post("/slow"));
            f.send(DATA, END_STREAM, 1, &[0; 16_385]);
        }),
        case("4.2 a HEADERS frame that is too long", &[FRAME_SIZE, COMPRESSION], |f| {
            f.send(HEADERS, END_HEADERS | END_STREAM, 1, &[0; 16_385]);
        }),
        case("4.3 a header block that is none", &[COMPRESSION], |f| {
            f.send(HEADERS, END_HEADERS | END_STREAM, 1, &[0x40])
        }),
        case("4.3 an index that is in no table", &[COMPRESSION], |f| {
            f.send(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff, 0xff, 0x01])
        }),
        case("4.3 another frame within a header block", &[PROTOCOL], |f| {
            f.send(HEADERS, END_STREAM, 1, &block(&get("/")));
            f.send(DATA, 0, 1, b"x");
        }),
        case("4.3 another stream's frame within a header block", &[PROTOCOL], |f| {
            f.send(HEADERS, END_STREAM, 1, &block(&get("/")));
            f.headers(3, END_STREAM, &get("/"));
        }),
        case("5.1 DATA on an idle stream", &[PROTOCOL, CLOSED], |f| f.send(DATA, END_STREAM, 1, b"x")),
        case("5.1 RST_STREAM on an idle stream", &[PROTOCOL], |f| f.send(RST_STREAM, 0, 1, &[0, 0, 0, 8])),
        case("5.1 WINDOW_UPDATE on an idle stream", &[PROTOCOL], |f| f.send(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 8])),
        case("5.1 CONTINUATION on an idle stream", &[PROTOCOL], |f| {
            f.send(CONTINUATION, END_HEADERS, 1, &block(&get("/")))
        }),
        case("5.1.1 an even stream", &[PROTOCOL], |f| f.headers(2, END_STREAM, &get("/"))),
        case("5.5 an unknown frame within a header block", &[PROTOCOL], |f| {
            f.send(HEADERS, END_STREAM, 1, &block(&get("/")));
            f.send(0x55, 0, 1, b"x");
        }),
        case("6.1 DATA on stream 0", &[PROTOCOL], |f| f.send(DATA, END_STREAM, 0, b"x")),
        case("6.1 padding longer than its frame", &[PROTOCOL], |f| {
            f.headers(1, 0, &post("/slow"));
            f.send(DATA, PADDED | END_STREAM, 1, &[5, 1, 2]);
        }),
        case("6.2 HEADERS on stream 0", &[PROTOCOL], |f| f.headers(0, END_STREAM, &get("/"))),
        case("6.2 padding longer than its block", &[PROTOCOL], |f| {
            let padded = [&[0xff][..], &block(&get("/"))].concat();
            f.send(HEADERS, PADDED | END_HEADERS | END_STREAM, 1, &padded);
        }),
        case("6.3 PRIORITY on stream 0", &[PROTOCOL], |f| f.send(PRIORITY, 0, 0, &[0, 0, 0, 1, 0])),
        case("6.4 RST_STREAM on stream 0", &[PROTOCOL], |f| f.send(RST_STREAM, 0, 0, &[0, 0, 0, 8])),
        case("6.4 RST_STREAM of another length", &[FRAME_SIZE], |f| {
            f.headers(1, 0, &post("/slow"));
            f.send(RST_STREAM, 0, 1, &[0, 0, 8]);
        }),
        case("6.5 an acknowledgement with a payload", &[FRAME_SIZE], |f| f.send(SETTINGS, ACK, 0, &setting(3, 1))),
        case("6.5 SETTINGS on a stream", &[PROTOCOL], |f| f.send(SETTINGS, 0, 1, &setting(3, 1))),
        case("6.5 SETTINGS of another length", &[FRAME_SIZE], |f| f.send(SETTINGS, 0, 0, &[0, 3, 0])),
        case("6.5.2 ENABLE_PUSH of 2", &[PROTOCOL], |f| f.send(SETTINGS, 0, 0, &setting(2, 2))),
        case("6.5.2 a window over 2^31-1", &[FLOW_CONTROL], |f| f.send(SETTINGS, 0, 0, &setting(4, 1 << 31))),
        case("6.5.2 frames shorter than 16384", &[PROTOCOL], |f| f.send(SETTINGS, 0, 0, &setting(5, 16_383))),
        case("6.5.2 frames longer than 2^24-1", &[PROTOCOL], |f| f.send(SETTINGS, 0, 0, &setting(5, 1 << 24))),
        case("6.6 PUSH_PROMISE of a client", &[PROTOCOL], |f| {
            f.headers(1, 0, &post("/slow"));
            f.send(PUSH_PROMISE, END_HEADERS, 1, &[&[0, 0, 0, 2][..], &block(&get("/"))].concat());
        }),
        case("6.7 PING on a stream", &[PROTOCOL], |f| f.send(PING, 0, 1, &[0; 8])),
        case("6.7 PING of another length", &[FRAME_SIZE], |f| f.send(PING, 0, 0, &[0; 6])),
        case("6.8 GOAWAY on a stream", &[PROTOCOL], |f| f.send(GOAWAY, 0, 1, &[0; 8])),
        case("6.9 no window for the connection", &[PROTOCOL], |f| f.send(WINDOW_UPDATE, 0, 0, &[0; 4])),
        case("6.9 WINDOW_UPDATE of another length", &[FRAME_SIZE], |f| f.send(WINDOW_UPDATE, 0, 0, &[0, 0, 1])),
        case("6.9.1 a window of the connection over 2^31-1", &[FLOW_CONTROL], |f| {
            f.send(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]);
            f.send(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]);
        }),
        case("6.10 CONTINUATION on stream 0", &[PROTOCOL], |f| {
            f.send(HEADERS, END_STREAM, 1, &block(&get("/")));
            f.send(CONTINUATION, END_HEADERS, 0, &[]);
        }),
        case("6.10 CONTINUATION after a finished block", &[PROTOCOL], |f| {
            f.headers(1, 0, &post("/slow"));
            f.send(CONTINUATION, END_HEADERS, 1, &block(&[("a", "b")]));
        }),
    ]);
}

#[test]
fn streams_that_break_the_rules_end() {
    all_end(vec![
        stream_case("5.1 DATA after the end", &[CLOSED, PROTOCOL], |f| {
            f.headers(1, 0, &post("/slow"));
            f.send(DATA, 0, 1, b"x");
            f.send(RST_STREAM, 0, 1, &[0, 0, 0, 8]);
            f.headers(3, 0, &post("/slow"));
            f.send(DATA, END_STREAM, 1, b"x");
            f.send(RST_STREAM, 0, 3, &[0, 0, 0, 8]);
            f.send(PING, 0, 1, &[0; 8]);
        }),
        stream_case("6.3 PRIORITY of another length", &[FRAME_SIZE], |f| {
            f.headers(1, 0, &post("/slow"));
            f.send(PRIORITY, 0, 1, &[0, 0, 0, 1]);
        }),
        stream_case("6.9 no window for a stream", &[PROTOCOL], |f| {
            f.headers(1, 0, &post("/slow"));
            f.send(WINDOW_UPDATE, 0, 1, &[0; 4]);
        }),
        stream_case("6.9.1 a window of a stream over 2^31-1", &[FLOW_CONTROL], |f| {
            f.headers(1, 0, &post("/slow"));
            f.send(WINDOW_UPDATE, 0, 1, &[0x7f, 0xff, 0xff, 0xff]);
            f.send(WINDOW_UPDATE, 0, 1, &[0x7f, 0xff, 0xff, 0xff]);
        }),
        stream_case("8.1 a second head without an end", &[PROTOCOL], |f| {
            f.headers(1, 0, &post("/slow"));
            f.headers(1, 0, &[("x-trailer", "1")]);
        }),
    ]);
}

#[test]
fn malformed_requests_reach_no_backend() {
    let with = |more: &[(&'static str, &'static str)]| [get("/"), more.to_vec()].concat();
    let without = |name: &str| get("/").into_iter().filter(|line| line.0 != name).collect::<Vec<_>>();
    let instead = |name: &'static str, value: &'static str| {
        get("/").into_iter().map(|line| if line.0 == name { (name, value) } else { line }).collect::<Vec<_>>()
    };
    let cases: Vec<(&str, Vec<(&str, &str)>)> = vec![
        ("8.2 a name in capitals", with(&[("X-A", "1")])),
        ("8.2.1 a space in a name", with(&[("x a", "1")])),
        ("8.2.1 a colon in a name", with(&[("x:a", "1")])),
        ("8.2.1 an empty name", with(&[("", "1")])),
        ("8.2.1 a control character in a name", with(&[("x\u{1}a", "1")])),
        ("8.2.1 a name beyond ASCII", with(&[("x\u{e9}", "1")])),
        ("8.2.1 LF in a value", with(&[("x-a", "1\ntransfer-encoding: chunked")])),
        ("8.2.1 CR in a value", with(&[("x-a", "1\r")])),
        ("8.2.1 NUL in a value", with(&[("x-a", "1\0")])),
        ("8.2.1 a request smuggled in a value", with(&[("x-a", "1\r\n\r\nGET /b HTTP/1.1\r\nhost: b\r\n\r\n")])),
        ("8.2.1 a space before a value", with(&[("x-a", " 1")])),
        ("8.2.1 a tab after a value", with(&[("x-a", "1\t")])),
        ("8.2.2 connection", with(&[("connection", "close")])),
        ("8.2.2 keep-alive", with(&[("keep-alive", "5")])),
        ("8.2.2 proxy-connection", with(&[("proxy-connection", "close")])),
        ("8.2.2 transfer-encoding", with(&[("transfer-encoding", "chunked")])),
        ("8.2.2 upgrade", with(&[("upgrade", "websocket")])),
        ("8.2.2 te of more than trailers", with(&[("te", "trailers, gzip")])),
        ("8.3 an unknown pseudo-field", with(&[(":own", "1")])),
        ("8.3 a response's pseudo-field", with(&[(":status", "200")])),
        ("8.3 a pseudo-field after others", [vec![("x-a", "1")], get("/")].concat()),
        ("8.3.1 two methods", with(&[(":method", "GET")])),
        ("8.3.1 two paths", with(&[(":path", "/b")])),
        ("8.3.1 two schemes", with(&[(":scheme", "http")])),
        ("8.3.1 two authorities", with(&[(":authority", "b")])),
        ("8.3.1 no method", without(":method")),
        ("8.3.1 no path", without(":path")),
        ("8.3.1 no scheme", without(":scheme")),
        ("8.3.1 an empty path", instead(":path", "")),
        ("8.3.1 a path that is none", instead(":path", "x")),
        ("8.3.1 a path with a space", instead(":path", "/a b")),
        ("8.3.1 a path with a line end", instead(":path", "/a HTTP/1.1\r\nhost: b\r\nx: ")),
        ("8.3.1 a method with a space", instead(":method", "GET /b HTTP/1.1\r\n")),
        ("8.3.1 a method that is empty", instead(":method", "")),
        ("8.3.1 an authority with a user", instead(":authority", "u:p@shop.test")),
        ("8.3.1 an authority with a path", instead(":authority", "shop.test/b")),
        ("8.3.1 an authority with a line end", instead(":authority", "shop.test\r\nx: y")),
        ("8.3.1 an authority that is empty", instead(":authority", "")),
        ("8.3.1 another Host than the authority", with(&[("host", "other.test")])),
        ("8.3.1 two Hosts", [without(":authority"), vec![("host", "a"), ("host", "a")]].concat()),
        ("8.3.1 neither authority nor Host", without(":authority")),
        ("8.1.1 two lengths", with(&[("content-length", "0"), ("content-length", "0")])),
        ("8.1.1 a length that is none", with(&[("content-length", "+0")])),
        ("8.1.1 a length, and nothing comes", with(&[("content-length", "5")])),
        ("8.5 CONNECT with a path", instead(":method", "CONNECT")),
        ("8.5 CONNECT", vec![(":method", "CONNECT"), (":authority", "b.test:80")]),
        ("TRACE", instead(":method", "TRACE")),
        ("a name that poses as a length", with(&[("content_length", "5")])),
    ];
    let backend = backend();
    let served = serve(&backend);
    let mut wrong = Vec::new();
    for (name, lines) in &cases {
        let heard = backend.requests();
        let mut frames = Frames::open(served.port);
        frames.headers(1, END_STREAM, lines);
        // An answer is a 4xx of the gateway: the backend hears nothing.
        let found = outcome(&mut frames, 1);
        let right = match found {
            Outcome::Answered | Outcome::Ended => true,
            Outcome::Reset(code) | Outcome::Away(code) => [PROTOCOL, COMPRESSION].contains(&code),
        };
        if !right || backend.requests() > heard {
            wrong.push(format!("{name}: {found:?}, {} requests at the backend", backend.requests() - heard));
        }
    }
    for (name, body) in [("8.1.1 more than the length", "123456"), ("8.1.1 less than the length", "1234")] {
        let heard = backend.requests();
        let mut frames = Frames::open(served.port);
        frames.headers(1, 0, &[post("/"), vec![("content-length", "5")]].concat());
        frames.send(DATA, END_STREAM, 1, body.as_bytes());
        let found = outcome(&mut frames, 1);
        if !matches!(found, Outcome::Answered | Outcome::Ended | Outcome::Reset(PROTOCOL) | Outcome::Away(PROTOCOL))
            || backend.requests() > heard
        {
            wrong.push(format!("{name}: {found:?}, {} requests at the backend", backend.requests()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    still_serves(&served);
}

#[test]
fn what_a_peer_may_do_is_served() {
    let backend = backend();
    let served = serve(&backend);
    let answered = |name: &str, play: &dyn Fn(&mut Frames)| {
        let mut frames = Frames::open(served.port);
        play(&mut frames);
        assert_eq!(outcome(&mut frames, 1), Outcome::Answered, "{name}");
    };
    answered("4.1 an unknown frame", &|f| {
        f.send(0xfe, 0xff, 0, b"whatever");
        f.send(0xfe, 0xff, 1, b"whatever");
        f.headers(1, END_STREAM, &get("/"));
    });
    answered("4.1 unknown flags, and the reserved bit", &|f| {
        f.send(PING, 0xfe & !ACK, 0, &[1; 8]);
        f.send(HEADERS, END_HEADERS | END_STREAM | 0x40, 1 | 1 << 31, &block(&get("/")));
    });
    answered("4.3 a block in pieces", &|f| {
        let whole = block(&get("/"));
        f.send(HEADERS, END_STREAM, 1, &whole[..9]);
        f.send(CONTINUATION, 0, 1, &[]);
        f.send(CONTINUATION, 0, 1, &whole[9..20]);
        f.send(CONTINUATION, END_HEADERS, 1, &whole[20..]);
    });
    answered("6.1 padding", &|f| {
        f.headers(1, 0, &post("/"));
        f.send(DATA, PADDED, 1, &[3, b'x', 0, 0, 0]);
        f.send(DATA, PADDED | END_STREAM, 1, &[1, 0]);
    });
    answered("6.2 padding and priority", &|f| {
        let payload = [&[2, 0, 0, 0, 0, 15][..], &block(&get("/")), &[0, 0]].concat();
        f.send(HEADERS, PADDED | END_HEADERS | END_STREAM | 0x20, 1, &payload);
    });
    answered("6.3 PRIORITY on an idle stream", &|f| {
        f.send(PRIORITY, 0, 9, &[0, 0, 0, 1, 200]);
        f.headers(1, END_STREAM, &get("/"));
    });
    answered("6.5 unknown settings", &|f| {
        f.send(SETTINGS, 0, 0, &[setting(0xff, 1), setting(3, 100), setting(5, 1 << 20)].concat());
        f.headers(1, END_STREAM, &get("/"));
    });
    answered("6.7 an acknowledgement of no PING", &|f| {
        f.send(PING, ACK, 0, &[1; 8]);
        f.headers(1, END_STREAM, &get("/"));
    });
    answered("8.1 trailers", &|f| {
        f.headers(1, 0, &post("/"));
        f.send(DATA, 0, 1, b"x");
        f.headers(1, END_STREAM, &[("x-trailer", "1")]);
    });
    // Malformed, says section 8.1; `h2` leaves them out, and nothing of them goes further.
    answered("8.1 pseudo-fields in trailers", &|f| {
        f.headers(1, 0, &post("/"));
        f.headers(1, END_STREAM, &[(":path", "/b")]);
    });
    answered("8.3.1 a Host instead of an authority", &|f| {
        let lines: Vec<_> =
            get("/").into_iter().filter(|line| line.0 != ":authority").chain([("host", "shop.test")]).collect();
        f.headers(1, END_STREAM, &lines);
    });
    answered("8.3.1 the same Host as the authority", &|f| {
        f.headers(1, END_STREAM, &[get("/"), vec![("host", "shop.test")]].concat());
    });
    answered("8.3.1 OPTIONS *", &|f| {
        let lines = [(":method", "OPTIONS"), (":scheme", "https"), (":authority", "shop.test"), (":path", "*")];
        f.headers(1, END_STREAM, &lines);
    });
    assert!(backend.last_head().starts_with("OPTIONS * HTTP/1.1\r\n"));
}

#[test]
fn pings_are_answered_and_settings_acknowledged() {
    let backend = backend();
    let served = serve(&backend);
    let mut frames = Frames::open(served.port);
    let next = |frames: &mut Frames| loop {
        let frame = frames.next().expect("a frame");
        if frame.kind != WINDOW_UPDATE {
            return frame;
        }
    };
    frames.send(PING, 0, 0, b"12345678");
    let pong = next(&mut frames);
    assert_eq!((pong.kind, pong.flags & ACK, pong.payload.as_slice()), (PING, ACK, &b"12345678"[..]));
    frames.send(SETTINGS, 0, 0, &setting(4, 5));
    let acknowledged = next(&mut frames);
    assert_eq!((acknowledged.kind, acknowledged.flags & ACK), (SETTINGS, ACK));
}

#[test]
fn windows_are_kept() {
    let backend = backend();
    let served = serve(&backend);
    let mut frames = Frames::open(served.port);
    // Of "hello" two bytes may come, then one, then the rest.
    frames.send(SETTINGS, 0, 0, &setting(4, 2));
    frames.headers(1, END_STREAM, &get("/"));
    let data = |frames: &mut Frames| loop {
        let frame = frames.next().expect("data");
        if frame.kind == DATA {
            return frame.payload;
        }
    };
    assert_eq!(data(&mut frames), b"he");
    frames.send(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]);
    assert_eq!(data(&mut frames), b"l");
    // A smaller initial window makes a stream's negative (section 6.9.2): one more than is missing lets one byte through.
    frames.send(SETTINGS, 0, 0, &setting(4, 0));
    frames.send(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 3]);
    assert_eq!(data(&mut frames), b"l");
    frames.send(SETTINGS, 0, 0, &setting(4, 100));
    assert_eq!(data(&mut frames), b"o");
    // Zero of the connection's own, used up by nobody else, is waited for as well.
    frames.headers(3, END_STREAM, &get("/"));
    assert_eq!(data(&mut frames), b"hello");
}

#[test]
fn what_does_not_begin_as_it_must_is_closed() {
    let backend = backend();
    let served = serve_with(&backend, &json!({}), &["--header-read-seconds", "1"]);
    for beginning in [&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nSX\r\n\r\n", b"PRI", b""] {
        let mut frames = Frames::bare(served.port);
        frames.raw(beginning);
        while let Some(frame) = frames.next() {
            assert!(matches!(frame.kind, SETTINGS | GOAWAY | WINDOW_UPDATE), "{frame:?}");
        }
    }
    assert_eq!(backend.requests(), 0);
}

#[test]
fn streams_come_in_order_and_not_too_many_at_once() {
    let backend = backend();
    let served = serve(&backend);
    let mut frames = Frames::open(served.port);
    frames.headers(5, END_STREAM, &get("/"));
    assert_eq!(outcome(&mut frames, 5), Outcome::Answered);
    frames.headers(3, END_STREAM, &get("/"));
    assert!(matches!(outcome(&mut frames, 3), Outcome::Away(PROTOCOL) | Outcome::Ended), "5.1.1");

    let mut frames = Frames::open(served.port);
    for stream in 0..200 {
        frames.headers(stream * 2 + 1, 0, &post("/never-ended"));
    }
    let mut refused = 0;
    while refused < 72 {
        let frame = frames.next().expect("a refusal");
        if frame.kind == RST_STREAM {
            assert_eq!(code(&frame, 0), REFUSED, "5.1.2");
            refused += 1;
        }
    }
    still_serves(&served);
}

/// Sends until the gateway has had enough, reading what comes back; how it ended.
fn flood(served: &Served, most: usize, mut wave: impl FnMut(&mut Frames, u32)) -> Outcome {
    let mut frames = Frames::open(served.port);
    for number in 0..u32::try_from(most).unwrap() {
        wave(&mut frames, number * 2 + 1);
        if number % 64 != 63 {
            continue;
        }
        loop {
            match frames.look(Duration::from_millis(1)) {
                Look::Frame(frame) if frame.kind == GOAWAY => return Outcome::Away(code(&frame, 4)),
                Look::Frame(_) => {}
                Look::Nothing => break,
                Look::End => return Outcome::Ended,
            }
        }
    }
    panic!("{most} of them were not enough");
}

#[test]
fn floods_end_their_connection_while_others_are_served() {
    let backend = backend();
    let served = serve(&backend);
    let (good, stop) = (served.port, std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let stopping = std::sync::Arc::clone(&stop);
    let beside = std::thread::spawn(move || {
        let mut served = 0;
        while !stopping.load(std::sync::atomic::Ordering::SeqCst) {
            let mut frames = Frames::open(good);
            frames.headers(1, END_STREAM, &get("/"));
            assert_eq!(outcome(&mut frames, 1), Outcome::Answered);
            served += 1;
        }
        served
    });
    let ends = |name: &str, found: Outcome| {
        assert!(
            matches!(found, Outcome::Away(CALM | PROTOCOL | NO_ERROR | COMPRESSION) | Outcome::Ended),
            "{name}: {found:?}"
        );
    };
    // CVE-2023-44487: streams that are reset as soon as they are opened.
    ends(
        "rapid reset",
        flood(&served, 20_000, |f, stream| {
            f.headers(stream, END_STREAM, &get("/slow"));
            f.send(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
        }),
    );
    // CVE-2025-8671: streams that the gateway has to reset.
    ends(
        "made to reset",
        flood(&served, 20_000, |f, stream| {
            f.headers(stream, 0, &post("/"));
            f.send(WINDOW_UPDATE, 0, stream, &[0; 4]);
        }),
    );
    // CVE-2024-27316 and the like: a header that never ends.
    let mut first = true;
    ends(
        "continuation",
        flood(&served, 200_000, |f, _| {
            let kind = if std::mem::take(&mut first) { HEADERS } else { CONTINUATION };
            f.send(kind, 0, 1, &block(&[("x-a", "0123456789")]));
        }),
    );
    // CVE-2019-9518: frames of nothing.
    let mut begun = false;
    ends(
        "empty frames",
        flood(&served, 200_000, |f, _| {
            if !std::mem::replace(&mut begun, true) {
                f.headers(1, 0, &post("/"));
            }
            f.send(DATA, 0, 1, &[]);
        }),
    );
    // A small block that becomes a large header: one long field, referred to again and again (CVE-2016-6581).
    let mut frames = Frames::open(served.port);
    let long = "v".repeat(4000);
    let mut bomb = block(&get("/"));
    bomb.extend([0x40]);
    bomb.extend(&block(&[("x-bomb", &long)])[1..]);
    bomb.extend(std::iter::repeat_n(0xbe, 12_000));
    frames.send(HEADERS, END_STREAM | END_HEADERS, 1, &bomb);
    let found = outcome(&mut frames, 1);
    assert!(matches!(found, Outcome::Answered | Outcome::Reset(_) | Outcome::Away(CALM)), "a bomb: {found:?}");
    assert!(!backend_heard_bomb(&backend));
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(beside.join().unwrap() > 0, "a good client beside them is served");
    let status = std::fs::read_to_string(format!("/proc/{}/status", served.gateway.pid())).unwrap();
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u64 = rss.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib < 80_000, "after all of it the gateway holds {kib} KiB");
}

fn backend_heard_bomb(backend: &Backend) -> bool {
    backend.last_head().contains("x-bomb")
}
