//! Platform settings.

use super::audit;
use super::management::WAITING_MAX;
use super::{Actor, AdminActor, App, AppResult, Proven, commit};
use ipnet::IpNet;
use proxima_db::audit::Target;
use proxima_db::management;
use proxima_db::settings::{self, SettingsRow};
use proxima_installer::AddressPolicy;
use proxima_installer::outbound::RangeRefused;
use proxima_types::{FieldError, FieldErrors};
use serde_json::json;

/// How many addresses the allowlist holds at most.
const ALLOWLIST_MAX: usize = 256;
/// The longest limit for serving without a signed answer, in days.
const OFFLINE_LIMIT_MAX: u32 = 3650;

/// # Errors
/// When the database is not to be had.
pub async fn get(app: &App, _actor: &Actor) -> AppResult<SettingsRow> {
    Ok(settings::get(&app.db).await?)
}

/// Who may reach a gateway's management API: this platform's dashboards, or everybody (`None`) while no address of theirs
/// is listed. The secret and the pinned certificate guard the port in any case.
pub(crate) fn management_allow(settings: &SettingsRow) -> Option<Vec<IpNet>> {
    let listed = &settings.dashboard_ip_allowlist;
    // Every entry was checked when it was saved; a hand-made one that is no network lets nobody in.
    let networks = || listed.iter().filter_map(|text| crate::config::parse_network(text).ok()).collect();
    (!listed.is_empty()).then(networks)
}

/// The form, as typed.
pub struct SaveSettings<'a> {
    pub dashboard_ip_allowlist: &'a [String],
    /// `None` leaves it as it is.
    pub outbound_allowlist: Option<&'a [String]>,
    pub offline_limit_days: Option<u32>,
}

#[derive(Debug)]
struct Checked {
    dashboard_ip_allowlist: Vec<String>,
    outbound_allowlist: Option<Vec<String>>,
    offline_limit_days: Option<i32>,
}

/// # Errors
/// [`super::AppError::Invalid`] naming every bad entry.
pub async fn save(app: &App, admin: &Proven<AdminActor>, input: SaveSettings<'_>) -> AppResult<SettingsRow> {
    let checked = check(&input, &super::connections::policy(app, [])?)?;
    let mut tx = app.begin().await?;
    let before = settings::get(&mut *tx).await?;
    let outbound = checked.outbound_allowlist.as_ref().unwrap_or(&before.outbound_allowlist);
    settings::set(&mut tx, &checked.dashboard_ip_allowlist, outbound, checked.offline_limit_days).await?;
    let after = settings::get(&mut *tx).await?;
    let metadata = json!({
        "dashboardIpAllowlist": { "from": before.dashboard_ip_allowlist, "to": after.dashboard_ip_allowlist },
        "outboundAllowlist": { "from": before.outbound_allowlist, "to": after.outbound_allowlist },
        "offlineLimitDays": { "from": before.offline_limit_days, "to": after.offline_limit_days },
    });
    let target = Target { id: None, kind: "settings", name: "Settings" };
    audit::succeeded(&mut tx, admin, "settings.update", Some(target), metadata).await?;
    // What every gateway is told has changed.
    let changed = before.offline_limit_days != after.offline_limit_days;
    let gateways = if changed { management::askable(&mut tx, WAITING_MAX.into()).await? } else { Vec::new() };
    commit(tx).await?;
    gateways.into_iter().for_each(|server| app.nudges.request(server));
    Ok(after)
}

/// `policy`: what the dashboard may connect to without any setting.
fn check(input: &SaveSettings<'_>, policy: &AddressPolicy) -> Result<Checked, FieldErrors> {
    let mut errors = FieldErrors::new();
    let dashboard_ip_allowlist =
        addresses(&mut errors, "dashboardIpAllowlist", input.dashboard_ip_allowlist, |_| Ok(()));
    let outbound_allowlist = input.outbound_allowlist.map(|texts| {
        addresses(&mut errors, "outboundAllowlist", texts, |range| {
            policy.check_range(range).map_err(|why| outbound_refusal(range, why))
        })
    });
    if input.offline_limit_days.is_some_and(|days| !(1..=OFFLINE_LIMIT_MAX).contains(&days)) {
        errors.push(FieldError::new(
            "offlineLimitDays",
            "out_of_range",
            format!("Enter 1 to {OFFLINE_LIMIT_MAX} days, or leave it empty for no limit."),
        ));
    }
    errors.into_result()?;
    let offline_limit_days = input.offline_limit_days.and_then(|days| i32::try_from(days).ok());
    Ok(Checked { dashboard_ip_allowlist, outbound_allowlist, offline_limit_days })
}

