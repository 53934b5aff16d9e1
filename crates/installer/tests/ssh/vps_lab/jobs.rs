//! Whole jobs against a real sshd, with a stand-in for the gateway's binary.

use super::sshd::{PASSWORD, Sshd};
use crate::support::{loopback, secret};
use async_trait::async_trait;
use chrono::DateTime;
use proxima_installer::plan::steps_of;
use proxima_installer::run::{AccessWish, Limits};
use proxima_installer::{
    AccessTraded, BinaryStore, Credential, Earlier, Fenced, Job, JobInputs, JobKind, Journal, Login, Outcome,
    ProblemReport, StepEnd, StepId, StepState, Tools, forget_access, plan, run,
};
use proxima_types::identity::DashboardUrl;
use proxima_types::setup::{
    ConfigText, SetupData, SetupProblem, SetupProblemCode, SetupReply, StepOutcome, UpdateReport, UpdateState,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const JOB: Uuid = Uuid::from_u128(7);
const API_KEY: &str = "pk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

type Reaction<'a> = Box<dyn FnMut(&str) -> Result<(), Fenced> + Send + 'a>;

/// Keeps what is recorded, as a database would; `react` sees every record before it is kept.
struct Record<'a> {
    events: Vec<String>,
    states: BTreeMap<StepId, StepState>,
    ends: Vec<(StepId, StepEnd)>,
    failure: Option<(StepId, ProblemReport)>,
    traded: Option<AccessTraded>,
    heartbeat: bool,
    react: Reaction<'a>,
}

impl<'a> Record<'a> {
    fn new(react: impl FnMut(&str) -> Result<(), Fenced> + Send + 'a) -> Self {
        Self {
            events: vec![],
            states: BTreeMap::new(),
            ends: vec![],
            failure: None,
            traded: None,
            heartbeat: true,
            react: Box::new(react),
        }
    }

    fn keep(&mut self, event: String) -> Result<(), Fenced> {
        (self.react)(&event)?;
        self.events.push(event);
        Ok(())
    }

    fn earlier(&self) -> Earlier {
        Earlier { states: self.states.iter().map(|(id, state)| (*id, *state)).collect(), failure: self.failure.clone() }
    }

    fn text(&self) -> String {
        self.events.join("\n")
    }
}

fn quiet<'a>() -> Record<'a> {
    Record::new(|_| Ok(()))
}

#[async_trait]
impl Journal for Record<'_> {
    async fn step_started(&mut self, step: StepId) -> Result<(), Fenced> {
        self.keep(format!("start {step:?}"))?;
        self.states.insert(step, StepState::Running);
        Ok(())
    }
    async fn line(&mut self, step: StepId, line: &str) -> Result<(), Fenced> {
        self.keep(format!("line {step:?} {line}"))
    }
    async fn progress(&mut self, step: StepId, done: u64, total: u64) -> Result<(), Fenced> {
        self.keep(format!("progress {step:?} {done}/{total}"))
    }
    async fn step_ended(&mut self, step: StepId, end: &StepEnd) -> Result<(), Fenced> {
        self.keep(format!("end {step:?} {:?}", end.state))?;
        self.states.insert(step, end.state);
        self.ends.push((step, end.clone()));
        Ok(())
    }
    async fn undoing(&mut self, step: StepId, problem: &ProblemReport) -> Result<(), Fenced> {
        self.keep(format!("undoing {step:?} {}", problem.code))?;
        self.failure = Some((step, problem.clone()));
        Ok(())
    }
    async fn heartbeat(&mut self) -> Result<(), Fenced> {
        if !self.heartbeat {
            std::future::pending::<()>().await;
        }
        self.keep("heartbeat".to_owned())
    }
    async fn access_traded(&mut self, traded: &AccessTraded) -> Result<(), Fenced> {
        self.keep("traded".to_owned())?;
        self.traded = Some(traded.clone());
        Ok(())
    }
}

struct Box_ {
    sshd: Sshd,
    releases: tempfile::TempDir,
}

impl Box_ {
    fn start() -> Self {
        let releases = tempfile::tempdir().unwrap();
        let folder = releases.path().join(std::env::consts::ARCH);
        std::fs::create_dir(&folder).unwrap();
        // Padded, so that an upload takes more than one packet.
        let program = format!("{}exit\n{}", include_str!("gateway.sh"), "#".repeat(3_000_000));
        std::fs::write(folder.join("proxima-gateway"), program).unwrap();
        let sshd = Sshd::start("");
        std::fs::create_dir(sshd.path("/usr/local/lib/fake")).unwrap();
        Self { sshd, releases }
    }

