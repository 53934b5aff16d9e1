#!/usr/bin/env bash
# A lab box on which apt works although it has no network: the plain base with package lists, and in apt's cache PostgreSQL and all else
# that the dashboard's package asks for. None of it is installed. scripts/lab calls it as root, in a mount namespace of its own; the text of
# this file and the plain recipe's name the tree.
#
# Usage: lab_base_apt.sh FOLDER PLAIN-BASE
set -euo pipefail
tree="$1" plain="$2"

cp -a --reflink=auto "$plain" "$tree"
cp -L /etc/resolv.conf "$tree/etc/resolv.conf"
# With what the packages recommend, as a person's apt would.
in_tree() { chroot "$tree" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Acquire::Retries=2 -o APT::Keep-Downloaded-Packages=true "$@"; }
in_tree update
in_tree --download-only install adduser ca-certificates openssl postgresql systemd
# apt makes these again from the lists.
rm -f "$tree/etc/resolv.conf" "$tree"/var/cache/apt/*.bin
