#!/usr/bin/env bash
# A Debian 13 that was a Debian 12: PostgreSQL 15 of the old release still there beside the 17 of the new one, without clusters. scripts/lab
# calls it as root, in a mount namespace of its own; the text of this file names the tree.
#
# Usage: lab_base_upgraded.sh FOLDER
set -euo pipefail
tree="$1"

# The old release's packages are taken where the new one has none of that name. The hook's $1 is the tree.
# shellcheck disable=SC2016
mmdebstrap --mode=root --variant=minbase \
    --include=systemd,systemd-sysv,libpam-systemd,dbus,openssh-server,sudo,iproute2,procps,ca-certificates,openssl,adduser,postgresql-17,postgresql-15 \
    --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "2"' --aptopt='Acquire::http::Timeout "20"' --aptopt='Apt::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --essential-hook='mkdir -p "$1/etc/postgresql-common" && printf "create_main_cluster = false\n" >"$1/etc/postgresql-common/createcluster.conf"' \
    trixie "$tree" 'deb http://deb.debian.org/debian trixie main' 'deb http://deb.debian.org/debian bookworm main'

rm -f "$tree"/etc/ssh/ssh_host_* "$tree"/etc/machine-id "$tree"/var/lib/dbus/machine-id
: >"$tree/etc/machine-id"
printf 'PermitRootLogin yes\nPasswordAuthentication yes\n' >"$tree/etc/ssh/sshd_config.d/lab.conf"
rm -f "$tree/usr/sbin/policy-rc.d" "$tree/etc/resolv.conf"
for user in asker sudoer plain; do
    chroot "$tree" useradd --create-home --shell /bin/bash "$user"
done
printf 'asker ALL=(ALL:ALL) ALL\nsudoer ALL=(ALL:ALL) NOPASSWD: ALL\n' >"$tree/etc/sudoers.d/lab"
chmod 0440 "$tree/etc/sudoers.d/lab"