    fn job(&self, kind: JobKind, user: &str) -> Job {
        let config = format!("{{\"apiKey\":\"{API_KEY}\"}}");
        Job {
            id: JOB,
            kind,
            target: self.sshd.target(user),
            pinned: self.sshd.host_key("ed25519"),
            login: Login { credential: Credential::Password(secret(PASSWORD)), sudo_password: None },
            inputs: JobInputs {
                dashboard_url: DashboardUrl::parse("https://panel.example.com").unwrap(),
                config: Some(ConfigText::new(config)),
                replace_other_server: false,
                ports: vec![80],
                access: Some(AccessWish {
                    server_id: Uuid::from_u128(9),
                    allow_from: vec!["127.0.0.0/8".parse().unwrap()],
                }),
            },
            earlier: None,
            cancel: CancellationToken::new(),
        }
    }

    fn tools(&self, releases: &Path) -> Tools {
        Tools {
            outbound: loopback(),
            binaries: BinaryStore::new(releases.to_owned(), "1.2.3".to_owned()),
            clock: Arc::new(|| DateTime::from_timestamp(1_700_000_000, 0).unwrap()),
            random: Arc::new(|bytes| bytes.fill(5)),
            limits: Limits { heartbeat: Duration::from_millis(300), back: Duration::from_secs(2), ..Limits::default() },
        }
    }

    async fn run(&self, job: Job, record: &mut Record<'_>) -> Outcome {
        let plan = plan(job.kind, None);
        run(&plan, job, &self.tools(self.releases.path()), record).await
    }

    async fn install(&self, record: &mut Record<'_>) -> Outcome {
        self.run(self.job(JobKind::Install, "root"), record).await
    }

    /// The next answers of the box's setup program to that request.
    fn answer(&self, request: &str, reply: &SetupReply) {
        let path = format!("/usr/local/lib/fake/reply-{request}");
        std::fs::write(self.sshd.path(&path), serde_json::to_string(reply).unwrap()).unwrap();
    }

    fn asked(&self) -> Vec<String> {
        let asked = self.sshd.read("/usr/local/lib/fake/asked").unwrap_or_default();
        asked.lines().map(str::to_owned).collect()
    }

    fn has_nothing_of_ours(&self) -> bool {
        !self.sshd.path("/usr/local/lib/proxima-gateway").exists()
    }
}

fn failed(code: SetupProblemCode) -> SetupReply {
    let problem = SetupProblem { code, sentence: "It \u{1b}[31mbroke.".into(), remedy: "Mend it.".into() };
    SetupReply { protocol: 1, outcome: StepOutcome::Failed, problem: Some(problem), data: None }
}

fn succeeded(outcome: Outcome) -> proxima_installer::Succeeded {
    match outcome {
        Outcome::Succeeded(succeeded) => *succeeded,
        other => panic!("{other:?}"),
    }
}

