#!/usr/bin/env bash
# Builds the tree that every lab box starts from: Debian 12 with systemd and OpenSSH, as a VPS provider hands it out. scripts/lab calls it
# as root, in a mount namespace of its own; the text of this file is the recipe that names the tree.
#
# Usage: lab_base.sh FOLDER
set -euo pipefail
tree="$1"

# Documentation would be half of the time and of the disk.
mmdebstrap --mode=root --variant=minbase \
    --include=systemd,systemd-sysv,libpam-systemd,dbus,openssh-server,sudo,iproute2,procps,ca-certificates,openssl,curl,wget \
    --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "2"' --aptopt='Acquire::http::Timeout "20"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    bookworm "$tree"

# What each box gets of its own when it starts: identity, host keys, passwords (scripts/lib/lab_box.sh).
rm -f "$tree"/etc/ssh/ssh_host_* "$tree"/etc/machine-id "$tree"/var/lib/dbus/machine-id
: >"$tree/etc/machine-id"
printf 'PermitRootLogin yes\nPasswordAuthentication yes\n' >"$tree/etc/ssh/sshd_config.d/lab.conf"
# A package's own start of a service must not be stopped by what the build left.
rm -f "$tree/usr/sbin/policy-rc.d" "$tree/etc/resolv.conf"

for user in asker sudoer plain; do
    chroot "$tree" useradd --create-home --shell /bin/bash "$user"
done
printf 'asker ALL=(ALL:ALL) ALL\nsudoer ALL=(ALL:ALL) NOPASSWD: ALL\n' >"$tree/etc/sudoers.d/lab"
chmod 0440 "$tree/etc/sudoers.d/lab"
