//! Connections as the proxy uses them: bytes in, bytes out, and a limit of time for whatever is waited for. One thread's own.

mod buffer;
mod patience;
mod pipe;
mod stream;

pub(crate) use buffer::{Buffer, Buffers};
pub(crate) use patience::{Late, Patience};
pub(crate) use pipe::{Pipe, Pipes};
pub(crate) use stream::Stream;
