//! What a box says to the dashboard when it installs itself: a person ran the install command on it. The dashboard
//! is asked over TLS, or on loopback (see [`crate::identity::DashboardUrl`]).
//!
//! 1. [`ClaimRequest`] with the install token as bearer: the token is used up, and becomes a job.
//! 2. [`ReportRequest`]s with the report token as bearer, one after the other, until one carries the end.

use crate::secrets::ReportToken;
use crate::setup::{BoxStatus, ConfigText, Facts, Receipt};
use crate::{JobId, StepState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The one [`ClaimRequest::protocol`] there is.
pub const ENROLL_PROTOCOL: u32 = 1;
/// The path of a claim, below the dashboard's URL.
pub const CLAIM_PATH: &str = "/api/v1/install/claim";
/// No claim or report is longer, in bytes.
pub const MAX_ENROLL_REQUEST_BYTES: usize = 256 * 1024;
/// No answer is longer, in bytes.
pub const MAX_ENROLL_ANSWER_BYTES: usize = 256 * 1024;
/// Listeners that a claim names, at most.
pub const LISTENERS_MAX: usize = 500;
/// News of one report, at most.
pub const NEWS_MAX: usize = 200;
/// The longest line of a log, in characters.
pub const LINE_CHARS_MAX: usize = 1000;

/// The path of a job's reports, below the dashboard's URL.
#[must_use]
pub fn report_path(job: JobId) -> String {
    format!("/api/v1/install/jobs/{job}/report")
}

/// The first thing that a box says. Repeated with the same report token it gets the same answer: one may be lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimRequest {
    /// [`ENROLL_PROTOCOL`].
    pub protocol: u32,
    /// Made by the box: by this it will report.
    #[schema(value_type = String)]
    pub report_token: ReportToken,
    /// With the listeners of every port, at most [`LISTENERS_MAX`].
    pub facts: Facts,
}

/// What the box needs to install itself. Secrets in clear.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimAnswer {
    pub job: JobId,
    /// For the person at the terminal.
    pub server_name: String,
    /// The whole `config.json`.
    #[schema(value_type = String)]
    pub config: ConfigText,
    /// SHA-256 of the program for this box, lower-case hex; empty when there is none: then there is an obstacle.
    pub sha256: String,
    /// Its version.
    pub version: String,
    /// What stands in the way of the install: the box reports it and ends.
    #[serde(default)]
    pub obstacle: Option<EnrollProblem>,
    #[serde(default)]
    pub warnings: Vec<EnrollProblem>,
    /// How long to wait until the gateway runs, in seconds.
    pub start_seconds: u32,
    /// How long to wait for the gateway's heartbeat, in seconds.
    pub heartbeat_seconds: u32,
}

/// The steps of an install that the box does itself; the words are those of every install's steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EnrollStep {
    Facts,
    Binary,
    User,
    Config,
    Unit,
    Start,
    Heartbeat,
}

impl EnrollStep {
    /// In their order.
    pub const ALL: [Self; 7] =
        [Self::Facts, Self::Binary, Self::User, Self::Config, Self::Unit, Self::Start, Self::Heartbeat];
}

/// What is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnrollProblem {
    /// A stable word for programs, `PORT_TAKEN`.
    pub code: String,
    pub sentence: String,
    pub remedy: String,
}

/// How far the box is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportRequest {
    /// 1, 2, 3, …: a report that was taken already is only answered.
    pub sequence: u64,
    /// At most [`NEWS_MAX`].
    pub news: Vec<News>,
    /// With the last report.
    #[serde(default)]
    pub end: Option<ReportEnd>,
}

/// Something that happened on the box.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum News {
    /// A step's state changed.
    Step {
        step: EnrollStep,
        state: StepState,
        /// With `FAILED` and `REMAINS`.
        #[serde(default)]
        problem: Option<EnrollProblem>,
        #[serde(default)]
        warnings: Vec<EnrollProblem>,
    },
    /// A step says something.
    Line { step: EnrollStep, line: String },
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum ReportEnd {
    Succeeded {
        facts: Box<Facts>,
        receipt: Box<Receipt>,
        #[serde(default)]
        status: Option<Box<BoxStatus>>,
    },
    /// What was done is undone; `remains` says in sentences what is not.
    Failed { step: EnrollStep, problem: EnrollProblem, remains: Vec<String> },
    /// As `Failed`, by a person's wish: in the dashboard, or at the terminal.
    Cancelled { step: EnrollStep, remains: Vec<String> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportAnswer {
    /// A person wants the job's end: the box undoes what it did.
    pub cancelled: bool,
    /// The dashboard has the gateway's heartbeat: from now on the install stands, and the box commits.
    pub proven: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reports_are_read_strictly_and_a_claim_prints_no_secret() {
        let report = json!({ "sequence": 1, "news": [{ "kind": "LINE", "step": "START", "line": "x" }],
            "end": { "state": "CANCELLED", "step": "START", "remains": [] } });
        let read: ReportRequest = serde_json::from_value(report.clone()).expect("valid");
        assert_eq!(read.news, [News::Line { step: EnrollStep::Start, line: "x".to_owned() }]);
        for path in ["", "/news/0", "/end"] {
            let mut bad = report.clone();
            bad.pointer_mut(path).expect("there")["x"] = json!(1);
            assert!(serde_json::from_value::<ReportRequest>(bad).is_err(), "{path}");
        }
        let answer = json!({ "job": uuid::Uuid::nil(), "serverName": "s", "config": "hunter2", "sha256": "", "version": "",
            "startSeconds": 1, "heartbeatSeconds": 1, "ofANewerDashboard": 1 });
        let answer: ClaimAnswer = serde_json::from_value(answer).expect("answers may grow");
        assert!(!format!("{answer:?}").contains("hunter2"));
    }
}
