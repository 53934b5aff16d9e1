//! The SSH transport: host keys, logging in, running constant commands.

mod credential;
mod exec;
mod handler;
mod host_key;
mod login;
mod privileges;
mod session;

pub use credential::{Credential, Login};
pub use exec::{Exec, Listener, Output, Payload, Stop};
pub use host_key::{HostKey, probe_host_key};
pub use privileges::Privileges;
pub(crate) use privileges::Silent;
pub use session::{Connection, Session};

use std::time::Duration;

/// How long the SSH handshake may take, from the first byte to the host key.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(20);
/// How long logging in may take. sshd delays answers to failed passwords, PAM may by some seconds.
const LOGIN_LIMIT: Duration = Duration::from_secs(40);
