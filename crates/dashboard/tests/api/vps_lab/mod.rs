//! Against a real sshd; these need root and are run with the lab (`./test lab`).

mod connections;
mod fake_box;
mod jobs;
