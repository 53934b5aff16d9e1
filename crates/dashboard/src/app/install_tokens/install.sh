#!/bin/sh
# Installs Proxima Gateway on this server, for the dashboard named below.
#
# The dashboard's install command sets PROXIMA_INSTALL_TOKEN and pipes this to sh. It becomes root, downloads the gateway,
# compares its SHA-256 with the one written here, and runs it as `setup enroll`: that says each step, and puts everything back
# when one fails. All of it is one function, so that a download that was cut off runs nothing.

proxima_install() {
    set -eu
    umask 022
    dashboard='@DASHBOARD@'
    token=${PROXIMA_INSTALL_TOKEN-}
    unset PROXIMA_INSTALL_TOKEN

    # fail SENTENCE REMEDY
    fail() {
        printf '\nNot installed: %s\n  %s\n' "$1" "$2" >&2
        exit 1
    }
    have() { command -v "$1" >/dev/null 2>&1; }

    case $token in
    pt_*) ;;
    *) fail 'there is no install token.' 'Run the whole command as the dashboard shows it.' ;;
    esac
    have curl || have wget || fail 'neither curl nor wget is here.' 'Install one of them, then run the command again.'

    if [ "$(id -u)" != 0 ]; then
        have sudo || fail 'you are not root, and there is no sudo.' 'Run the command as root.'
        echo 'This needs the rights of root: asking sudo.'
        url=$dashboard/install.sh
        if have curl; then script=$(curl -fsSL --max-redirs 0 "$url"); else script=$(wget -nv --max-redirect=0 -O- "$url"); fi
        # By standard input: arguments are shown to everybody, and sudo writes them into its log.
        printf 'PROXIMA_INSTALL_TOKEN=%s\n%s\n' "$token" "$script" | sudo sh
        exit
    fi

    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    export PATH
    [ -d /run/systemd/system ] || fail 'this server is not run by systemd.' \
        'Use a server with Debian, Ubuntu, Fedora, RHEL, Alma or Rocky Linux, openSUSE or Arch, not inside a plain container.'
    architecture=$(uname -m)
    sha256='' bytes=0
    case $architecture in
    # @PROGRAMS@
    *) ;;
    esac
    [ -n "$sha256" ] || fail "this dashboard has no gateway for $architecture servers." \
        'Its operator puts one into the release folder; until then this server cannot be installed.'

    folder=/usr/local/lib/proxima-gateway
    program=$folder/upload.$$
    settings=$program.settings
    trap 'rm -f "$program" "$settings"; rmdir "$folder" 2>/dev/null || true' EXIT
    trap 'exit 130' HUP INT TERM
    mkdir -p "$folder" || fail "$folder cannot be made." 'Make /usr/local writable, then run the command again.'

    echo "Downloading the gateway for $architecture ($((bytes / 1048576)) MB)."
    url=$dashboard/api/v1/install/program/$architecture
    # The token goes in a header, by a file that root alone reads.
    (umask 077 && : >"$settings")
    if have curl; then
        printf 'header = "Authorization: Bearer %s"\n' "$token" >"$settings"
        status=$(curl -sS --config "$settings" --connect-timeout 20 --max-time 900 -o "$program" -w '%{http_code}' "$url") ||
            fail 'the download did not succeed.' 'What curl says is above. Mend that, then run the command again.'
    else
        printf 'header = Authorization: Bearer %s\n' "$token" >"$settings"
        code=0
        said=$(WGETRC=$settings wget -nv --max-redirect=0 --tries=1 --timeout=60 -O "$program" "$url" 2>&1) || code=$?
        # Its exit statuses: 0 done, 6 refused the token, anything else is said by itself.
        case $code in
        0) status=200 ;;
        6) status=401 ;;
        *)
            echo "$said" >&2
            fail 'the download did not succeed.' 'What wget says is above. Mend that, then run the command again.'
            ;;
        esac
    fi
    case $status in
    200) ;;
    401) fail 'the install token is used, withdrawn or expired.' 'Make another command in the dashboard.' ;;
    503) fail 'the dashboard is busy.' 'Run the same command again in a minute.' ;;
    *) fail "the dashboard answered with HTTP status $status." 'Run the command again; if it stays so, tell the operator.' ;;
    esac
    found=$(sha256sum <"$program")
    [ "${found%% *}" = "$sha256" ] || fail 'what was downloaded is not what the dashboard has.' \
        'Run the command again: the operator may just have replaced the program.'
    chmod 755 "$program"
    printf '%s\n' "$token" | "$program" setup enroll "$dashboard"
}

proxima_install
