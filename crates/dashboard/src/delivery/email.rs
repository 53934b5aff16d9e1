//! E-mail by SMTP. The connection is ours, by the outbound policy, and encrypted by us; `lettre` writes the message and speaks
//! the commands.

use super::{KEPT, Outcome, OutcomeCode, Tls, WHOLE};
use chrono::{DateTime, Utc};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use lettre::{Address, Message};
use proxima_installer::Outbound;
use proxima_installer::target::Host;
use proxima_installer::text::clean;
use proxima_types::FieldError;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Of a subject, in characters.
const SUBJECT_MAX: usize = 150;
/// Of one reply before TLS, in bytes (RFC 5321 section 4.5.3.1.5 has 512 a line).
const REPLY_MAX: usize = 8 * 1024;

/// How the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum SmtpTls {
    /// Encrypted before anything is said of us; refused when the server does not offer it (RFC 3207).
    Starttls,
    /// From the first byte (RFC 8314).
    Tls,
    /// To this machine alone.
    None,
}

impl SmtpTls {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starttls => "STARTTLS",
            Self::Tls => "TLS",
            Self::None => "NONE",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Starttls, Self::Tls, Self::None].into_iter().find(|mode| mode.as_str() == text)
    }
}

/// Where e-mail is handed in.
pub struct MailServer {
    pub host: Host,
    pub port: u16,
    pub tls: SmtpTls,
    pub from: String,
    /// Username and password.
    pub login: Option<(String, Zeroizing<String>)>,
}

/// A message to be written.
pub struct Mail<'a, R> {
    /// The same in every attempt: the Message-ID.
    pub id: &'a str,
    pub recipients: &'a [R],
    pub subject: &'a str,
    pub lines: &'a [String],
    pub now: DateTime<Utc>,
}

/// An address such as `ops@example.com`, and nothing else: no name, no list, no line end.
///
/// # Errors
/// What is wrong with the field.
pub fn check_mailbox(field: &str, text: &str) -> Result<String, FieldError> {
    match text.trim().parse::<Address>() {
        Ok(address) if text.is_ascii() && text.len() <= 254 => Ok(address.to_string()),
        _ => Err(FieldError::new(field, "invalid", "Enter an e-mail address such as ops@example.com.")),
    }
}

/// An address, or a name and an address in angle brackets.
///
/// # Errors
/// What is wrong with the field.
pub fn check_sender(field: &str, text: &str) -> Result<String, FieldError> {
    let text = text.trim();
    let unfit = text.len() > 254 || text.chars().any(char::is_control);
    match text.parse::<Mailbox>() {
        Ok(mailbox) if !unfit && mailbox.email.to_string().is_ascii() => Ok(mailbox.to_string()),
        _ => {
            let message = "Enter an e-mail address such as proxima@example.com, or Proxima <proxima@example.com>.";
            Err(FieldError::new(field, "invalid", message))
        }
    }
}

