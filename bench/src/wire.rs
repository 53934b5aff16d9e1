//! HTTP/1.1 by hand over one keep-alive connection: the least that a request can cost here, because the generator
//! shares the processor cores with what it measures.

use anyhow::{Context as _, bail};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const MAX_HEADERS: usize = 48;
const MAX_ANSWER: usize = 1024 * 1024;

/// One connection and its buffer.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer; head and body are still in the connection's buffer.
pub struct Answer<'a> {
    pub status: u16,
    pub retry_after: bool,
    pub body: &'a [u8],
    head: &'a [u8],
}

impl Connection {
    /// # Errors
    /// When the address does not accept.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(2048) })
    }

    /// As [`Self::open`], from an address of this machine's own.
    ///
    /// # Errors
    /// As [`Self::open`]; also when that address has no port left.
    pub async fn open_from(source: std::net::Ipv4Addr, address: SocketAddr) -> anyhow::Result<Self> {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind((source, 0).into())?;
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(2048) })
    }

    /// Sends a whole request and reads its answer.
    ///
    /// # Errors
    /// A broken connection, or an answer without Content-Length.
    pub async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the connection was closed");
            }
            if let Some(head) = parse_head(&self.buffer)? {
                let end = head.length + head.content_length;
                while self.buffer.len() < end {
                    if end > MAX_ANSWER || self.stream.read_buf(&mut self.buffer).await? == 0 {
                        bail!("the answer broke off or is too long");
                    }
                }
                return Ok(Answer {
                    status: head.status,
                    retry_after: head.retry_after,
                    body: &self.buffer[head.length..end],
                    head: &self.buffer[..head.length],
                });
            }
        }
    }
}

struct Head {
    status: u16,
    length: usize,
    content_length: usize,
    retry_after: bool,
}

fn parse_head(buffer: &[u8]) -> anyhow::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(buffer)? else { return Ok(None) };
    let named = |name: &str| response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
    let content_length = named("content-length").context("an answer without Content-Length")?.value;
    Ok(Some(Head {
        status: response.code.context("an answer without a status")?,
        length,
        content_length: std::str::from_utf8(content_length)?.parse()?,
        retry_after: named("retry-after").is_some(),
    }))
}

impl Answer<'_> {
    /// The headers, for checking the signature.
    ///
    /// # Errors
    /// When one is not a header.
    pub fn headers(&self) -> anyhow::Result<HeaderMap> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        response.parse(self.head)?;
        let mut map = HeaderMap::new();
        for header in response.headers.iter() {
            map.append(HeaderName::from_bytes(header.name.as_bytes())?, HeaderValue::from_bytes(header.value)?);
        }
        Ok(map)
    }
}

/// One GET on a connection of its own: status and body.
///
/// # Errors
/// As [`Connection::exchange`].
pub async fn get(address: SocketAddr, path: &str) -> anyhow::Result<(u16, String)> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n");
    let mut connection = Connection::open(address).await?;
    let answer = connection.exchange(request.as_bytes()).await?;
    Ok((answer.status, String::from_utf8_lossy(answer.body).into_owned()))
}
