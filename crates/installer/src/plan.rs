//! A job as data: which steps, what each will do and how it is undone, in words for the customer.

use crate::facts::Facts;
use proxima_types::setup::{BoxStep, place};
use serde::{Deserialize, Serialize};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum JobKind {
    Install,
    Update,
    Restart,
    Uninstall,
}

/// The steps of all jobs. Their JSON names are stored with jobs: they never change meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StepId {
    Connect,
    HostKey,
    Login,
    Privileges,
    Facts,
    Upload,
    Reach,
    Binary,
    User,
    Config,
    Unit,
    Start,
    Heartbeat,
    Access,
    Swap,
    Restart,
    Remove,
}

impl StepId {
    /// The step of `proxima-gateway setup` that this one applies and reverts.
    #[must_use]
    pub fn box_step(self) -> Option<BoxStep> {
        match self {
            Self::Binary => Some(BoxStep::Binary),
            Self::User => Some(BoxStep::User),
            Self::Config => Some(BoxStep::Config),
            Self::Unit => Some(BoxStep::Unit),
            Self::Start => Some(BoxStep::Start),
            _ => None,
        }
    }

    /// Whether it changes nothing on the box: done again without a thought.
    #[must_use]
    pub fn is_read_only(self) -> bool {
        matches!(
            self,
            Self::Connect
                | Self::HostKey
                | Self::Login
                | Self::Privileges
                | Self::Facts
                | Self::Reach
                | Self::Heartbeat
        )
    }
}

/// One step, as the customer sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    pub id: StepId,
    /// A few words: `Check the server's identity`.
    pub title: String,
    /// One sentence: what it will do.
    pub will: String,
    /// One sentence: how it is undone when a later step fails; none when it changes nothing.
    pub undo: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub kind: JobKind,
    pub steps: Vec<PlannedStep>,
}

/// The steps of each kind, in their order.
#[must_use]
pub fn steps_of(kind: JobKind) -> &'static [StepId] {
    use StepId as S;
    match kind {
        JobKind::Install => &[
            S::Connect,
            S::HostKey,
            S::Login,
            S::Privileges,
            S::Facts,
            S::Upload,
            S::Reach,
            S::Binary,
            S::User,
            S::Config,
            S::Unit,
            S::Start,
            S::Heartbeat,
            S::Access,
        ],
        JobKind::Update => {
            &[S::Connect, S::HostKey, S::Login, S::Privileges, S::Facts, S::Upload, S::Swap, S::Heartbeat]
        }
        JobKind::Restart => &[S::Connect, S::HostKey, S::Login, S::Privileges, S::Restart, S::Heartbeat],
        JobKind::Uninstall => &[S::Connect, S::HostKey, S::Login, S::Privileges, S::Remove],
    }
}

/// Describes a job. With the `facts` of an earlier job it speaks of this very server.
#[must_use]
pub fn plan(kind: JobKind, facts: Option<&Facts>) -> Plan {
    Plan { kind, steps: steps_of(kind).iter().map(|id| describe(*id, kind, facts)).collect() }
}

/// What the first step does there; over SSH the ports are looked at later.
const FACTS_OF_COMMAND: &str = "Read its distribution, architecture, systemd, free disk space, clock and who listens on the gateway's ports. Nothing is changed.";

/// Describes an install that the box does itself, by an install command: the program is there, and nobody logs in.
#[must_use]
pub fn plan_of_command() -> Plan {
    let mut steps: Vec<_> = steps_of(JobKind::Install)
        .iter()
        .filter(|id| **id == StepId::Facts || **id == StepId::Heartbeat || id.box_step().is_some())
        .map(|id| describe(*id, JobKind::Install, None))
        .collect();
    for step in &mut steps {
        match step.id {
            StepId::Facts => FACTS_OF_COMMAND.clone_into(&mut step.will),
            StepId::Binary => step.will = step.will.replace("uploaded", "downloaded"),
            _ => {}
        }
    }
    Plan { kind: JobKind::Install, steps }
}

fn describe(id: StepId, kind: JobKind, facts: Option<&Facts>) -> PlannedStep {
    let (title, will, undo) = match id {
        StepId::Connect | StepId::HostKey | StepId::Login | StepId::Privileges => reaching(id),
        StepId::Facts | StepId::Upload | StepId::Reach => preparing(id, facts),
        StepId::Heartbeat => (
            "Wait for the first heartbeat",
            "Wait until the gateway has reported to the dashboard and has been licensed.".to_owned(),
            None,
        ),
        StepId::Swap | StepId::Restart | StepId::Remove => caring(id),
        _ => installing(id),
    };
    let title = if id == StepId::Heartbeat && kind != JobKind::Install { "Wait for a heartbeat" } else { title };
    PlannedStep { id, title: title.to_owned(), will, undo: undo.map(str::to_owned) }
}

type Words = (&'static str, String, Option<&'static str>);

fn reaching(id: StepId) -> Words {
    match id {
        StepId::Connect => ("Connect", "Open a connection to the server's SSH port.".to_owned(), None),
        StepId::HostKey => (
            "Check the server's identity",
            "Compare the server's host key with the one that you confirmed; nothing secret is sent before.".to_owned(),
            None,
        ),
        StepId::Login => ("Log in", "Log in with the credentials that you stored.".to_owned(), None),
        _ => ("Check privileges", "Find out whether the user is root or may become it with sudo.".to_owned(), None),
    }
}