fn failure(outcome: Outcome) -> (StepId, String, Vec<String>) {
    match outcome {
        Outcome::Failed { step, problem, remains } => (step, problem.code, remains),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_install_does_every_step_in_order_and_tells_no_secret() {
    let host = Box_::start();
    let mut record = quiet();
    let done = succeeded(host.install(&mut record).await);
    let started: Vec<_> = record.ends.iter().map(|(id, _)| *id).collect();
    assert_eq!(started, steps_of(JobKind::Install), "{}", record.text());
    assert!(record.ends.iter().all(|(_, end)| end.state == StepState::Done), "{}", record.text());
    let asked = [
        "FACTS",
        "REACH",
        "APPLY-BINARY",
        "APPLY-USER",
        "APPLY-CONFIG",
        "APPLY-UNIT",
        "APPLY-START",
        "COMMIT",
        "STATUS",
    ];
    assert_eq!(host.asked(), asked);
    assert!(record.text().contains("line Binary doing APPLY-BINARY"), "{}", record.text());
    assert!(record.events.iter().any(|event| event.starts_with("progress Upload 3")), "{}", record.text());
    assert!(!record.text().contains(API_KEY) && !record.text().contains(PASSWORD), "{}", record.text());
    // The test's clock stands in 2023: a warning that stops nothing.
    assert!(done.warnings.iter().any(|warning| warning.code == "CLOCK_OFF"), "{:?}", done.warnings);
    assert!(host.sshd.read("/usr/local/lib/fake/requests").unwrap().contains(API_KEY));
}

#[tokio::test]
async fn users_with_sudo_are_traded_too_and_forgotten_when_asked() {
    let host = Box_::start();
    let sudoers = "/etc/sudoers.d/proxima-gateway";
    for user in ["free", "joe"] {
        let mut record = quiet();
        succeeded(host.run(host.job(JobKind::Install, user), &mut record).await);
        assert_eq!(record.states[&StepId::Access], StepState::Done, "{user}: {}", record.text());
        assert!(!host.sshd.log().contains(PASSWORD) && !record.text().contains(PASSWORD));
        // Only whose sudo asks for a password needs an entry of its own.
        assert_eq!(host.sshd.read(sudoers).is_some(), user == "joe");
        let credential = Credential::PrivateKey { pem: record.traded.unwrap().private_key, passphrase: None };
        let by_key = Login { credential, sudo_password: None };
        let job = |kind| Job { login: by_key.clone(), ..host.job(kind, user) };
        for kind in [JobKind::Restart, JobKind::Update, JobKind::Install, JobKind::Uninstall] {
            let mut record = quiet();
            record.react = Box::new(|_| Ok(()));
            let outcome = host.run(job(kind), &mut record).await;
            if kind == JobKind::Install {
                // The key before is replaced by the same: the test's randomness does not vary.
                assert_eq!(record.states[&StepId::Access], StepState::Done);
            }
            succeeded(outcome);
        }
        assert!(host.has_nothing_of_ours());
        assert_eq!(host.sshd.read(sudoers), None);
        assert!(!host.sshd.path(&format!("/home/{user}/.ssh/authorized_keys")).exists());
    }
}

#[tokio::test]
async fn access_can_be_forgotten_alone() {
    let host = Box_::start();
    let mut record = quiet();
    succeeded(host.run(host.job(JobKind::Install, "joe"), &mut record).await);
    let credential = Credential::PrivateKey { pem: record.traded.unwrap().private_key, passphrase: None };
    let job = Job { login: Login { credential, sudo_password: None }, ..host.job(JobKind::Restart, "joe") };
    let tools = host.tools(host.releases.path());
    forget_access(&job.target, &job.pinned, &job.login, Uuid::from_u128(9), &tools).await.unwrap();
    assert_eq!(host.sshd.read("/etc/sudoers.d/proxima-gateway"), None);
    let again = forget_access(&job.target, &job.pinned, &job.login, Uuid::from_u128(9), &tools).await.unwrap_err();
    assert_eq!(again.report().code, "KEY_REFUSED");
}

#[tokio::test]
async fn the_boxs_words_are_cleaned_and_redacted_wherever_they_go() {
    let host = Box_::start();
    let mut reply = failed(SetupProblemCode::ConfigInvalid);
    reply.problem.as_mut().unwrap().sentence = format!("\u{1b}[31mbad {API_KEY}");
    host.answer("APPLY-CONFIG", &reply);
    let outcome = host.install(&mut quiet()).await;
    assert!(matches!(&outcome, Outcome::Failed { problem, .. } if problem.sentence == "bad [hidden]"), "{outcome:?}");
}

#[tokio::test]
async fn the_new_key_logs_in_under_its_restrictions_and_old_ones_go() {
    let host = Box_::start();
    std::fs::create_dir(host.sshd.path("/root/.ssh")).unwrap();
    let others = "# mine\n\nssh-ed25519 AAAAother somebody";
    let ours = "restrict ssh-ed25519 AAAAold proxima-gateway:00000000-0000-0000-0000-000000000009";
    std::fs::write(host.sshd.path("/root/.ssh/authorized_keys"), format!("{ours}\n{others}")).unwrap();
    let mut record = quiet();
    succeeded(host.install(&mut record).await);
    let traded = record.traded.unwrap();
    let keys = host.sshd.read("/root/.ssh/authorized_keys").unwrap();
    let line = format!(
        "restrict,from=\"127.0.0.0/8\" {} proxima-gateway:00000000-0000-0000-0000-000000000009",
        traded.public_key
    );
    assert_eq!(keys, format!("{others}\n{line}\n"));
    assert!(host.sshd.log().contains("Accepted publickey for root"), "{}", host.sshd.log());
    // Later jobs use it alone; an uninstall removes it and leaves the others.
    let mut job = host.job(JobKind::Uninstall, "root");
    job.login.credential = Credential::PrivateKey { pem: traded.private_key, passphrase: None };
    succeeded(host.run(job, &mut quiet()).await);
    assert_eq!(host.sshd.read("/root/.ssh/authorized_keys").unwrap(), format!("{others}\n"));
    assert!(host.has_nothing_of_ours());
}

#[tokio::test]
async fn a_key_that_cannot_log_in_is_taken_back_and_nothing_is_traded() {
    let host = Box_::start();
    let mut job = host.job(JobKind::Install, "root");
    job.inputs.access.as_mut().unwrap().allow_from = vec!["192.0.2.0/24".parse().unwrap()];
    let mut record = quiet();
    let done = succeeded(host.run(job, &mut record).await);
    assert!(record.traded.is_none());
    assert!(done.warnings.iter().any(|warning| warning.code == "ACCESS_NOT_TRADED"));
    assert!(!host.sshd.path("/root/.ssh/authorized_keys").exists());
}

#[tokio::test]
async fn a_failing_step_is_undone_in_the_opposite_order() {
    let host = Box_::start();
    host.answer("APPLY-UNIT", &failed(SetupProblemCode::ReadOnly));
    let mut record = quiet();
    let (step, code, remains) = failure(host.install(&mut record).await);
    assert_eq!((step, code.as_str(), remains), (StepId::Unit, "READ_ONLY", vec![]));
    let asked = host.asked();
    let reverts: Vec<_> = asked.iter().filter(|asked| asked.starts_with("REVERT")).collect();
    assert_eq!(reverts, ["REVERT-UNIT", "REVERT-CONFIG", "REVERT-USER", "REVERT-BINARY"]);
    assert!(host.has_nothing_of_ours());
    for id in [StepId::Upload, StepId::Binary, StepId::User, StepId::Config, StepId::Unit] {
        assert_eq!(record.states[&id], StepState::Undone, "{id:?}");
    }
    assert!(!record.text().contains('\u{1b}'));
}

#[tokio::test]
async fn an_install_without_heartbeat_is_undone_and_shows_the_gateways_words() {
    let host = Box_::start();
    let mut record = quiet();
    record.heartbeat = false;
    let (step, code, _) = failure(host.install(&mut record).await);
    assert_eq!((step, code.as_str()), (StepId::Heartbeat, "NO_HEARTBEAT"));
    assert!(host.has_nothing_of_ours());
    assert!(host.asked().contains(&"STATUS".to_owned()));
}

#[tokio::test]
async fn cancelling_undoes_what_was_done() {
    let host = Box_::start();
    let job = host.job(JobKind::Install, "root");
    let cancel = job.cancel.clone();
    let mut record = Record::new(|event| {
        if event == "start Config" {
            cancel.cancel();
        }
        Ok(())
    });
    let outcome = host.run(job, &mut record).await;
    assert!(
        matches!(outcome, Outcome::Cancelled { step: StepId::Config, ref remains } if remains.is_empty()),
        "{outcome:?}"
    );
    assert!(host.has_nothing_of_ours());
}

#[tokio::test]
async fn a_connection_dropped_in_the_upload_leaves_nothing() {
    let host = Box_::start();
    let mut dropped = false;
    let mut record = Record::new(|event| {
        if event.starts_with("progress Upload") && !dropped {
            dropped = true;
            host.sshd.drop_connections();
        }
        Ok(())
    });
    let (step, code, remains) = failure(host.install(&mut record).await);
    assert_eq!((step, code.as_str(), remains), (StepId::Upload, "CONNECTION_LOST", vec![]));
    assert_eq!(record.states[&StepId::Upload], StepState::Undone);
    assert!(host.has_nothing_of_ours());
    drop(record);
    succeeded(host.install(&mut quiet()).await);
}

#[tokio::test]
async fn a_box_that_stays_away_is_told_with_what_remains() {
    let mut host = Box_::start();
    let mut record = Record::new(|_| Ok(()));
    // The box answers no more once the user step is asked for: its sshd ends itself.
    let pid = host.sshd.pid();
    record.react = Box::new(move |event| {
        if event == "start Config" {
            Sshd::end(pid);
        }
        Ok(())
    });
    let (step, _, remains) = failure(host.install(&mut record).await);
    assert_eq!(step, StepId::Config);
    assert_eq!(remains.len(), 4, "{remains:?}");
    assert!(remains.iter().any(|line| line.contains("Create its user") && line.contains("by hand")), "{remains:?}");
    assert_eq!(record.states[&StepId::User], StepState::Remains);
    host.sshd.kill();
}

#[tokio::test]
async fn a_run_that_is_fenced_off_at_any_moment_is_taken_up_to_its_end() {
    let host = Box_::start();
    let mut all = quiet();
    succeeded(host.install(&mut all).await);
    let moments: Vec<_> =
        all.events.iter().filter(|event| event.starts_with("start") || event.starts_with("end")).collect();
    assert_eq!(moments.len(), 28);
    for moment in moments {
        let fence = Fenced("another run has the job".to_owned());
        let mut record = Record::new(|event| if event == moment { Err(fence.clone()) } else { Ok(()) });
        let outcome = host.install(&mut record).await;
        assert!(matches!(&outcome, Outcome::Stopped(stopped) if *stopped == fence), "{moment}: {outcome:?}");
        let earlier = record.earlier();
        let job = Job { earlier: Some(earlier), ..host.job(JobKind::Install, "root") };
        let mut record = quiet();
        succeeded(host.run(job, &mut record).await);
        assert_eq!(record.states[&StepId::Access], StepState::Done, "{moment}");
        let keys = host.sshd.read("/root/.ssh/authorized_keys").unwrap();
        assert_eq!(keys.lines().count(), 1, "{moment}: {keys}");
    }
}

#[tokio::test]
async fn an_undo_that_was_interrupted_is_taken_up() {
    let host = Box_::start();
    host.answer("APPLY-START", &failed(SetupProblemCode::StartFailed));
    for moment in ["undoing", "end Start Undone", "end Config Undone", "end Binary Undone", "end Upload Undone"] {
        let fence = Fenced(String::new());
        let mut record = Record::new(|event| if event.starts_with(moment) { Err(fence.clone()) } else { Ok(()) });
        assert!(matches!(host.install(&mut record).await, Outcome::Stopped(_)), "{moment}");
        let job = Job { earlier: Some(record.earlier()), ..host.job(JobKind::Install, "root") };
        let mut record = quiet();
        let (step, code, remains) = failure(host.run(job, &mut record).await);
        assert_eq!((step, code.as_str(), remains), (StepId::Start, "START_FAILED", vec![]), "{moment}");
        assert!(host.has_nothing_of_ours(), "{moment}");
    }
}

#[tokio::test]
async fn an_update_that_rolled_back_fails_with_the_boxs_words() {
    let host = Box_::start();
    let mut record = quiet();
    let report = UpdateReport {
        job: JOB,
        sha256: String::new(),
        version: "1.2.3".into(),
        state: UpdateState::RolledBack,
        problem: None,
    };
    let reply = SetupReply { data: Some(SetupData::Update(report)), ..failed(SetupProblemCode::RolledBack) };
    host.answer("UPDATE", &reply);
    let (step, code, _) = failure(host.run(host.job(JobKind::Update, "root"), &mut record).await);
    assert_eq!((step, code.as_str()), (StepId::Swap, "ROLLED_BACK"));
    std::fs::remove_file(host.sshd.path("/usr/local/lib/fake/reply-UPDATE")).unwrap();
    succeeded(host.run(host.job(JobKind::Update, "root"), &mut quiet()).await);
}

#[tokio::test]
async fn what_is_not_installed_cannot_be_restarted_but_removed() {
    let host = Box_::start();
    let (step, code, _) = failure(host.run(host.job(JobKind::Restart, "root"), &mut quiet()).await);
    assert_eq!((step, code.as_str()), (StepId::Restart, "NOT_INSTALLED"));
    succeeded(host.run(host.job(JobKind::Uninstall, "root"), &mut quiet()).await);
    assert_eq!(host.asked(), ["UNINSTALL"]);
    assert!(host.has_nothing_of_ours());
}

#[tokio::test]
async fn an_architecture_without_binary_is_refused_before_anything_is_changed() {
    let host = Box_::start();
    let empty = tempfile::tempdir().unwrap();
    let job = host.job(JobKind::Install, "root");
    let mut record = quiet();
    let outcome = run(&plan(job.kind, None), job, &host.tools(empty.path()), &mut record).await;
    let (step, code, _) = failure(outcome);
    assert_eq!((step, code.as_str()), (StepId::Facts, "NO_BINARY"));
    assert!(host.has_nothing_of_ours() && record.failure.is_none());
}