fn write<R: AsRef<str>>(from: &Mailbox, mail: &Mail<'_, R>) -> Result<Message, String> {
    let mut builder = Message::builder()
        .from(from.clone())
        .date(mail.now.into())
        .message_id(Some(format!("<{}@{}>", mail.id, from.email.domain())))
        .subject(clean(mail.subject.as_bytes(), SUBJECT_MAX));
    for recipient in mail.recipients {
        builder =
            builder.to(recipient.as_ref().parse().map_err(|error| format!("A recipient is no address: {error}."))?);
    }
    let (mut plain, mut html) = (String::new(), String::from("<!doctype html><html><body>"));
    for line in mail.lines {
        let line = clean(line.as_bytes(), KEPT);
        let _ = write!(plain, "{line}\r\n");
        let _ = write!(html, "<p>{}</p>", escaped(&line));
    }
    html.push_str("</body></html>");
    builder
        .multipart(MultiPart::alternative_plain_html(plain, html))
        .map_err(|error| format!("The message could not be written: {error}."))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Hands a message to the server; at most 15 seconds. All recipients get it, or none.
pub async fn send_mail<R: AsRef<str>>(
    outbound: &Outbound,
    tls: Result<Tls, String>,
    server: &MailServer,
    mail: &Mail<'_, R>,
) -> Outcome {
    let written = server.from.parse::<Mailbox>().map_err(|error| format!("The sender is no address: {error}."));
    let message = match written.and_then(|from| write(&from, mail)) {
        Ok(message) => message,
        Err(why) => return Outcome::failed(OutcomeCode::Broken, why),
    };
    match timeout(WHOLE, hand_in(outbound, tls, server, &message)).await {
        Ok(Ok(response)) => {
            let words = said(&response);
            let status = Some(u16::from(response.code()));
            Outcome { status, response: words, ..Outcome::failed(OutcomeCode::Delivered, "The e-mail server took it.") }
        }
        Ok(Err(outcome)) => outcome,
        Err(_) => Outcome::timed_out(),
    }
}

async fn hand_in(
    outbound: &Outbound,
    tls: Result<Tls, String>,
    server: &MailServer,
    message: &Message,
) -> Result<Response, Outcome> {
    let hello = message.envelope().from().map_or("localhost", |from| from.domain()).to_owned();
    let stream = outbound.connect(&server.host, server.port).await.map_err(|error| Outcome::of_connection(&error))?;
    let peer = stream.peer_addr().map_err(|error| Outcome::failed(OutcomeCode::Connect, error.to_string()))?;
    let tls = || tls.map_err(|why| Outcome::failed(OutcomeCode::Tls, why));
    let stream = match server.tls {
        SmtpTls::None if peer.ip().to_canonical().is_loopback() => Stream::new(Box::new(stream), peer, false),
        SmtpTls::None => {
            return Err(Outcome::failed(OutcomeCode::NotAllowed, "Without TLS only this machine is sent to."));
        }
        SmtpTls::Tls => Stream::new(Box::new(tls()?.greet(&server.host, stream).await?), peer, false),
        SmtpTls::Starttls => {
            let stream = ask_for_tls(stream, &hello).await?;
            Stream::new(Box::new(tls()?.greet(&server.host, stream).await?), peer, true)
        }
    };
    let mut connection = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &ClientId::Domain(hello))
        .await
        .map_err(|error| refused(&error))?;
    if let Some((username, password)) = &server.login {
        let login = Credentials::new(username.clone(), password.to_string());
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        connection.auth(&mechanisms, &login).await.map_err(|error| refused(&error))?;
    }
    let response = connection.send(message.envelope(), &message.formatted()).await.map_err(|error| refused(&error))?;
    // It is taken by now, whatever becomes of the farewell.
    let _ = connection.quit().await;
    Ok(response)
}

fn refused(error: &lettre::transport::smtp::Error) -> Outcome {
    let status = error.status().map(u16::from);
    let code = if status.is_some() || error.is_client() { OutcomeCode::SmtpRefused } else { OutcomeCode::Broken };
    let text = clean(error.to_string().as_bytes(), KEPT);
    let message = match status {
        Some(status) => format!("The e-mail server refused with {status}."),
        None => format!("The conversation with the e-mail server broke off: {text}."),
    };
    Outcome { status, response: Some(text), ..Outcome::failed(code, message) }
}

fn said(response: &Response) -> Option<String> {
    let words: Vec<&str> = response.message().collect();
    let words = clean(words.join(" ").as_bytes(), KEPT);
    (!words.is_empty()).then_some(words)
}

/// The part before TLS (RFC 3207): nothing of ours but a name is said, and nothing that came too early is believed.
async fn ask_for_tls(mut stream: TcpStream, hello: &str) -> Result<TcpStream, Outcome> {
    let broken = |_| Outcome::failed(OutcomeCode::Broken, "The e-mail server closed the connection before TLS.");
    reply(&mut stream, "220").await?;
    stream.write_all(format!("EHLO {hello}\r\n").as_bytes()).await.map_err(broken)?;
    let offered = reply(&mut stream, "250").await?;
    if !offered.lines().any(|line| line.get(4..).is_some_and(|word| word.trim().eq_ignore_ascii_case("STARTTLS"))) {
        return Err(Outcome::failed(
            OutcomeCode::Tls,
            "The e-mail server does not offer STARTTLS: choose TLS, or another port.",
        ));
    }
    stream.write_all(b"STARTTLS\r\n").await.map_err(broken)?;
    // Byte by byte, so that what follows the line is the handshake's: no command that somebody slipped in before it counts.
    reply(&mut stream, "220").await?;
    Ok(stream)
}

