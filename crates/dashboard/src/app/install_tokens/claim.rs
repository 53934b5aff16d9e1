//! A token is used up: it becomes a job that the box runs.

use super::silence;
use crate::app::audit::server_target;
use crate::app::{Actor, App, AppError, AppResult, audit, commit};
use crate::entropy::EntropyExt as _;
use crate::jobs::runner::{config_text, open_api_secret, ports, secret_place, word};
use proxima_db::connections::{self, Found};
use proxima_db::install_tokens::{self, NewJob, Presented};
use proxima_db::jobs::running::{self, Hold};
use proxima_db::servers::Scope;
use proxima_db::settings::{self, SettingsRow};
use proxima_db::{PgConnection, Tx};
use proxima_installer::command::{Wanted, facts_of, judge};
use proxima_installer::plan::plan_of_command;
use proxima_installer::{Facts, ProblemReport};
use proxima_types::enroll::{ClaimAnswer, ClaimRequest, ENROLL_PROTOCOL, EnrollProblem, LISTENERS_MAX};
use proxima_types::setup::ConfigText;
use proxima_types::{ApiSecret, FieldError, InstallId, JobId, KeyDigest, ServerId};
use serde_json::json;
use std::net::IpAddr;

/// Uses a token up for an install by the box that sends it, in one transaction with the job that it becomes. Asked again
/// with the same report token before the first report, it answers the same.
///
/// # Errors
/// [`AppError::BadInstallToken`]; [`AppError::NotNow`] while another job of the server is not finished: then the token
/// stays good; [`AppError::Invalid`].
pub async fn claim(app: &App, token: &str, ip: Option<IpAddr>, request: ClaimRequest) -> AppResult<ClaimAnswer> {
    let digest = KeyDigest::of_presented(token);
    let presented = install_tokens::find(&app.db, digest).await?.ok_or(AppError::BadInstallToken)?;
    if request.protocol != ENROLL_PROTOCOL {
        let message = format!("This dashboard speaks protocol {ENROLL_PROTOCOL}.");
        return Err(FieldError::new("protocol", "invalid", message).into());
    }
    if request.facts.listeners.len() > LISTENERS_MAX {
        return Err(FieldError::new("facts", "too_many", format!("Name {LISTENERS_MAX} listeners at most.")).into());
    }
    let server = ServerId(presented.server_id);
    let judged = Judged::new(app, server, &request).await?;
    let settings = settings::get(&app.db).await?;
    let mut tx = app.begin().await?;
    // The server first, as everybody who queues a job does; then the token is looked at again.
    let found = connections::find(&mut tx, Scope::All, server, true).await?.ok_or(AppError::BadInstallToken)?;
    let presented = install_tokens::find(&mut *tx, digest).await?.ok_or(AppError::BadInstallToken)?;
    let report_digest = KeyDigest::of_presented(request.report_token.expose());
    match presented {
        Presented { job_id: Some(job), .. } => {
            let (install, secret) = of_earlier(app, &mut tx, JobId(job), report_digest).await?;
            let config = config_text(app, &mut tx, server, &settings, install, secret).await?;
            Ok(judged.answer(app, JobId(job), found, config))
        }
        Presented { good: true, made_by, .. } => {
            begin(app, tx, Begin { digest, report_digest, server, found, made_by, ip }, &settings, judged).await
        }
        Presented { .. } => Err(AppError::BadInstallToken),
    }
}

/// Whether this token can come to anything: one look-up.
///
/// # Errors
/// [`AppError::BadInstallToken`].
pub async fn known(app: &App, token: &str) -> AppResult<()> {
    let presented = install_tokens::find(&app.db, KeyDigest::of_presented(token)).await?;
    presented.filter(|token| token.good || token.job_id.is_some()).map(|_| ()).ok_or(AppError::BadInstallToken)
}

struct Begin {
    digest: KeyDigest,
    report_digest: KeyDigest,
    server: ServerId,
    found: Found,
    made_by: String,
    ip: Option<IpAddr>,
}

