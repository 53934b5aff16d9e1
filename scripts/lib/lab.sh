# shellcheck shell=bash
# What scripts/lab's commands share: the base tree, the state of each box, finding and waiting for it. Source it after common.sh, step.sh and
# tools.sh.

# Of this machine, not of this checkout: subnets are shared by all.
LAB_STATE=/run/proxima-lab
LAB_CACHE="$REPOSITORY/.cache/lab"
# Of the route that keeps packets for a box from leaving by the default route while its cable is away; the cable's own route has metric 0.
GUARD_METRIC=4096
# Each kind of base tree has a recipe: plain, apt, upgraded.
LAB_RECIPES="$REPOSITORY/scripts/lib/lab_base"

need_root() { ((EUID == 0)) || die "the lab makes containers and network namespaces, which needs root; start it as root"; }

ensure_lab_tools() {
    want_lab
    install_wanted >&2
}

# recipe KIND: the file that builds such a base.
recipe() { if [[ "$1" == plain ]]; then printf '%s.sh' "$LAB_RECIPES"; else printf '%s_%s.sh' "$LAB_RECIPES" "$1"; fi; }

# base_folder KIND: where it is, or will be; its name changes with its recipe and that of the plain base.
base_folder() {
    if [[ "$1" == plain ]]; then
        printf '%s/base-%s' "$LAB_CACHE" "$(sha256sum "$(recipe plain)" | cut -c1-12)"
    else
        printf '%s/base-%s-%s' "$LAB_CACHE" "$1" "$(cat "$(recipe plain)" "$(recipe "$1")" | sha256sum | cut -c1-12)"
    fi
}

# ensure_base KIND: sets LAB_BASE, the folder of that base tree; builds it when there is none of this recipe.
ensure_base() {
    local lock
    mkdir -p "$LAB_CACHE"
    exec {lock}>"$LAB_CACHE/lock"
    # Others that want it wait for the one that builds it.
    flock "$lock"
    if [[ "$1" != plain ]]; then build_base plain; fi
    build_base "$1"
    exec {lock}>&-
}