/// One whole reply, which must begin with `code`.
async fn reply(stream: &mut TcpStream, code: &str) -> Result<String, Outcome> {
    let mut read = Vec::new();
    loop {
        let byte = stream.read_u8().await;
        let byte = byte
            .map_err(|_| Outcome::failed(OutcomeCode::Broken, "The e-mail server closed the connection before TLS."))?;
        read.push(byte);
        if read.len() > REPLY_MAX {
            return Err(Outcome::failed(OutcomeCode::Broken, "This does not speak SMTP."));
        }
        if byte == b'\n' {
            let text = String::from_utf8_lossy(&read);
            let last = text.lines().last().unwrap_or_default();
            if last.get(3..4) == Some("-") {
                continue;
            }
            if last.starts_with(code) {
                return Ok(text.into_owned());
            }
            let words = clean(text.as_bytes(), KEPT);
            let failed = Outcome::failed(OutcomeCode::SmtpRefused, "The e-mail server refused before TLS.");
            return Err(Outcome { response: Some(words), ..failed });
        }
    }
}

trait Duplex: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug {}
impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug> Duplex for S {}

/// A connection as `lettre` takes it. It waits for the server's greeting, which STARTTLS has used up: that is said again.
#[derive(Debug)]
struct Stream {
    inner: Box<dyn Duplex>,
    peer: SocketAddr,
    greeting: &'static [u8],
}

impl Stream {
    fn new(inner: Box<dyn Duplex>, peer: SocketAddr, greeted: bool) -> Self {
        Self { inner, peer, greeting: if greeted { b"220 encrypted\r\n" } else { b"" } }
    }
}

impl AsyncTokioStream for Stream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.greeting.is_empty() {
            return Pin::new(&mut self.inner).poll_read(cx, buffer);
        }
        let (now, later) = self.greeting.split_at(self.greeting.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.greeting = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_carry_nothing_else() {
        assert_eq!(check_mailbox("to", " ops@example.com ").as_deref(), Ok("ops@example.com"));
        assert_eq!(check_sender("from", "Proxima <p@example.com>").as_deref(), Ok("Proxima <p@example.com>"));
        for text in ["", "ops", "a@b, c@d", "A <a@b.c>", "a@b.c\r\nBcc: x@y.z", "a@b.c\0", "bücher@example.com"] {
            assert!(check_mailbox("to", text).is_err(), "{text:?}");
        }
        for text in ["", "p", "P <p@e.com>\r\nBcc: x@y.z", "a@b.c, d@e.f"] {
            assert!(check_sender("from", text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn no_text_becomes_a_header_or_a_tag() {
        let from: Mailbox = "p@example.com".parse().expect("a mailbox");
        let hostile = "x\r\nBcc: thief@example.com\r\n\r\n<script>alert(1)</script>\u{202e}";
        let lines = [hostile.to_owned()];
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a date");
        let mail = Mail { id: "evt_1", recipients: &["ops@example.com"], subject: hostile, lines: &lines, now };
        let text = String::from_utf8(write(&from, &mail).expect("written").formatted()).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a body");
        assert!(!head.lines().any(|line| line.to_lowercase().starts_with("bcc:")), "{head}");
        assert!(head.contains("Message-ID: <evt_1@example.com>"), "{head}");
        let (_, html) = body.split_once("Content-Type: text/html").expect("an HTML part");
        assert!(html.contains("&lt;script&gt;") && !html.contains("<script>"), "{html}");
    }
}