async fn begin(
    app: &App,
    mut tx: Tx,
    Begin { digest, report_digest, server, found, made_by, ip }: Begin,
    settings: &SettingsRow,
    judged: Judged,
) -> AppResult<ClaimAnswer> {
    let job = JobId(app.entropy.uuid());
    let (install, secret) = (InstallId(app.entropy.uuid()), app.entropy.api_secret());
    let sealed =
        app.keyring.seal(secret_place(job.0), secret.expose(), app.entropy.as_ref()).map_err(AppError::Internal)?;
    let new =
        NewJob { id: job, server, requested_by: &made_by, report_digest, install, api_secret_ciphertext: &sealed };
    install_tokens::begin(&mut tx, digest, new, silence()).await?;
    let plan = plan_of_command();
    let value = serde_json::to_value(&plan).map_err(|error| AppError::Internal(error.into()))?;
    let names: Vec<String> = plan.steps.iter().map(|step| word(step.id)).collect();
    let titles: Vec<String> = plan.steps.iter().map(|step| step.title.clone()).collect();
    running::set_plan(&mut *tx, Hold { job, fence: install_tokens::FENCE }, &value, &names, &titles).await?;
    let config = config_text(app, &mut tx, server, settings, install, secret).await?;
    let metadata = json!({ "job": job, "madeBy": made_by, "ownerUsername": found.owner_username,
        "os": judged.facts.os_name, "architecture": judged.facts.architecture });
    // Nobody is signed in on the box: its address is what there is to tell.
    let actor = Actor { ip, ..Actor::system() };
    let target = Some(server_target(server, &found.server_name));
    audit::succeeded(&mut tx, &actor, "server.install_token.use", target, metadata).await?;
    commit(tx).await?;
    tracing::info!(%job, server = %server, "a server installs itself");
    Ok(judged.answer(app, job, found, config))
}

/// The installation that a claim whose answer was lost has begun.
async fn of_earlier(
    app: &App,
    connection: &mut PgConnection,
    job: JobId,
    report_digest: KeyDigest,
) -> AppResult<(InstallId, ApiSecret)> {
    let reported = install_tokens::lock_reported(connection, job, report_digest).await?;
    let reported = reported.filter(|reported| reported.live && reported.sequence == 0);
    let taken = reported.ok_or(AppError::BadInstallToken)?.taken;
    match (taken.install_id, &taken.api_secret_ciphertext) {
        (Some(install), Some(sealed)) => Ok((InstallId(install), open_api_secret(app, &taken, sealed)?)),
        _ => Err(AppError::BadInstallToken),
    }
}

/// What the dashboard has for this box, and thinks of it.
struct Judged {
    facts: Facts,
    sha256: String,
    obstacle: Option<ProblemReport>,
    warnings: Vec<ProblemReport>,
}

impl Judged {
    async fn new(app: &App, server: ServerId, request: &ClaimRequest) -> AppResult<Self> {
        let store = app.config.binaries();
        let facts = facts_of(&request.facts);
        let program = app.programs.get(&store, &facts.architecture).await;
        let wanted = Wanted {
            now: proxima_db::now(&app.db).await?,
            architectures: store.architectures().await,
            release_folder: store.folder().display().to_string(),
            bytes: program.as_ref().map_or(0, |program| program.bytes),
            ports: ports(app, server).await?,
        };
        let (obstacle, warnings) = judge(&request.facts, wanted);
        Ok(Self { facts, sha256: program.map_or_else(String::new, |program| program.sha256), obstacle, warnings })
    }

    fn answer(self, app: &App, job: JobId, found: Found, config: ConfigText) -> ClaimAnswer {
        let problem = |ProblemReport { code, sentence, remedy }| EnrollProblem { code, sentence, remedy };
        let seconds = |limit: std::time::Duration| u32::try_from(limit.as_secs()).unwrap_or(u32::MAX);
        let limits = app.config.job_limits;
        ClaimAnswer {
            job,
            server_name: found.server_name,
            config,
            sha256: self.sha256,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            obstacle: self.obstacle.map(problem),
            warnings: self.warnings.into_iter().map(problem).collect(),
            start_seconds: seconds(limits.start),
            heartbeat_seconds: seconds(limits.heartbeat),
        }
    }
}
