//! Turns what was typed into checked values, naming every bad field at once.

use proxima_types::{DisplayName, FieldError, FieldErrors, LoginSlug};

/// A field left blank is a field not given.
pub(super) fn given(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// Checks an optional field: `None` stands for "not given" and for "refused" (then `errors` says so).
pub(super) fn optional<T>(
    errors: &mut FieldErrors,
    text: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, FieldError>,
) -> Option<T> {
    given(text).and_then(|text| errors.check(parse(text)))
}

pub(super) fn display_name(errors: &mut FieldErrors, text: Option<&str>) -> Option<DisplayName> {
    optional(errors, text, DisplayName::parse)
}

pub(super) fn login_slug(errors: &mut FieldErrors, text: Option<&str>) -> Option<LoginSlug> {
    optional(errors, text, LoginSlug::parse)
}
