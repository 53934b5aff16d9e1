//! PostgreSQL's own programs for dumps, of the server's major version where it is installed.

use anyhow::{Context as _, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use url::Url;

/// Where Debian keeps each version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// What libpq understands of a URL's parameters; the others are our driver's.
const LIBPQ: [&str; 8] = ["host", "port", "user", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Dump,
    Restore,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Dump => "pg_dump",
            Self::Restore => "pg_restore",
        }
    }

    /// What the server's list of connections shows.
    fn shown_as(self) -> &'static str {
        match self {
            Self::Dump => "proxima-dashboard backup",
            Self::Restore => proxima_db::backup::RESTORE_NAME,
        }
    }
}

/// How the programs reach the database.
pub(crate) struct Client {
    /// Without its password, which others could read from the list of processes.
    url: String,
    password: Option<String>,
}

impl Client {
    /// # Errors
    /// When it is no URL.
    pub(crate) fn new(database_url: &str) -> anyhow::Result<Self> {
        let mut url = Url::parse(database_url).map_err(|_| anyhow::anyhow!("DATABASE_URL is no URL"))?;
        let decoded = |text: &str| {
            let query = format!("p={}", text.replace('+', "%2B"));
            url::form_urlencoded::parse(query.as_bytes()).next().map(|(_, value)| value.into_owned())
        };
        let mut password = url.password().and_then(decoded);
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        if let Some((_, given)) = pairs.iter().find(|(name, _)| name == "password") {
            password = Some(given.clone());
        }
        let known: Vec<(String, String)> = pairs
            .into_iter()
            .map(|(name, value)| (if name == "ssl-mode" { "sslmode".to_owned() } else { name }, value))
            .filter(|(name, _)| LIBPQ.contains(&name.as_str()))
            .collect();
        if url.password().is_some() && url.set_password(None).is_err() {
            bail!("DATABASE_URL has a password and no host");
        }
        url.set_query(None);
        if !known.is_empty() {
            url.query_pairs_mut().extend_pairs(known);
            // libpq decodes %20, and takes a plus for a plus.
            let query = url.query().map(|query| query.replace('+', "%20"));
            url.set_query(query.as_deref());
        }
        Ok(Self { url: url.to_string().replacen("postgres:", "postgresql:", 1), password })
    }

    /// The program, ready for its arguments. `server` is the major version of the server.
    ///
    /// # Errors
    /// When it is not installed, or too old for the server.
    pub(crate) fn command(&self, program: Program, server: i32) -> anyhow::Result<Command> {
        let mut command = Command::new(find(program, server)?);
        command.arg(format!("--dbname={}", self.url)).stderr(Stdio::piped());
        command.env("PGAPPNAME", program.shown_as());
        if let Some(password) = &self.password {
            command.env("PGPASSWORD", password);
        }
        Ok(command)
    }
}

/// That of the server's own version; else the next newer one; else what the PATH has.
fn find(program: Program, server: i32) -> anyhow::Result<PathBuf> {
    let name = program.name();
    let entries = std::fs::read_dir(DEBIAN).into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<(i32, PathBuf)> = entries
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin").join(name))))
        .filter(|(major, path): &(i32, PathBuf)| *major >= server && path.is_file())
        .collect();
    found.sort();
    if let Some((_, path)) = found.into_iter().next() {
        return Ok(path);
    }
    let version = version(Path::new(name))
        .with_context(|| format!("{name} is not installed: apt-get install postgresql-client-{server}"))?;
    if version < server {
        bail!("{name} {version} is too old for PostgreSQL {server}: apt-get install postgresql-client-{server}");
    }
    Ok(PathBuf::from(name))
}

/// `pg_dump (PostgreSQL) 15.18 (Debian …)` gives 15.
fn version(program: &Path) -> anyhow::Result<i32> {
    let output = Command::new(program).arg("--version").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let word = text.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    word.and_then(|word| word.split('.').next()?.parse().ok()).context("it does not say its version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_leaves_the_url_and_the_drivers_own_words_too() {
        let client =
            Client::new("postgres://me:se%2Bcret@db.example:5433/panel?sslmode=require&statement-cache-capacity=9")
                .expect("a client");
        assert_eq!(client.url, "postgresql://me@db.example:5433/panel?sslmode=require");
        assert_eq!(client.password.as_deref(), Some("se+cret"));
        let socket = Client::new("postgres:///proxima?host=/run/a%20b&port=5432&user=proxima").expect("a client");
        assert_eq!(socket.url, "postgresql:///proxima?host=%2Frun%2Fa%20b&port=5432&user=proxima");
        assert_eq!(socket.password, None);
        assert!(Client::new("nonsense").is_err());
    }
}
