//! The manual way of installing, for boxes that nobody can reach by SSH: a command with a single-use token that the box
//! runs itself. Who makes and withdraws install tokens is here; what the box then asks for is in the modules.

mod claim;
mod programs;
mod report;
mod script;
mod silence;

pub use claim::{claim, known};
pub use programs::{Download, Programs, program};
pub use report::{known_reporter, report};
pub use script::script;
pub use silence::give_up_silent;

use super::audit::server_target;
use super::connections::{lock, refuse_while_a_job_runs};
use super::{Actor, App, AppError, AppResult, Proven, audit, commit};
use crate::entropy::EntropyExt as _;
use chrono::{DateTime, Duration, Utc};
use proxima_db::install_tokens::{self, OpenToken};
use proxima_db::servers::interval;
use proxima_types::identity::DashboardUrl;
use proxima_types::{InstallToken, KeyDigest, ServerId};
use serde_json::json;
use sqlx::postgres::types::PgInterval;
use zeroize::Zeroizing;

/// How long an install token is good.
const LIFETIME: Duration = Duration::minutes(15);
/// How long a box that installs itself may be silent until its job is given up. Longer than its longest step.
const SILENCE: Duration = Duration::minutes(5);
/// How long the whole of it may take, whatever the box reports. An honest one needs a few minutes.
const LONGEST: Duration = Duration::minutes(30);

fn silence() -> PgInterval {
    interval(SILENCE)
}

/// A new token: shown now, and never again.
pub struct Made {
    pub token: InstallToken,
    pub command: Zeroizing<String>,
    pub open: OpenToken,
    /// The database's clock.
    pub now: DateTime<Utc>,
}

/// Makes a token for one install of this server; the one before is good for nothing from then on.
///
/// # Errors
/// [`AppError::NotFound`]; [`AppError::NotNow`] while a job runs, without an address for gateways, or without any program.
pub async fn make(app: &App, actor: &Proven<Actor>, id: ServerId) -> AppResult<Made> {
    let mut tx = app.begin().await?;
    super::anchor::guard(app, &mut tx).await?;
    let found = lock(&mut tx, actor, id).await?;
    refuse_while_a_job_runs(&mut tx, id).await?;
    let url = app.config.gateway_url.as_ref().ok_or_else(super::jobs::no_gateway_url)?;
    if app.config.binaries().architectures().await.is_empty() {
        return Err(AppError::not_now(
            "no_gateway_program",
            "No gateway to install",
            "This dashboard has no gateway program in its release folder. Its operator puts one there",
        ));
    }
    let token = InstallToken::from_random_bytes(app.entropy.bytes());
    let digest = KeyDigest::of_presented(token.expose());
    let open = install_tokens::make(&mut tx, id, digest, &actor.username, interval(LIFETIME)).await?;
    let metadata = json!({ "ownerUsername": found.owner_username, "expiresAt": open.expires_at });
    let target = Some(server_target(id, &found.server_name));
    audit::succeeded(&mut tx, actor, "server.install_token.create", target, metadata).await?;
    commit(tx).await?;
    let now = proxima_db::now(&app.db).await?;
    Ok(Made { command: command(url, &token), token, open, now })
}

/// The line for a person to paste. The token is in no URL and no program's arguments: `echo` is the shell's own, and what
/// is piped is the shell's standard input. Nothing runs when the download is cut off: the script is one function. A
/// redirect is an error, as everywhere after it: it might lead away from TLS. (`-L` makes curl say so; without it curl
/// prints the redirect's own body.)
fn command(url: &DashboardUrl, token: &InstallToken) -> Zeroizing<String> {
    let script = script::quoted(url.join(script::PATH).as_str());
    Zeroizing::new(format!(
        "(echo PROXIMA_INSTALL_TOKEN={}; if command -v curl >/dev/null; then curl -fsSL --max-redirs 0 {script}; else wget -nv --max-redirect=0 -O- {script}; fi) | sh",
        token.expose()
    ))
}

/// The token of a server that is good now, if there is one, and the database's clock.
///
/// # Errors
/// [`AppError::NotFound`].
pub async fn get(app: &App, actor: &Actor, id: ServerId) -> AppResult<(Option<OpenToken>, DateTime<Utc>)> {
    super::servers::get(app, actor, id).await?;
    Ok((install_tokens::open(&app.db, id).await?, proxima_db::now(&app.db).await?))
}

/// Makes the token of a server good for nothing; a box that has used it already goes on.
///
/// # Errors
/// [`AppError::NotFound`].
pub async fn withdraw(app: &App, actor: &Actor, id: ServerId) -> AppResult<()> {
    let mut tx = app.begin().await?;
    let found = lock(&mut tx, actor, id).await?;
    if install_tokens::withdraw(&mut tx, id).await? {
        let metadata = json!({ "ownerUsername": found.owner_username });
        let target = Some(server_target(id, &found.server_name));
        audit::succeeded(&mut tx, actor, "server.install_token.withdraw", target, metadata).await?;
    }
    commit(tx).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    #[test]
    fn the_token_is_in_no_url_and_an_odd_address_stays_one_word() {
        let token = InstallToken::from_random_bytes([7; 32]);
        let url = DashboardUrl::parse("https://panel.example.com/it's;here/").expect("a url");
        let line = command(&url, &token);
        assert!(line.starts_with("(echo PROXIMA_INSTALL_TOKEN=pt_"), "{}", line.as_str());
        assert_eq!(
            line.matches("curl -fsSL --max-redirs 0 'https://panel.example.com/it%27s;here/install.sh';").count(),
            1
        );
        assert_eq!(line.matches("pt_").count(), 1);
        assert_eq!(line.lines().count(), 1);
    }

    /// It may lead to plain HTTP, and what comes from there would be run as root.
    #[tokio::test]
    async fn what_a_redirect_leads_to_is_not_run() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 1024];
                let read = stream.read(&mut request).await.unwrap_or_default();
                let head = match request[..read].starts_with(b"GET /install.sh ") {
                    true => format!("302 Found\r\nLocation: http://{address}/elsewhere"),
                    false => "200 OK".to_owned(),
                };
                let answer = format!("HTTP/1.1 {head}\r\nContent-Length: 12\r\nConnection: close\r\n\r\necho it ran\n");
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        let url = DashboardUrl::parse(&format!("http://{address}")).expect("a url");
        let line = command(&url, &InstallToken::from_random_bytes([7; 32]));
        let ended = tokio::process::Command::new("sh").args(["-c", line.as_str()]).output().await.expect("sh runs");
        let (said, why) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        assert_eq!(said, "");
        assert!(why.contains("redirect"), "{why}");
    }
}
