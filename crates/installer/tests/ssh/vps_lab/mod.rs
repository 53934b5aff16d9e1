//! Against a real sshd; these need root and are run with the lab (`./test lab`).

mod jobs;
mod openssh;
mod sshd;