/// Code and sentence.
fn outbound_refusal(range: IpNet, why: RangeRefused) -> (&'static str, String) {
    let shown = shown(range);
    match why {
        RangeRefused::AllowedAnyway => (
            "public",
            format!("{shown} is public: the dashboard may connect there anyway. This list opens private addresses."),
        ),
        RangeRefused::Never { part, why } if range.contains(&part) && range != part => {
            ("not_allowed", format!("{shown} is too wide, it holds {part}: {}. {}.", why.sentence(), why.remedy()))
        }
        RangeRefused::Never { why, .. } => ("not_allowed", format!("{shown}: {}. {}.", why.sentence(), why.remedy())),
    }
}

/// A list in canonical form, without repetitions. What `judge` does not take is named with its code and sentence.
fn addresses(
    errors: &mut FieldErrors,
    field: &str,
    texts: &[String],
    judge: impl Fn(IpNet) -> Result<(), (&'static str, String)>,
) -> Vec<String> {
    if texts.len() > ALLOWLIST_MAX {
        errors.push(FieldError::new(field, "too_many", format!("Use at most {ALLOWLIST_MAX} addresses.")));
    }
    let mut canonical: Vec<String> = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let field = format!("{field}[{index}]");
        let checked = canonical_network(&field, text).and_then(|network| {
            judge(network).map_err(|(code, message)| FieldError::new(&field, code, message))?;
            Ok(shown(network))
        });
        if let Some(address) = errors.check(checked)
            && !canonical.contains(&address)
        {
            canonical.push(address);
        }
    }
    canonical
}

/// An address, or a network by its first address; an IPv4 one as such.
fn canonical_network(field: &str, text: &str) -> Result<IpNet, FieldError> {
    let text = text.trim();
    crate::config::parse_network(text).map_err(|_| {
        let shown: String = text.chars().take(64).collect();
        FieldError::new(
            field,
            "invalid",
            format!("“{shown}” is not an IP address or CIDR network such as 203.0.113.0/24."),
        )
    })
}

/// One address without its length.
fn shown(network: IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() { network.addr().to_string() } else { network.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_list_is_everybody_and_a_broken_one_is_nobody() {
        let allow = |list: &[&str]| {
            let dashboard_ip_allowlist = list.iter().map(|text| (*text).to_owned()).collect();
            management_allow(&SettingsRow {
                incarnation: 1,
                dashboard_ip_allowlist,
                outbound_allowlist: vec![],
                offline_limit_days: None,
                updated_at: None,
            })
        };
        assert_eq!(allow(&[]), None);
        assert_eq!(allow(&["hand-made"]), Some(vec![]));
        let networks = ["203.0.113.7/32".parse().expect("valid"), "2001:db8::/32".parse().expect("valid")];
        assert_eq!(allow(&["203.0.113.7", "2001:db8::/32"]).as_deref(), Some(&networks[..]));
    }

    #[test]
    fn addresses_are_canonical_and_every_bad_one_is_named() {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let check = |list: &[&str], outbound: &[&str], offline_limit_days| {
            let (list, outbound) = (texts(list), texts(outbound));
            let input =
                SaveSettings { dashboard_ip_allowlist: &list, outbound_allowlist: Some(&outbound), offline_limit_days };
            super::check(&input, &AddressPolicy::default())
        };
        let given = ["203.0.113.7", " 203.0.113.9/24", "2001:DB8::/32", "203.0.113.7", "::ffff:1.2.3.4"];
        let checked = check(&given, &["10.0.0.7/8"], None).expect("valid");
        assert_eq!(checked.dashboard_ip_allowlist, ["203.0.113.7", "203.0.113.0/24", "2001:db8::/32", "1.2.3.4"]);
        assert_eq!(checked.outbound_allowlist.expect("given"), ["10.0.0.0/8"]);
        let outbound = ["x", "10.0.0.1", "9.9.9.9", "0.0.0.0/0", "127.0.0.1"];
        let errors =
            check(&["nope", "1.2.3.4", "1.2.3.4/33"], &outbound, Some(0)).expect_err("many problems").into_vec();
        let found: Vec<_> = errors.iter().map(|error| (error.field.as_str(), error.code.as_str())).collect();
        let expected = [
            ("dashboardIpAllowlist[0]", "invalid"),
            ("dashboardIpAllowlist[2]", "invalid"),
            ("outboundAllowlist[0]", "invalid"),
            ("outboundAllowlist[2]", "public"),
            ("outboundAllowlist[3]", "not_allowed"),
            ("outboundAllowlist[4]", "not_allowed"),
            ("offlineLimitDays", "out_of_range"),
        ];
        assert_eq!(found, expected);
        let said: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
        assert_eq!(
            said[3],
            "9.9.9.9 is public: the dashboard may connect there anyway. This list opens private addresses."
        );
        assert!(said[4].starts_with("0.0.0.0/0 is too wide, it holds 0.0.0.0/8: "), "{}", said[4]);
        assert!(
            said[5].starts_with("127.0.0.1: it means") && said[5].ends_with("with --allow-outbound."),
            "{}",
            said[5]
        );
    }
}
