//! Reads `config.json`: who this gateway is (product.md section 4). It holds the license key, so
//! a file that others can read is refused, not fixed silently.

use anyhow::Context as _;
use proxima_types::FieldErrors;
use proxima_types::identity::GatewayIdentity;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// `config.json` is larger than this only by mistake.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why a `config.json` was refused. No message repeats a secret.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("cannot read {path}: {reason}")]
    Unreadable { path: String, reason: String },
    #[error(
        "{path} has mode {mode:04o}: it holds the license key, so nobody but its owner may access it. Run: chmod 600 {path}"
    )]
    Permissions { path: String, mode: u32 },
    #[error("{path} is not valid:\n{errors}")]
    Invalid { path: String, errors: FieldErrors },
}

/// # Errors
/// All problems of the file's mode and fields at once.
pub fn load(path: &Path) -> Result<GatewayIdentity, Vec<IdentityError>> {
    let shown = path.display().to_string();
    let text = read(path)
        .map_err(|error| vec![IdentityError::Unreadable { path: shown.clone(), reason: format!("{error:#}") }])?;
    let mut problems = Vec::new();
    if text.mode & 0o077 != 0 {
        problems.push(IdentityError::Permissions { path: shown.clone(), mode: text.mode });
    }
    match GatewayIdentity::parse(&text.content) {
        Ok(identity) if problems.is_empty() => return Ok(identity),
        Ok(_) => {}
        Err(errors) => problems.push(IdentityError::Invalid { path: shown, errors }),
    }
    Err(problems)
}

struct Text {
    mode: u32,
    content: String,
}

fn read(path: &Path) -> anyhow::Result<Text> {
    use std::io::Read as _;
    let file = std::fs::File::open(path)?;
    let metadata = file.metadata()?;
    anyhow::ensure!(metadata.is_file(), "not a regular file");
    anyhow::ensure!(metadata.len() <= MAX_BYTES, "larger than {MAX_BYTES} bytes");
    let mut content = String::new();
    file.take(MAX_BYTES).read_to_string(&mut content).context("not UTF-8 text")?;
    Ok(Text { mode: metadata.permissions().mode() & 0o7777, content })
}

/// All problems as one text, a line or more each.
#[must_use]
pub fn describe(problems: &[IdentityError]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
