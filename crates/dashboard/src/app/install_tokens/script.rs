//! `install.sh`: what an install command pipes to `sh`. The same for everybody: no secret, and nothing of whoever asks.

use crate::app::{App, AppError, AppResult};

/// Its path below the dashboard's URL.
pub const PATH: &str = "/install.sh";
const TEMPLATE: &str = include_str!("install.sh");

/// A word of a shell's line, whatever the text holds that may stand in a URL.
pub fn quoted(url: &str) -> String {
    format!("'{}'", encoded(url))
}

/// The one character that ends such a word, as URLs may spell it too (RFC 3986, section 2.1).
fn encoded(url: &str) -> String {
    url.replace('\'', "%27")
}

/// The script, with this dashboard's address, and the SHA-256 and size of each program that it has.
///
/// # Errors
/// [`AppError::NotFound`] when the dashboard has no address for gateways.
pub async fn script(app: &App) -> AppResult<String> {
    let url = app.config.gateway_url.as_ref().ok_or(AppError::NotFound)?;
    let programs = app.programs.all(&app.config.binaries()).await;
    let cases: Vec<String> = programs
        .iter()
        // Names of folders become text of the script: only those that are words.
        .filter(|(architecture, _)| architecture.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
        .map(|(architecture, program)| format!("{architecture}) sha256={} bytes={} ;;", program.sha256, program.bytes))
        .collect();
    Ok(TEMPLATE.replace("@DASHBOARD@", &encoded(&url.to_string())).replace("# @PROGRAMS@", &cases.join("\n    ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_has_its_places_and_runs_nothing_before_its_last_line() {
        assert_eq!(TEMPLATE.matches("@DASHBOARD@").count(), 1);
        assert_eq!(TEMPLATE.matches("# @PROGRAMS@").count(), 1);
        let outside: Vec<_> =
            TEMPLATE.lines().filter(|line| !line.starts_with([' ', '#']) && !line.is_empty()).collect();
        assert_eq!(outside, ["proxima_install() {", "}", "proxima_install"]);
        assert!(TEMPLATE.ends_with("}\n\nproxima_install\n"));
    }
}
