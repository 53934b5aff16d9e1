//! What a person at the terminal reads.

use proxima_types::enroll::{EnrollProblem, EnrollStep};
use proxima_types::identity::DashboardUrl;
use proxima_types::setup::SetupProblem;
use std::cell::RefCell;
use std::io::Write;

/// Says things as they happen. Whoever read it may be gone: that stops nothing.
pub(super) struct Terminal<'a>(RefCell<&'a mut dyn Write>);

impl<'a> Terminal<'a> {
    pub(super) fn new(out: &'a mut dyn Write) -> Self {
        Self(RefCell::new(out))
    }

    pub(super) fn say(&self, text: &str) {
        let mut out = self.0.borrow_mut();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }

    pub(super) fn begins(&self, server_name: &str, dashboard: &DashboardUrl) {
        let name: String = server_name.chars().filter(|c| !c.is_control()).collect();
        self.say(&format!(
            "Installing the gateway of “{name}”. You can watch it at {dashboard} too; Ctrl-C undoes it."
        ));
    }

    pub(super) fn step(&self, step: EnrollStep) {
        self.say(&format!("{} …", title(step)));
    }

    /// Something that the present step says.
    pub(super) fn line(&self, line: &str) {
        self.say(&format!("    {line}"));
    }

    pub(super) fn problem(&self, problem: &EnrollProblem) {
        self.say(&format!("\nNot installed: {}\n  {}", problem.sentence, problem.remedy));
    }

    pub(super) fn warning(&self, warning: &EnrollProblem) {
        self.line(&format!("Warning: {} {}", warning.sentence, warning.remedy));
    }

    /// Nothing had begun.
    pub(super) fn refused(&self, problem: &SetupProblem) {
        self.say(&format!("\nNot installed: {}\n  {}\nNothing was changed.", problem.sentence, problem.remedy));
    }
}

/// As the dashboard calls it.
pub(super) fn title(step: EnrollStep) -> &'static str {
    match step {
        EnrollStep::Facts => "Look at the server",
        EnrollStep::Binary => "Put the gateway in place",
        EnrollStep::User => "Create its user",
        EnrollStep::Config => "Write its identity",
        EnrollStep::Unit => "Create its service",
        EnrollStep::Start => "Start",
        EnrollStep::Heartbeat => "Wait for the first heartbeat",
    }
}
