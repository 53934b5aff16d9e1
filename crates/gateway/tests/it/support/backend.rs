//! Backends: a thread per connection, and a script per backend.

use super::http::{content_length, ok, read_exactly, read_head};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

pub struct Backend {
    pub port: u16,
    connections: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Backend {
    /// `serve` gets each connection, from its first byte.
    pub fn raw(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let (serve, counted) = (Arc::new(serve), Arc::clone(&connections));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                stream.set_nodelay(true).unwrap();
                stream.set_read_timeout(Some(super::PATIENCE * 2)).unwrap();
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || serve(stream));
            }
        });
        Self { port, connections, heads: Arc::default() }
    }

    /// `answer` makes a whole response of each request's head and body, on kept connections.
    pub fn new(answer: impl Fn(&str, &[u8]) -> String + Send + Sync + 'static) -> Self {
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&heads);
        let mut backend = Self::raw(move |mut stream| {
            while let Some(head) = read_head(&mut stream) {
                let body = read_exactly(&mut stream, content_length(&head));
                seen.lock().unwrap().push(head.clone());
                if stream.write_all(answer(&head, &body).as_bytes()).is_err() {
                    return;
                }
            }
        });
        backend.heads = heads;
        backend
    }

    /// Answers every request with `body`.
    pub fn saying(body: &'static str) -> Self {
        Self::new(move |_, _| ok(body))
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The last request's head.
    pub fn last_head(&self) -> String {
        self.heads.lock().unwrap().last().cloned().expect("a request")
    }

    pub fn requests(&self) -> usize {
        self.heads.lock().unwrap().len()
    }
}
