# shellcheck shell=bash
# One long step with its progress: what runs now and for how long. Source it after common.sh.

step_pid=''
step_log="$(mktemp)"

# step NAME COMMAND...: runs the command, returns its exit code. Ctrl-C ends it (end_step is for the caller's trap).
# Its output is in $step_log until the next step.
step() {
    local name="$1" log="$step_log" code=0 began=$SECONDS shown=0 line
    shift
    # In a session of its own, so that all of it can be ended at once.
    setsid setpriv --pdeathsig TERM -- "$@" >"$log" 2>&1 </dev/null &
    step_pid=$!
    while kill -0 "$step_pid" 2>/dev/null; do
        if [[ -t 1 ]]; then
            line="$(tail -c 300 "$log" | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1 | tr -cd '[:print:]' || true)"
            line="  ...   $name ($(elapsed $((SECONDS - began)))) $line"
            # One line of the terminal, so that it can be written over.
            printf '\r\033[K%s' "${line:0:$(($(tput cols 2>/dev/null || echo 80) - 1))}"
        elif ((SECONDS - began >= shown + 30)); then
            shown=$((SECONDS - began))
            printf '  ...   %s (%s)\n' "$name" "$(elapsed "$shown")"
        fi
        sleep 0.5
    done
    wait "$step_pid" || code=$?
    step_pid=''
    if [[ -t 1 ]]; then printf '\r\033[K'; fi
    if ((code == 0)); then
        printf '  done  %s (%s)\n' "$name" "$(elapsed $((SECONDS - began)))"
    else
        printf '  FAILED %s (%s)\n' "$name" "$(elapsed $((SECONDS - began)))"
    fi
    return "$code"
}

# step_die OTHERWISE [WITHOUT-NETWORK]: ends with the sentence that fits the last step's output; the output is shown when it says more.
step_die() {
    if [[ -n "${2:-}" ]] && grep -qiE 'could not resolve|failed to download|failure resolving|network is unreachable|network failure|(connection|operation) timed out|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|EHOSTUNREACH' "$step_log"; then
        die "$2"
    fi
    tail -n 40 "$step_log" | sed 's/^/    | /' >&2
    die "$1"
}

end_step() {
    if [[ -n "$step_pid" ]]; then
        kill -TERM -- "-$step_pid" 2>/dev/null || true
        step_pid=''
    fi
    rm -f "$step_log"
}
