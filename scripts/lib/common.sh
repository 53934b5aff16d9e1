# shellcheck shell=bash
# Shared by ./run, ./test and scripts/*: messages, elapsed times, the repository's root. Source it; it changes no setting but those named.

REPOSITORY="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
export REPOSITORY

# die SENTENCE [EXIT-CODE]: one clear sentence on standard error, then out.
die() {
    printf '%s: %s\n' "${PROGRAM:-$(basename "$0")}" "$1" >&2
    exit "${2:-1}"
}

have() { command -v "$1" >/dev/null 2>&1; }

# elapsed SECONDS: 75 -> "1m15s"
elapsed() {
    if (($1 >= 60)); then printf '%dm%02ds' $(($1 / 60)) $(($1 % 60)); else printf '%ds' "$1"; fi
}

# print_help FILE: the comment block at a script's head is its help text.
print_help() { sed -n '2,/^[^#]/{/^#/!q;s/^# \{0,1\}//;p}' "$1"; }

# url_encode TEXT: percent-encodes everything but the unreserved characters and '/'.
url_encode() {
    local LC_ALL=C text="$1" out='' char i
    for ((i = 0; i < ${#text}; i++)); do
        char="${text:i:1}"
        case "$char" in
        [a-zA-Z0-9._~/-]) out+="$char" ;;
        *) out+="$(printf '%%%02X' "'$char")" ;;
        esac
    done
    printf '%s' "$out"
}

# short_hash TEXT: eight hexadecimal digits that tell one checkout's folders from another's.
short_hash() { printf '%s' "$1" | sha256sum | cut -c1-8; }

# ends PID SECONDS: waits for a child process; fails when it is still there after that time.
ends() {
    local tenths=$(($2 * 10))
    while kill -0 "$1" 2>/dev/null; do
        ((tenths-- > 0)) || return 1
        sleep 0.1
    done
}
