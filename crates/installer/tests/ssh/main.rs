//! The installer against real and hostile SSH servers on loopback.

mod hostile;
mod jobs;
mod openssh;
mod sshd;
mod support;