fn preparing(id: StepId, facts: Option<&Facts>) -> Words {
    match id {
        StepId::Facts => (
            "Look at the server",
            "Read its distribution, architecture, systemd, free disk space and clock. Nothing is changed.".to_owned(),
            None,
        ),
        StepId::Upload => {
            let machine = facts.map_or(String::new(), |facts| format!(" for {}", facts.architecture));
            (
                "Upload the gateway",
                format!("Send the gateway program{machine} to {} and compare its SHA-256. It is not put in use yet.", place::LIB),
                Some("Delete the uploaded file."),
            )
        }
        _ => (
            "Check ports and the way to the dashboard",
            "See whether another program holds a port that the gateway needs, and whether the server reaches the dashboard over HTTPS.".to_owned(),
            None,
        ),
    }
}

fn installing(id: StepId) -> Words {
    match id {
        StepId::Binary => (
            "Put the gateway in place",
            format!("Make the uploaded program {} and keep the one before.", place::BINARY),
            Some("Put the program before back, or delete this one."),
        ),
        StepId::User => (
            "Create its user",
            format!(
                "Create the system user {} without password and shell, so that the gateway does not run as root.",
                place::USER
            ),
            Some("Delete the user if this job created it."),
        ),
        StepId::Config => (
            "Write its identity",
            format!("Write {} with the server's keys, readable by the gateway's user alone.", place::CONFIG),
            Some("Put the file before back, or delete this one."),
        ),
        StepId::Unit => (
            "Create its service",
            format!(
                "Write {}, locked down: the gateway may open ports and write its own folder, nothing else.",
                place::UNIT_FILE
            ),
            Some("Put the file before back, or delete this one."),
        ),
        StepId::Start => (
            "Start",
            "Start the gateway now and at every boot.".to_owned(),
            Some("Stop it; if a gateway ran before, start that one again."),
        ),
        _ => (
            "Replace the password by a key",
            "Give this server a key of its own, log in with it once, and only then erase the stored password."
                .to_owned(),
            Some("Remove the key from the server; the stored credentials stay."),
        ),
    }
}

fn caring(id: StepId) -> Words {
    match id {
        StepId::Swap => (
            "Put the new version in use",
            "Exchange the program and restart. If the new one gets no answer from the dashboard, the server puts the old one back by itself.".to_owned(),
            Some("The server puts the old version back by itself."),
        ),
        StepId::Restart => (
            "Restart",
            "Restart the gateway. Visitors' running requests are finished first; new ones are refused for a moment.".to_owned(),
            None,
        ),
        _ => (
            "Remove the gateway",
            "Stop the gateway and delete its program, service, user, configuration and this dashboard's key. Visitors are refused from then on.".to_owned(),
            None,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [JobKind; 4] = [JobKind::Install, JobKind::Update, JobKind::Restart, JobKind::Uninstall];

    #[test]
    fn every_step_says_what_it_will_do_and_how_it_is_undone() {
        for kind in KINDS {
            for step in plan(kind, None).steps {
                assert!(!step.title.is_empty() && step.will.ends_with('.'), "{step:?}");
                if step.id.is_read_only() {
                    assert_eq!(step.undo, None, "{step:?}");
                }
                if step.id.box_step().is_some() {
                    assert!(step.undo.is_some(), "{step:?}");
                }
            }
        }
    }

    #[test]
    fn titles_differ_within_a_plan() {
        for kind in KINDS {
            let mut titles: Vec<_> = plan(kind, None).steps.into_iter().map(|step| step.title).collect();
            let count = titles.len();
            titles.sort();
            titles.dedup();
            assert_eq!(titles.len(), count, "{kind:?}");
        }
    }

    #[test]
    fn a_command_has_the_steps_that_a_box_can_do_itself() {
        let names: Vec<_> = plan_of_command().steps.iter().map(|step| serde_json::to_value(step.id).unwrap()).collect();
        let boxes = proxima_types::enroll::EnrollStep::ALL.map(|step| serde_json::to_value(step).unwrap());
        assert_eq!(names, boxes);
        assert!(plan_of_command().steps[0].will.contains("ports"));
        assert!(plan_of_command().steps[1].will.contains("downloaded"));
    }

    #[test]
    fn box_steps_come_in_the_order_of_the_box() {
        let steps: Vec<_> = steps_of(JobKind::Install).iter().filter_map(|id| id.box_step()).collect();
        assert_eq!(steps, BoxStep::ALL);
    }

    #[test]
    fn stored_names_stay() {
        let names = serde_json::to_string(steps_of(JobKind::Install)).unwrap();
        assert_eq!(
            names,
            r#"["CONNECT","HOST_KEY","LOGIN","PRIVILEGES","FACTS","UPLOAD","REACH","BINARY","USER","CONFIG","UNIT","START","HEARTBEAT","ACCESS"]"#
        );
        assert_eq!(serde_json::to_string(&KINDS).unwrap(), r#"["INSTALL","UPDATE","RESTART","UNINSTALL"]"#);
    }
}
