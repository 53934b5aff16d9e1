#!/bin/sh
# Stands in for the gateway's binary: answers `setup` as the tests say, and remembers what it was asked.
[ "$1" = setup ] || exit 64
state=/usr/local/lib/fake lib=/usr/local/lib/proxima-gateway
mkdir -p $state
read -r request
action=$(echo "$request" | sed -n 's/.*"do":"\([A-Z]*\)".*/\1/p')
step=$(echo "$request" | sed -n 's/.*"step":"\([A-Z]*\)".*/\1/p')
name=$action${step:+-$step}
echo "$name" >>$state/asked
echo "$request" >>$state/requests
printf '\033[32mdoing\033[0m %s\n' "$name" >&2
if [ -f "$state/reply-$name" ]; then
    cat "$state/reply-$name"
    exit
fi
case $name in
APPLY-BINARY) cp $lib/staged $lib/proxima-gateway ;;
REVERT-BINARY | UNINSTALL) rm -f $lib/staged $lib/proxima-gateway ;;
COMMIT | UPDATE) rm -f $lib/staged ;;
esac
echo '{"protocol":1,"outcome":"CHANGED"}'