build_base() {
    LAB_BASE="$(base_folder "$1")"
    if [[ -d "$LAB_BASE" ]]; then return 0; fi
    # What an interrupted build left.
    rm -rf --one-file-system "$LAB_CACHE"/*.part
    step "the lab's base system ($1)" unshare --mount --propagation private -- bash "$(recipe "$1")" "$LAB_BASE.part" "$(base_folder plain)" >&2 ||
        step_die "the lab's base system could not be built; the reason is above" \
            "the lab's base system could not be fetched; check the network and start again"
    mv "$LAB_BASE.part" "$LAB_BASE"
    forget_old_bases
}

# Trees of former recipes, but those that a box still uses.
forget_old_bases() {
    local old name kind used=''
    for kind in plain apt upgraded; do used+=" $(base_folder "$kind")"; done
    for name in $(boxes); do used+=" $(setting "$name" base)"; done
    for old in "$LAB_CACHE"/base-*; do
        if [[ " $used " != *" $old "* ]]; then rm -rf --one-file-system "$old"; fi
    done
}

# with_lab_lock COMMAND...: one at a time changes the list of boxes.
with_lab_lock() {
    (umask 077 && mkdir -p "$LAB_STATE")
    exec 7>"$LAB_STATE/.lock"
    flock 7
    "$@"
    exec 7>&-
}

# started PID: when it started, in clock ticks since boot; tells a process from a later one with its id. Nothing for one that has ended,
# though nobody has asked for its exit code yet.
started() {
    local fields
    # After the name, which may hold anything: state, …, and the 20th is the start (proc_pid_stat(5)).
    read -r -a fields < <(sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null) || true
    if [[ "${fields[0]:-Z}" != [ZX] ]]; then printf '%s' "${fields[19]}"; fi
}

# supervisor NAME: the process of that box; fails when it is not up.
supervisor() {
    local pid since
    read -r pid since 2>/dev/null <"$LAB_STATE/$1/supervisor" || return 1
    [[ -n "$since" && "$(started "$pid")" == "$since" ]] || return 1
    printf '%s' "$pid"
}

boxes() { find "$LAB_STATE" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' 2>/dev/null | sort; }

# setting NAME KEY
setting() { (
    # shellcheck source=/dev/null
    . "$LAB_STATE/$1/settings" && printf '%s' "${!2}"
); }

need_box() {
    [[ -n "${1:-}" ]] || die "which box? scripts/lab list names them" 2
    supervisor "$1" >/dev/null || die "there is no box '$1'; scripts/lab list names them"
}

# leader NAME: the process that is number 1 inside the box, by its number outside.
leader() {
    local container child children=()
    container="$(cat "$LAB_STATE/$1/container" 2>/dev/null)" || return 1
    read -r -a children 2>/dev/null <"/proc/$container/task/$container/children" || true
    for child in "${children[@]}"; do
        if grep -qE '^NSpid:.*[[:space:]]1$' "/proc/$child/status" 2>/dev/null; then
            printf '%s' "$child"
            return 0
        fi
    done
    return 1
}

# inside NAME COMMAND...: as root in the box.
inside() {
    local pid
    pid="$(leader "$1")" || die "the box '$1' is not running; it may be booting"
    shift
    nsenter --target "$pid" --mount --uts --ipc --net --pid --cgroup -- \
        /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"
}

# answers NAME: SSH says who it is and lets people log in.
answers() {
    local banner='' pid
    pid="$(leader "$1")" && [[ ! -e "/proc/$pid/root/run/nologin" ]] || return 1
    { exec 8<>"/dev/tcp/$(setting "$1" subnet).2/22"; } 2>/dev/null || return 1
    read -r -t 2 banner <&8 || true
    exec 8>&-
    [[ "$banner" == SSH-* ]]
}

# wait_for_ssh NAME: up to 60 s.
wait_for_ssh() {
    local deadline=$((SECONDS + 60))
    until answers "$1"; do
        supervisor "$1" >/dev/null && ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
    # Degraded is up, too.
    if (("$(setting "$1" no_systemd)" == 0)); then inside "$1" timeout 30 systemctl is-system-running --wait >/dev/null || true; fi
}

# control_groups NAME: the box's folders in the hierarchies that systemd uses. Their mount points hold no blanks.
control_groups() {
    awk -v name="proxima-lab-$1" '$3 == "cgroup2" || ($3 == "cgroup" && $4 ~ /name=systemd/) { printf "%s/%s ", $2, name }' /proc/mounts
}

# empty_group FOLDER: ends what is left in it, and removes it.
empty_group() {
    local left tenths
    for ((tenths = 20; tenths > 0; tenths--)); do
        [[ -d "$1" ]] || return 0
        mapfile -t left < <(find "$1" -name cgroup.procs -exec cat {} +)
        if ((${#left[@]})); then
            kill -KILL "${left[@]}" 2>/dev/null || true
            sleep 0.1
        else
            find "$1" -depth -type d -exec rmdir {} + || true
        fi
    done
}

# gone NAME: ends what is left of that box, waits for it, forgets it.
gone() {
    local state="$LAB_STATE/$1" pid tenths=150 link subnet group
    if pid="$(supervisor "$1")"; then
        kill -TERM "$pid"
        while supervisor "$1" >/dev/null && ((tenths-- > 0)); do sleep 0.1; done
        # Its container ends with it.
        if supervisor "$1" >/dev/null; then kill -KILL "$pid"; fi
    fi
    for group in $(control_groups "$1"); do empty_group "$group"; done
    if [[ -e "$state/settings" ]]; then
        link="$(setting "$1" link)" subnet="$(setting "$1" subnet)"
        # The network namespace goes with the last process in it, and the cable with the namespace.
        for ((tenths = 20; tenths > 0; tenths--)); do
            ip link show "$link" >/dev/null 2>&1 || break
            sleep 0.1
        done
        ip link delete "$link" 2>/dev/null || true
        ip route delete unreachable "$subnet.0/30" metric "$GUARD_METRIC" 2>/dev/null || true
    fi
    rm -rf --one-file-system "$state"
}

# tidy: forgets boxes that ended without scripts/lab down.
tidy() {
    local name
    for name in $(boxes); do
        supervisor "$name" >/dev/null || gone "$name"
    done
}
