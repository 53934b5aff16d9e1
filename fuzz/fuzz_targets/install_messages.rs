//! The messages of an install, of both sides: none makes a reader panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proxima_types::enroll::{ClaimAnswer, ClaimRequest, ReportAnswer, ReportRequest};
use proxima_types::manage::{CertificateFingerprint, StatusDocument};
use proxima_types::setup::{SetupReply, SetupRequest};

fuzz_target!(|text: &str| {
    let _ = serde_json::from_str::<SetupRequest>(text);
    let _ = serde_json::from_str::<SetupReply>(text);
    let _ = serde_json::from_str::<ClaimRequest>(text);
    let _ = serde_json::from_str::<ClaimAnswer>(text);
    let _ = serde_json::from_str::<ReportRequest>(text);
    let _ = serde_json::from_str::<ReportAnswer>(text);
    let _ = serde_json::from_str::<StatusDocument>(text);
    if let Ok(fingerprint) = CertificateFingerprint::parse(text) {
        assert_eq!(CertificateFingerprint::parse(&fingerprint.to_string()), Ok(fingerprint));
    }
});
