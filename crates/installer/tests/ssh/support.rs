//! What the tests share.

use async_trait::async_trait;
use proxima_installer::run::Fenced;
use proxima_installer::ssh::Listener;
use proxima_installer::{AddressPolicy, HostKey, Outbound, SystemResolver, Target, probe_host_key};
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;

/// Loopback is denied unless the operator allows it: the tests' operator does.
pub fn loopback() -> Outbound {
    within(Duration::from_secs(20))
}

pub fn within(limit: Duration) -> Outbound {
    let allowed = vec!["127.0.0.0/8".parse().unwrap()];
    Outbound::new(AddressPolicy::new(allowed, vec![]), Arc::new(SystemResolver), limit)
}

pub fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

pub async fn pinned_to(target: &Target) -> HostKey {
    probe_host_key(target, &loopback()).await.unwrap()
}

/// Remembers what it hears.
#[derive(Default)]
pub struct Heard {
    pub lines: Vec<String>,
    pub progress: Vec<(u64, u64)>,
}

#[async_trait]
impl Listener for Heard {
    async fn line(&mut self, line: &str) -> Result<(), Fenced> {
        self.lines.push(line.to_owned());
        Ok(())
    }

    async fn progress(&mut self, done: u64, total: u64) -> Result<(), Fenced> {
        self.progress.push((done, total));
        Ok(())
    }
}
