# shellcheck shell=bash
# How measured figures get into bench/RESULTS.md. Source it after common.sh.

RESULTS="$REPOSITORY/bench/RESULTS.md"

# fill MARKER FILE: puts FILE between <!-- MARKER --> and <!-- /MARKER --> of the results.
fill() {
    local filled
    grep -q "^<!-- $1 -->$" "$RESULTS" || die "$RESULTS has no marker $1"
    grep -q "^<!-- /$1 -->$" "$RESULTS" || die "$RESULTS has no marker /$1"
    filled="$(awk -v marker="$1" -v file="$2" '
        $0 == "<!-- /" marker " -->" { inside = 0 }
        !inside { print }
        $0 == "<!-- " marker " -->" { inside = 1; while ((getline line < file) > 0) print line }
    ' "$RESULTS")"
    printf '%s\n' "$filled" >"$RESULTS"
}

# when_and_where: the first two lines of what was measured when, of which commit, on which machine.
when_and_where() {
    printf '%s\n' "- $(date -u '+%Y-%m-%d %H:%M UTC'), commit $(git rev-parse --short HEAD)$(git diff --quiet HEAD -- crates web || printf ' with changes')"
    printf '%s\n' "- $(lscpu | sed -n 's/^Model name: *//p' | head -n 1), $(nproc) cores, $(free -m | awk '/^Mem:/ { printf "%.0f GiB", $2 / 1024 }'); Linux $(uname -r)"
}
