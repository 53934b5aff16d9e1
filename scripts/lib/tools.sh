# shellcheck shell=bash
# Finds or installs what building, running and testing need. Source it after common.sh; call the ensure_… functions.
#
# Debian packages are installed only when what they give is missing. Nothing else of the system is changed.

OLDEST_RUST=1.95
# The UI's tools need Node 20.19 or newer; this one is taken when the system has none. It and its npm are packages of the npm registry,
# because Debian 12's own Node is 18.
PINNED_NODE=22.23.3
PINNED_NPM=11.19.1
NODE_HOME="$REPOSITORY/.cache/node-$PINNED_NODE"

missing_packages=()

# want PACKAGE CONDITION...: notes the Debian package when the condition does not hold.
want() {
    local package="$1"
    shift
    if [[ " ${missing_packages[*]} " != *" $package "* ]] && ! "$@" >/dev/null 2>&1; then missing_packages+=("$package"); fi
}

in_foreground() {
    printf '  ...   %s\n' "$1"
    shift
    sudo "$@"
}

# install_wanted: installs the noted packages, as root or with sudo.
install_wanted() {
    if ((${#missing_packages[@]} == 0)); then return 0; fi
    local list="${missing_packages[*]}" runner=(step)
    have apt-get || die "these programs are missing (their Debian names): $list; install them and start again"
    if ((EUID != 0)); then
        have sudo || die "these Debian packages are missing; install them as root, then start again: apt-get install $list"
        # In the foreground: it may ask for a password.
        runner=(in_foreground)
    fi
    # Lists that could not be fetched are no error of apt-get's; the second command then fails.
    local unreachable="Debian's package servers cannot be reached; check the network, or install these packages yourself and start again: $list"
    local failed="Debian packages could not be installed; mend what is said above, or install them yourself and start again: $list"
    "${runner[@]}" "Debian's package lists" apt-get -q update || step_die "$failed" "$unreachable"
    "${runner[@]}" "Debian packages: $list" env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 install "${missing_packages[@]}" || step_die "$failed" "$unreachable"
    missing_packages=()
    hash -r
}

# at_least VERSION MINIMUM
at_least() { [[ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" == "$2" ]]; }

version_of() { "$@" 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1; }

rust_is_new_enough() {
    local tool
    for tool in cargo rustc; do
        at_least "$(version_of "$tool" --version || echo 0)" "$OLDEST_RUST" || return 1
    done
}

postgres_is_installed() {
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || { have pg_config && [[ -x "$(pg_config --bindir)/initdb" ]]; }
}

chromium_is_installed() { have chromium || have chromium-browser; }

# want_lab: what scripts/lab uses.
want_lab() {
    want mmdebstrap have mmdebstrap
    want systemd-container have systemd-nspawn
    want iproute2 have ip
    want nftables have nft
    want openssh-client have ssh-keygen
}

# want_rust [clippy] [rustfmt]: notes what is missing of cargo, rustc, the C compiler that some crates need, and the named tools.
want_rust() {
    if ! rust_is_new_enough && [[ -d "${CARGO_HOME:-$HOME/.cargo}/bin" ]]; then PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"; fi
    want gcc have cc
    want libc6-dev test -e /usr/include/stdio.h
    want ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
    # Debian's "-web" packages are the newest Rust that a stable release has.
    if ! rust_is_new_enough; then missing_packages+=(cargo-web rustc-web); fi
    local tool
    for tool in "$@"; do
        case "$tool" in
        clippy) want rust-web-clippy cargo clippy --version ;;
        rustfmt) want rustfmt-web cargo fmt --version ;;
        esac
    done
}

check_rust() {
    rust_is_new_enough || die "Rust $OLDEST_RUST or newer is needed but $(version_of rustc --version || echo none) was found; install Debian's cargo-web and rustc-web from its security updates, or put a newer cargo first in PATH"
}

node_is_new_enough() {
    have npm || return 1
    local version
    version="$(version_of node --version)" || return 1
    at_least "$version" 20.19 && { ((${version%%.*} != 21)) && { ((${version%%.*} != 22)) || at_least "$version" 22.12; }; }
}

want_node() {
    if [[ -x "$NODE_HOME/node_modules/.bin/node" ]]; then PATH="$NODE_HOME/node_modules/.bin:$PATH"; fi
    if node_is_new_enough; then return 0; fi
    want ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
    want npm have npm
}

# ensure_node: after install_wanted. Puts a Node that is new enough first in PATH.
ensure_node() {
    if node_is_new_enough; then return 0; fi
    local platform
    case "$(uname -m)" in
    x86_64) platform=x64 ;;
    aarch64) platform=arm64 ;;
    *) die "Node 20.19 or newer is needed; install it and put it first in PATH" ;;
    esac
    rm -rf "$NODE_HOME"
    mkdir -p "$NODE_HOME"
    # These packages hold the programs themselves, so no install script has to run.
    step "Node $PINNED_NODE" npm install --prefix "$NODE_HOME" --no-save --no-package-lock --ignore-scripts --no-audit --no-fund \
        "node-linux-$platform@$PINNED_NODE" "npm@$PINNED_NPM" || {
        rm -rf "$NODE_HOME"
        local remedy='or install Node 20.19 or newer yourself and put it first in PATH'
        step_die "Node $PINNED_NODE could not be installed; mend what is said above, $remedy" "Node $PINNED_NODE could not be fetched; check the network, $remedy"
    }
    PATH="$NODE_HOME/node_modules/.bin:$PATH"
    hash -r
    node_is_new_enough || die "the Node in $NODE_HOME does not run on this machine; install Node 20.19 or newer yourself and put it first in PATH"
}

# ensure_modules FOLDER: npm's packages of that folder, from its lockfile, when that changed since the last time.
ensure_modules() {
    local folder="$1" stamp="$REPOSITORY/$1/node_modules/.installed-from" now
    now="$(cat "$REPOSITORY/$folder/package-lock.json" "$REPOSITORY/$folder/package.json" <(node --version) | sha256sum)"
    if [[ "$(cat "$stamp" 2>/dev/null)" == "$now" ]]; then return 0; fi
    step "npm packages of $folder/" npm --prefix "$REPOSITORY/$folder" ci --no-audit --no-fund ||
        step_die "the npm packages of $folder/ could not be installed; the reason is above" "the npm packages of $folder/ could not be fetched; check the network and start again"
    printf '%s\n' "$now" >"$stamp"
}

# ensure_web: the UI in web/dist, when a source of it changed since the last time.
ensure_web() {
    ensure_modules web
    local stamp="$REPOSITORY/.cache/web-built-from" now
    now="$(cd "$REPOSITORY" && find web openapi -path web/node_modules -prune -o -path web/dist -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)"
    if [[ -e "$REPOSITORY/web/dist/index.html" && "$(cat "$stamp" 2>/dev/null)" == "$now" ]]; then return 0; fi
    step "the web interface" npm --prefix "$REPOSITORY/web" run build || step_die 'the web interface did not build; its errors are above'
    mkdir -p "$REPOSITORY/.cache"
    printf '%s\n' "$now" >"$stamp"
}
