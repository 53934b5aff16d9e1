//! Everything that the dashboard does over SSH: the outbound address policy, host keys, logging
//! in, and an install as a plan of described, revertible steps.
//!
//! The way through this crate, as the dashboard uses it:
//!
//! 1. [`Target::new`] checks what the customer typed; [`outbound::Outbound`] is the policy by
//!    which the dashboard may connect to it at all.
//! 2. [`probe_host_key`] reads the host's key for the person to confirm. No user name and no
//!    credential is sent.
//! 3. [`plan`] describes a job in words; [`run`] carries it out, telling a [`Journal`] (the
//!    dashboard's database) of everything. `run` is re-entrant: called again after the process
//!    was killed, it converges.
//!
//! No command line is ever made of data: commands are compile-time constants, data goes to their
//! standard input. Everything that the other side says is bounded, stripped of control
//! characters and of our secrets before it leaves this crate.

pub mod binaries;
pub mod command;
pub mod facts;
pub mod outbound;
pub mod plan;
pub mod problem;
pub mod run;
mod scripts;
pub mod ssh;
pub mod target;
pub mod text;

pub use binaries::{Binary, BinaryStore};
pub use facts::{Facts, Requirements, judge_facts};
pub use outbound::{AddressPolicy, Outbound, Resolver, SystemResolver};
pub use plan::{JobKind, Plan, PlannedStep, StepId, plan};
pub use problem::{Problem, ProblemReport};
pub use run::{
    AccessTraded, Earlier, Fenced, Job, JobInputs, Journal, Outcome, StepEnd, StepState, Succeeded, Tools,
    forget_access, run,
};
pub use ssh::{Credential, HostKey, Login, Privileges, Session, probe_host_key};
pub use target::Target;
