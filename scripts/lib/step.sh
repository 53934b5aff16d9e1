# shellcheck shell=bash
# One long step with its progress: what runs now, for how long, and its output only when it fails. Source it after common.sh.

step_pid=''
step_log="$(mktemp)"

# step NAME COMMAND...: runs the command, returns its exit code. Ctrl-C ends it (end_step is for the caller's trap).
step() {
    local name="$1" log="$step_log" code=0 began=$SECONDS shown=0 line
    shift
    # In a session of its own, so that all of it can be ended at once.
    setsid setpriv --pdeathsig TERM -- "$@" >"$log" 2>&1 </dev/null &
    step_pid=$!
    while kill -0 "$step_pid" 2>/dev/null; do
        if [[ -t 1 ]]; then
            line="$(tail -c 300 "$log" | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1 | tr -cd '[:print:]')"
            printf '\r\033[K  ...   %s (%s) %.*s' "$name" "$(elapsed $((SECONDS - began)))" 60 "$line"
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
        tail -n 40 "$log" | sed 's/^/    | /' >&2
    fi
    return "$code"
}

# step_failed_for_network: whether the last step's output says that something could not be fetched.
step_failed_for_network() {
    grep -qiE 'could not resolve|failed to download|failed to fetch|temporary failure|network|timed out|ENOTFOUND|EAI_AGAIN|ECONNREFUSED' "$step_log"
}

end_step() {
    if [[ -n "$step_pid" ]]; then
        kill -TERM -- "-$step_pid" 2>/dev/null || true
        step_pid=''
    fi
    rm -f "$step_log"
}
