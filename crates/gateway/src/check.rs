//! `proxima-gateway check`: every problem of config.json at once, or OK with what may be shown.

use crate::identity;
use proxima_types::Listener;
use std::io::Write;
use std::path::Path;

/// Prints to `out` (problems to `problems`); true when the file is good.
///
/// # Errors
/// When the output cannot be written.
pub fn run(path: &Path, out: &mut dyn Write, problems: &mut dyn Write) -> std::io::Result<bool> {
    let identity = match identity::load(path) {
        Ok(identity) => identity,
        Err(found) => {
            writeln!(problems, "{}", identity::describe(&found))?;
            return Ok(false);
        }
    };
    writeln!(out, "OK: {}", path.display())?;
    writeln!(out, "  dashboard    {}", identity.dashboard_url)?;
    writeln!(out, "  server       {}", identity.server_id)?;
    writeln!(out, "  install      {}", identity.install_id)?;
    writeln!(out, "  license key  {}", proxima_types::secrets::masked_key(identity.api_key.last4()))?;
    for key in &identity.dashboard_public_keys {
        writeln!(out, "  public key   {key}")?;
    }
    if let Some(config) = &identity.config {
        for listener in &config.listeners {
            writeln!(out, "  listener     {} -> {}", listener.port, goes_to(listener))?;
        }
    }
    Ok(true)
}

fn goes_to(listener: &Listener) -> String {
    match (&listener.backend_url, &listener.pool, listener.redirect_to_https) {
        (Some(url), ..) => url.to_string(),
        (_, Some(pool), _) => format!("pool {pool}"),
        (.., Some(port)) => format!("https, port {port}"),
        _ => "nowhere".to_owned(),
    }
}
