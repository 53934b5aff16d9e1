//! A kernel's buffer between two sockets: what passes through it never comes to this process (`splice(2)`).

use crate::metrics::Metrics;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

/// Its size, in bytes. A user may have 64 MB of them (`pipe-user-pages-soft`); what comes after that is smaller by itself.
const SIZE: usize = 256 * 1024;
/// Pipes that a worker keeps for the next body.
const KEPT: usize = 16;

#[derive(Debug)]
pub(crate) struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
    held: usize,
}

impl Pipe {
    fn new() -> io::Result<Self> {
        let (out, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let _ = fcntl_setpipe_size(&into, SIZE);
        Ok(Self { out, into, held: 0 })
    }

    /// What was taken from one socket and not given to the other.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Takes at most `count` bytes from a socket; 0 are its end. To be called when nothing is held: then it would block only
    /// for want of bytes.
    pub(super) fn fill(&mut self, from: impl AsFd, count: usize) -> io::Result<usize> {
        let taken = splice(from, None, &self.into, None, count.min(SIZE), SpliceFlags::NONBLOCK | SpliceFlags::MOVE)?;
        self.held += taken;
        Ok(taken)
    }

    /// Gives to a socket what is held, as much as it takes.
    pub(super) fn empty(&mut self, to: impl AsFd) -> io::Result<usize> {
        let given = splice(&self.out, None, to, None, self.held, SpliceFlags::NONBLOCK | SpliceFlags::MOVE)?;
        self.held -= given;
        Ok(given)
    }
}

/// A worker's pipes that nobody uses.
#[derive(Debug)]
pub(crate) struct Pipes {
    kept: RefCell<Vec<Pipe>>,
    metrics: Arc<Metrics>,
}

impl Pipes {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { kept: RefCell::default(), metrics }
    }

    /// So many bytes went through one.
    pub fn count(&self, bytes: usize) {
        self.metrics.bytes_spliced.add(bytes as u64);
    }

    /// # Errors
    /// When there are too many open files.
    pub fn get(&self) -> io::Result<Pipe> {
        self.kept.borrow_mut().pop().map_or_else(Pipe::new, Ok)
    }

    /// One that holds something is somebody's body cut short: it is closed.
    pub fn put(&self, pipe: Pipe) {
        let mut kept = self.kept.borrow_mut();
        if pipe.held == 0 && kept.len() < KEPT {
            kept.push(pipe);
        }
    }
}
