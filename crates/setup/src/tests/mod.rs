//! The engine on a folder that stands for a box, ended before each change that it makes.

mod enroll;
mod fake_box;
mod kill;
mod status;
mod steps;
mod update;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

thread_local! {
    /// How many changes this thread may still make; `None`: all.
    static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
}

/// What ends a setup in place of a kill. Nothing in the engine runs on the way out of a panic.
struct Killed;

pub(crate) fn changing() {
    match LEFT.get() {
        Some(0) => resume_unwind(Box::new(Killed)),
        Some(left) => LEFT.set(Some(left - 1)),
        None => {}
    }
}

/// Runs `action`; kills it before its change number `at` (from 0). False when it made fewer.
fn kill_at(at: u32, action: impl FnOnce()) -> bool {
    LEFT.set(Some(at));
    let ended = catch_unwind(AssertUnwindSafe(action));
    LEFT.set(None);
    match ended {
        Ok(()) => false,
        Err(payload) if payload.is::<Killed>() => true,
        Err(other) => resume_unwind(other),
    }
}
