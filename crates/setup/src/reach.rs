//! Whether the box reaches the dashboard, asked with the client that heartbeats use.

use crate::host::Host;
use crate::problem::problem;
use chrono::DateTime;
use proxima_types::identity::DashboardUrl;
use proxima_types::setup::{Reach, SetupProblem, SetupProblemCode as Code};
use rustls::CertificateError;
use std::error::Error;
use std::io;
use std::time::Instant;

const PATH: &str = "/healthz";

/// One GET. What is known is there beside a problem too.
pub(crate) fn ask(host: &Host<'_>, dashboard: &DashboardUrl) -> (Reach, Option<SetupProblem>) {
    let shown = dashboard.to_string();
    let started = Instant::now();
    let mut reach = Reach::default();
    let client = match (host.http)() {
        Ok(client) => client,
        Err(why) => return (reach, Some(unreachable(&shown, &why))),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return (reach, Some(unreachable(&shown, &error.to_string()))),
    };
    let answer = runtime.block_on(async { client.get(dashboard.join(PATH)).send().await });
    reach.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let problem = match answer {
        Ok(answer) => {
            reach.status = Some(answer.status().as_u16());
            let date = answer.headers().get("date").and_then(|value| value.to_str().ok());
            reach.clock_offset_seconds = date.and_then(|date| offset(date, (host.now_ms)()));
            (!answer.status().is_success()).then(|| wrong_status(&shown, answer.status().as_u16()))
        }
        Err(error) => Some(explain(&shown, &error)),
    };
    (reach, problem)
}

/// Seconds by which the box is ahead of an HTTP date (RFC 9110, 5.6.7: the preferred form).
fn offset(date: &str, now_ms: i64) -> Option<i64> {
    let date = DateTime::parse_from_rfc2822(date).ok()?;
    Some(now_ms.div_euclid(1000) - date.timestamp())
}

pub(crate) fn wrong_status(shown: &str, status: u16) -> SetupProblem {
    problem(
        Code::DashboardWrongStatus,
        format!("{shown} answered the server with HTTP status {status} instead of 200."),
        "Another program or a proxy may answer at this address: check the dashboard's public address.",
    )
}

pub(crate) fn unreachable(shown: &str, why: &str) -> SetupProblem {
    problem(
        Code::DashboardUnreachable,
        format!("The server cannot reach the dashboard at {shown}: {why}."),
        "Check that the server's firewall and its provider allow outgoing connections to it.",
    )
}

/// The causes of `error`, outermost first; `io::Error` hides what it wraps from `source`.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> Vec<&'e (dyn Error + 'static)> {
    let inside = |error: &'e (dyn Error + 'static)| -> Option<&'e (dyn Error + 'static)> {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        }
    };
    std::iter::successors(Some(error), |error| inside(*error)).collect()
}

pub(crate) fn explain(shown: &str, error: &reqwest::Error) -> SetupProblem {
    let causes = causes(error);
    let tls = causes.iter().find_map(|cause| cause.downcast_ref::<rustls::Error>());
    let kind = causes.iter().rev().find_map(|cause| cause.downcast_ref::<io::Error>().map(io::Error::kind));
    if let Some(tls) = tls {
        return explain_tls(shown, tls);
    }
    if causes.iter().any(|cause| cause.to_string().starts_with("dns error")) {
        return problem(
            Code::DashboardNameUnknown,
            format!("The server does not know the name in {shown}: its DNS has no answer."),
            "Check the server's DNS (/etc/resolv.conf) and that the dashboard's name is public.",
        );
    }
    if kind == Some(io::ErrorKind::ConnectionRefused) {
        return problem(
            Code::DashboardRefused,
            format!("The dashboard's machine refused the server's connection to {shown}."),
            "Check that the dashboard runs, its port is right, and its firewall lets this server in.",
        );
    }
    if error.is_timeout() || kind == Some(io::ErrorKind::TimedOut) {
        return problem(
            Code::DashboardTimeout,
            format!("The server got no answer of {shown} in time."),
            "A firewall on the way drops the packets: allow the server's outgoing connections to the dashboard.",
        );
    }
    unreachable(shown, &causes.last().map(ToString::to_string).unwrap_or_default())
}

fn explain_tls(shown: &str, error: &rustls::Error) -> SetupProblem {
    let (why, remedy) = match error {
        rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => (
            "its certificate is not valid at the time that the server's clock shows".to_owned(),
            "Set the server's clock (timedatectl set-ntp true); if it is right, renew the dashboard's certificate.",
        ),
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => (
            "its certificate is for another name".to_owned(),
            "Check the dashboard's public address and its certificate.",
        ),
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => (
            "its certificate is of an authority that the server does not know".to_owned(),
            "Install the package ca-certificates on the server; with a private authority, add its certificate there.",
        ),
        other => (other.to_string(), "Check the dashboard's certificate, and whether a proxy on the way opens TLS."),
    };
    problem(Code::DashboardTls, format!("The server cannot speak TLS with {shown}: {why}."), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::System;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    fn ask_of(url: &str, now_ms: i64) -> (Reach, Option<SetupProblem>) {
        let http = || {
            let builder = reqwest::Client::builder().no_proxy().timeout(std::time::Duration::from_millis(1500));
            builder.build().map_err(|error| error.to_string())
        };
        let host = Host { root: "/nowhere".into(), commands: &System, now_ms: &|| now_ms, http: &http, log: &|_| {} };
        ask(&host, &DashboardUrl::parse(url).expect("a url"))
    }

    /// Answers one connection with `answer`.
    fn server(answer: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer);
            if answer.is_empty() {
                // Say nothing until the client gives up.
                let _ = stream.read_to_end(&mut Vec::new());
            }
        });
        address.to_string()
    }

    #[test]
    fn an_answer_tells_how_far_the_clock_is_off() {
        let answer = b"HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 0\r\n\r\n";
        let (reach, problem) = ask_of(&format!("http://{}", server(answer)), (784_111_777 + 86_400) * 1000);
        assert_eq!((reach.status, reach.clock_offset_seconds, problem), (Some(200), Some(86_400), None));
        let (reach, problem) =
            ask_of(&format!("http://{}", server(b"HTTP/1.1 502 Bad\r\ncontent-length: 0\r\n\r\n")), 0);
        assert_eq!((reach.status, problem.map(|problem| problem.code)), (Some(502), Some(Code::DashboardWrongStatus)));
    }

    #[test]
    fn failures_are_told_apart() {
        let code = |url: String| ask_of(&url, 0).1.expect("a problem").code;
        let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("an address");
        assert_eq!(code(format!("http://{closed}")), Code::DashboardRefused);
        assert_eq!(code(format!("http://{}", server(b""))), Code::DashboardTimeout);
        assert_eq!(code("https://dashboard.invalid".to_owned()), Code::DashboardNameUnknown);
        assert_eq!(code(format!("https://{}", server(b"HTTP/1.1 400 Bad\r\n\r\n"))), Code::DashboardTls);
    }
}
