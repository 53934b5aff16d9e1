#!/usr/bin/env bash
# One lab box for as long as it is up: its disk, its network, its container, started again when it reboots. scripts/lab starts it as root in
# a mount and a network namespace of its own, so that ending this process and its container leaves nothing of either.
#
# Usage: lab_box.sh STATE-FOLDER PID-IN-THE-CALLER'S-NETWORK-NAMESPACE
#   TERM  shut down; USR1  reboot; USR2  cut the power and boot again
#
# The settings file gives the variables that nothing here sets; traps call what nothing here calls.
# shellcheck disable=SC2154,SC2317
set -euo pipefail
state="$1" caller="$2"
# Written by scripts/lab: name, base, subnet, link, control groups and the variant's settings (quoted by printf %q).
# shellcheck source=/dev/null
. "$state/settings"
root="$state/root"

# Its own place among the control groups: systemd-nspawn would give all boxes the same.
join_group() {
    local group
    for group in "$@"; do
        mkdir -p "$group"
        echo $$ >"$group/cgroup.procs"
    done
}

# The base tree is read only; all that the box writes is in memory, bounded by the size of its disk, and survives its reboots.
make_disk() {
    mkdir -p "$state/base" "$state/disk" "$root"
    # What systemd-nspawn keeps about running containers goes with this mount namespace.
    mkdir -p /run/systemd/nspawn
    mount -t tmpfs lab /run/systemd/nspawn
    mount --bind "$base" "$state/base"
    mount -t tmpfs -o "size=${disk_mib}m,mode=0755" lab "$state/disk"
    mkdir "$state/disk/upper" "$state/disk/work"
    mount -t overlay -o "lowerdir=$state/base,upperdir=$state/disk/upper,workdir=$state/disk/work" lab "$root"
}

identify() {
    tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
    printf '%s\n' "$name" >"$root/etc/hostname"
    printf '127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost\n%s dashboard.lab\n' "$name" "$subnet.1" >"$root/etc/hosts"
    ssh-keygen -q -t ed25519 -N '' -C "root@$name" -f "$root/etc/ssh/ssh_host_ed25519_key"
    ssh-keygen -q -t ecdsa -N '' -C "root@$name" -f "$root/etc/ssh/ssh_host_ecdsa_key"
    chroot "$root" chpasswd <"$state/passwords"
    rm "$state/passwords"
}

# service_on PORT: a service that has nothing to do with us and has the port already.
service_on() {
    local program="$root/usr/local/bin/other-web-server"
    cat >"$program" <<'PERL'
#!/usr/bin/perl
use Socket;
$0 = "other-web-server";
socket(my $listener, PF_INET, SOCK_STREAM, 0) or die;
setsockopt($listener, SOL_SOCKET, SO_REUSEADDR, 1) or die;
bind($listener, sockaddr_in($ARGV[0], INADDR_ANY)) and listen($listener, 16) or die;
while (accept(my $visitor, $listener)) {
    sysread($visitor, my $request, 4096);
    syswrite($visitor, "HTTP/1.0 200 OK\r\nContent-Length: 19\r\n\r\nanother web server\n");
    close $visitor;
}
PERL
    chmod 755 "$program"
    printf '[Unit]\nDescription=Another web server\n[Service]\nExecStart=/usr/local/bin/other-web-server %s\n' "$1" \
        >"$root/etc/systemd/system/other-web-server-$1.service"
    ln -s "../other-web-server-$1.service" "$root/etc/systemd/system/multi-user.target.wants/"
}

vary() {
    local port
    for port in $busy_ports; do service_on "$port"; done
    if ((no_sftp)); then sed -i '/^Subsystem/d' "$root/etc/ssh/sshd_config"; fi
    if [[ -n "$arch_lie" ]]; then
        mv "$root/usr/bin/uname" "$root/usr/bin/uname.true"
        printf '#!/bin/sh\n/usr/bin/uname.true "$@" | sed "s/%s/%s/g"\n' "$(uname -m)" "$arch_lie" >"$root/usr/bin/uname"
        chmod 755 "$root/usr/bin/uname"
    fi
    if ((no_systemd)); then
        rm -rf "$root"/lib/systemd/systemd "$root"/usr/bin/{systemctl,journalctl,systemd-run} "$root"/usr/sbin/init
    fi
    if [[ -n "$trust" ]]; then
        cp "$state/trust.crt" "$root/usr/local/share/ca-certificates/lab.crt"
        chroot "$root" update-ca-certificates >/dev/null
    fi
}

