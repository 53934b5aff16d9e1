//! What admins are told of the certificate that this dashboard serves.

use crate::app::{AdminActor, App, AppResult};
use chrono::{DateTime, Duration, Utc};
use proxima_db::acme::{CertificateRow, find};
use proxima_db::{DbError, now};

/// One from files that ends sooner was not renewed in time.
const SOON: Duration = Duration::days(14);
/// How late a renewal is before it is one that nobody makes.
const LATE: Duration = Duration::days(1);

/// What the port of this process answers with.
#[derive(Debug, Clone)]
pub struct Shown {
    pub host: String,
    /// URL of the directory of the authority that issues it; none where it is from files.
    pub authority: Option<String>,
    /// None before the first was issued.
    pub certificate: Option<ShownCertificate>,
}

#[derive(Debug, Clone)]
pub struct ShownCertificate {
    /// Organization and name of whoever signed it.
    pub issuer: String,
    pub not_after: DateTime<Utc>,
    /// Sentences: why browsers or gateways refuse it.
    pub defects: Vec<String>,
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CertificateState {
    /// This dashboard has none of its own: a proxy has, or nobody.
    NotHere,
    /// The first is being issued.
    Ordered,
    /// The first could not be issued yet.
    Missing,
    Good,
    /// It counts, and something is to be done.
    AtRisk,
    Ended,
}

#[derive(Debug, Clone)]
pub struct Report {
    pub state: CertificateState,
    pub host: Option<String>,
    /// URL of the authority's directory.
    pub authority: Option<String>,
    pub issuer: Option<String>,
    pub not_after: Option<DateTime<Utc>>,
    /// When an authority is asked for the next one.
    pub renew_at: Option<DateTime<Utc>>,
    /// Sentences.
    pub problems: Vec<String>,
    /// The last attempt, when it failed, and the next one.
    pub failed_at: Option<DateTime<Utc>>,
    pub next_attempt_at: Option<DateTime<Utc>>,
}

/// # Errors
/// When the database is not to be had.
pub async fn report(app: &App, _admin: &AdminActor) -> AppResult<Report> {
    let shown = app.certificate_shown.get().map(|shown| shown());
    let mut connection = app.db.acquire().await.map_err(DbError::from)?;
    let row = match &shown {
        Some(Shown { host, authority: Some(directory), .. }) => find(&mut connection, host, directory).await?,
        _ => None,
    };
    Ok(judge(shown, row, now(&mut *connection).await?))
}

fn judge(shown: Option<Shown>, row: Option<CertificateRow>, now: DateTime<Utc>) -> Report {
    let failed = row.as_ref().and_then(|row| row.last_error.clone().zip(row.last_error_at));
    let mut report = Report {
        state: CertificateState::NotHere,
        host: shown.as_ref().map(|shown| shown.host.clone()),
        authority: shown.as_ref().and_then(|shown| shown.authority.clone()),
        issuer: None,
        not_after: None,
        renew_at: row.as_ref().and_then(|row| row.renew_at),
        problems: Vec::new(),
        failed_at: failed.as_ref().map(|(_, at)| *at),
        next_attempt_at: failed.as_ref().and(row.as_ref()).map(|row| row.next_attempt_at),
    };
    let Some(shown) = shown else { return report };
    if let Some(certificate) = shown.certificate {
        report.issuer = Some(certificate.issuer);
        report.not_after = Some(certificate.not_after);
        report.problems = certificate.defects;
    }
    let has_failed = failed.is_some();
    report.problems.extend(failed.map(|(told, _)| told));
    report.state = match report.not_after {
        None if has_failed => CertificateState::Missing,
        None => CertificateState::Ordered,
        Some(end) if end <= now => CertificateState::Ended,
        Some(end) => {
            if shown.authority.is_none() && end < now + SOON {
                report.problems.push(
                    "It ends soon: put a renewed one in place of the files; the dashboard follows by itself."
                        .to_owned(),
                );
            }
            if !has_failed && report.renew_at.is_some_and(|at| at + LATE < now) {
                report.problems.push("It should have been renewed by now: look into the dashboard's log.".to_owned());
            }
            if report.problems.is_empty() { CertificateState::Good } else { CertificateState::AtRisk }
        }
    };
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(number * 24 * 3600, 0).expect("in range")
    }

    fn shown(authority: bool, ends: Option<i64>, defects: &[&str]) -> Shown {
        let defects: Vec<String> = defects.iter().map(|text| (*text).to_owned()).collect();
        Shown {
            host: "panel.example.com".to_owned(),
            authority: authority.then(|| "https://authority.example/dir".to_owned()),
            certificate: ends.map(|end| ShownCertificate { issuer: "R".to_owned(), not_after: day(end), defects }),
        }
    }

    fn row(renew_at: Option<i64>, failed: Option<&str>) -> CertificateRow {
        CertificateRow {
            id: uuid::Uuid::nil(),
            chain: None,
            key_ciphertext: None,
            not_after: None,
            renew_at: renew_at.map(day),
            failures: i32::from(failed.is_some()),
            last_error: failed.map(str::to_owned),
            last_error_at: failed.map(|_| day(99)),
            next_attempt_at: day(101),
        }
    }

    #[test]
    fn every_state_has_its_facts() {
        let state = |shown, row| {
            let report = judge(shown, row, day(100));
            (report.state, report.problems.join("; "))
        };
        let nothing = String::new();
        assert_eq!(state(None, None), (CertificateState::NotHere, nothing.clone()));
        assert_eq!(state(Some(shown(true, None, &[])), None), (CertificateState::Ordered, nothing.clone()));
        let refused = Some(row(None, Some("no way in")));
        assert_eq!(state(Some(shown(true, None, &[])), refused), (CertificateState::Missing, "no way in".to_owned()));
        let good = Some(shown(true, Some(130), &[]));
        assert_eq!(state(good.clone(), Some(row(Some(110), None))), (CertificateState::Good, nothing.clone()));
        let refused = Some(row(Some(99), Some("no way in")));
        assert_eq!(state(good.clone(), refused), (CertificateState::AtRisk, "no way in".to_owned()));
        let (late, why) = state(good, Some(row(Some(98), None)));
        assert!(late == CertificateState::AtRisk && why.contains("should have been renewed"), "{why}");
        assert_eq!(state(Some(shown(false, Some(115), &[])), None), (CertificateState::Good, nothing));
        let (soon, why) = state(Some(shown(false, Some(110), &[])), None);
        assert!(soon == CertificateState::AtRisk && why.contains("ends soon"), "{why}");
        let other = Some(shown(false, Some(130), &["is not for panel.example.com"]));
        assert_eq!(state(other, None), (CertificateState::AtRisk, "is not for panel.example.com".to_owned()));
        assert_eq!(state(Some(shown(true, Some(100), &[])), Some(row(Some(70), None))).0, CertificateState::Ended);
    }

    #[test]
    fn attempts_are_told_only_after_one_failed() {
        let told = |failed| {
            let report = judge(Some(shown(true, Some(130), &[])), Some(row(Some(110), failed)), day(100));
            (report.failed_at, report.next_attempt_at)
        };
        assert_eq!(told(None), (None, None));
        assert_eq!(told(Some("no")), (Some(day(99)), Some(day(101))));
    }
}
