//! Platform settings.

use super::audit;
use super::{Actor, AdminActor, App, AppResult, commit};
use ipnet::IpNet;
use proxima_db::audit::Target;
use proxima_db::settings::{self, SettingsRow};
use proxima_types::{FieldError, FieldErrors};
use serde_json::json;
use std::net::IpAddr;

/// How many addresses the allowlist holds at most.
const ALLOWLIST_MAX: usize = 256;
/// The longest limit for serving without a signed answer, in days.
const OFFLINE_LIMIT_MAX: u32 = 3650;

/// # Errors
/// When the database is not to be had.
pub async fn get(app: &App, _actor: &Actor) -> AppResult<SettingsRow> {
    Ok(settings::get(&app.db).await?)
}

/// # Errors
/// [`super::AppError::Invalid`] naming every bad entry.
pub async fn save(
    app: &App,
    admin: &AdminActor,
    allowlist: &[String],
    offline_limit_days: Option<u32>,
) -> AppResult<SettingsRow> {
    let (allowlist, offline_limit_days) = check(allowlist, offline_limit_days)?;
    let mut tx = app.begin().await?;
    let before = settings::get(&mut *tx).await?;
    settings::set(&mut tx, &allowlist, offline_limit_days).await?;
    let after = settings::get(&mut *tx).await?;
    let metadata = json!({
        "dashboardIpAllowlist": { "from": before.dashboard_ip_allowlist, "to": after.dashboard_ip_allowlist },
        "offlineLimitDays": { "from": before.offline_limit_days, "to": after.offline_limit_days },
    });
    let target = Target { id: None, kind: "settings", name: "Settings" };
    audit::succeeded(&mut tx, admin, "settings.update", Some(target), metadata).await?;
    commit(tx).await?;
    Ok(after)
}

fn check(allowlist: &[String], offline_limit_days: Option<u32>) -> Result<(Vec<String>, Option<i32>), FieldErrors> {
    let mut errors = FieldErrors::new();
    if allowlist.len() > ALLOWLIST_MAX {
        errors.push(FieldError::new(
            "dashboardIpAllowlist",
            "too_many",
            format!("Use at most {ALLOWLIST_MAX} addresses."),
        ));
    }
    let mut canonical: Vec<String> = Vec::new();
    for (index, text) in allowlist.iter().enumerate() {
        let field = format!("dashboardIpAllowlist[{index}]");
        if let Some(address) = errors.check(canonical_address(&field, text))
            && !canonical.contains(&address)
        {
            canonical.push(address);
        }
    }
    if offline_limit_days.is_some_and(|days| !(1..=OFFLINE_LIMIT_MAX).contains(&days)) {
        errors.push(FieldError::new(
            "offlineLimitDays",
            "out_of_range",
            format!("Enter 1 to {OFFLINE_LIMIT_MAX} days, or leave it empty for no limit."),
        ));
    }
    errors.into_result()?;
    Ok((canonical, offline_limit_days.and_then(|days| i32::try_from(days).ok())))
}

/// An address, or a network written by its first address.
fn canonical_address(field: &str, text: &str) -> Result<String, FieldError> {
    let text = text.trim();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.to_canonical().to_string());
    }
    text.parse::<IpNet>().map(|network| network.trunc().to_string()).map_err(|_| {
        let shown: String = text.chars().take(64).collect();
        FieldError::new(
            field,
            "invalid",
            format!("“{shown}” is not an IP address or CIDR network such as 203.0.113.0/24."),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_canonical_and_every_bad_one_is_named() {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let (list, _) =
            check(&texts(&["203.0.113.7", " 203.0.113.9/24", "2001:DB8::/32", "203.0.113.7", "::ffff:1.2.3.4"]), None)
                .expect("valid");
        assert_eq!(list, ["203.0.113.7", "203.0.113.0/24", "2001:db8::/32", "1.2.3.4"]);
        let errors = check(&texts(&["nope", "1.2.3.4", "1.2.3.4/33"]), Some(0)).expect_err("three problems").into_vec();
        let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["dashboardIpAllowlist[0]", "dashboardIpAllowlist[2]", "offlineLimitDays"]);
    }
}