# A cable between the box and the caller's network namespace, and nothing else: no default route, no forwarding.
connect() {
    ip link set lo up
    ip link add host0 type veth peer name "$link" netns "$caller"
    ip address add "$subnet.2/30" dev host0
    ip link set host0 up
    nsenter --net="/proc/$caller/ns/net" sh -ec "ip link set '$link' up; ip address add '$subnet.1/30' dev '$link'"
    [[ -n "$dashboard_port" ]] || return 0
    echo 1 >/proc/sys/net/ipv4/conf/host0/route_localnet
    nft -f - <<RULES
table ip lab_dashboard {
    chain output { type nat hook output priority -100; ip daddr 127.0.0.1 tcp dport $dashboard_port dnat to $subnet.1; }
    chain postrouting { type nat hook postrouting priority 100; oifname "host0" ip saddr 127.0.0.0/8 snat to $subnet.2; }
}
RULES
}

namespace='' container='' again=0 stopping=0
# For the traps; wait returns when one ran.
stop() {
    stopping=1
    kill -TERM "$container" 2>/dev/null || true
}
reboot() {
    again=1
    kill -TERM "$container" 2>/dev/null || true
}
cut_power() {
    again=1
    kill -KILL "$container" 2>/dev/null || true
}

boot() {
    local arguments=(--quiet --directory="$root" --machine="$name" --hostname="$name" --register=no --keep-unit --console=pipe
        --network-namespace-path=/proc/self/ns/net --resolv-conf=off --timezone=off --link-journal=no)
    if ((noexec_tmp)); then arguments+=("--tmpfs=/tmp:mode=1777,noexec" "--tmpfs=/var/tmp:mode=1777,noexec"); fi
    if ((no_systemd)); then arguments+=(--as-pid2 -- /bin/sh -c 'mkdir -p /run/sshd && exec /usr/sbin/sshd -D'); else arguments+=(--boot); fi
    # The processes of a container outlive a killed systemd-nspawn, but not the process namespace that it is the first of; that ends with
    # this process, however that ends. Like most servers' /tmp, the box's is on its disk.
    SYSTEMD_NSPAWN_TMPFS_TMP=0 setpriv --pdeathsig KILL -- unshare --pid --fork --kill-child --mount-proc -- \
        systemd-nspawn "${arguments[@]}" </dev/null &
    namespace=$!
    container=''
    while [[ -z "$container" ]] && kill -0 "$namespace" 2>/dev/null; do
        read -r container 2>/dev/null <"/proc/$namespace/task/$namespace/children" || true
    done
    printf '%s\n' "$container" >"$state/container"
}

# ended: waits for the container; its exit code.
ended() {
    local code=0
    while kill -0 "$namespace" 2>/dev/null; do wait "$namespace" && code=0 || code=$?; done
    return "$code"
}

main() {
    local code groups
    read -r -a groups <<<"$control_groups"
    join_group "${groups[@]}"
    make_disk
    identify
    vary
    connect
    trap stop TERM INT HUP
    trap reboot USR1
    trap cut_power USR2
    if [[ -n "$with" ]]; then
        # shellcheck disable=SC2016
        setpriv --pdeathsig KILL -- bash -c 'tail --pid="$1" -f /dev/null; kill -TERM "$2"' lab "$with" $$ &
    fi
    while :; do
        again=0 code=0
        boot
        ended || code=$?
        # systemd-nspawn --keep-unit says 133 when the container asked for a reboot.
        if ((stopping)) || ((!again && code != 133)); then break; fi
    done
}

# Read whole before it runs, so that editing this file leaves the boxes that are up alone.
{
    main
    exit
}
