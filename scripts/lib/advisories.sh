# shellcheck shell=bash
# Known vulnerabilities of what the programs are made of. Source it after common.sh; call check_advisories.

# What could not be asked is no success that nobody notices.
advisories_not_checked() {
    printf '\nADVISORIES NOT CHECKED: %s. Known vulnerabilities were not looked for.\n' "$1"
    if [[ "${PROXIMA_REQUIRE_ADVISORIES:-}" == 1 ]]; then
        printf 'PROXIMA_REQUIRE_ADVISORIES=1 makes that a failure.\n'
        return 1
    fi
}

# check_advisories: of Rust libraries (RustSec) and of the UI's npm packages. Fails for a known one, without a grace.
check_advisories() {
    local code=0 report
    printf -- '-- advisories of Rust libraries\n'
    if timeout 180 cargo deny --locked fetch db; then
        cargo deny --locked check --disable-fetch advisories || code=1
    else
        advisories_not_checked "RustSec's database cannot be had (cargo deny fetch db)" || code=1
    fi
    printf -- '-- advisories of npm packages\n'
    # The exit code is the same for a vulnerability and for a registry that does not answer; only a report has a version.
    report="$(timeout 180 npm --prefix web audit --omit=dev --package-lock-only --json 2>&1)" && report+=$'\nno vulnerability'
    if [[ "$report" != *'"auditReportVersion"'* ]]; then
        printf '%s\n' "$report" | tail -n 5
        advisories_not_checked 'the npm registry does not say (npm audit)' || code=1
    elif [[ "$report" != *$'\nno vulnerability' ]]; then
        printf '%s\n' "$report"
        code=1
    fi
    return "$code"
}
