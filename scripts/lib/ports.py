"""Says which of the given ports cannot be listened on: `ports.py dashboard=127.0.0.1:8080 gateway=*:8090`.

Prints `NAME PORT REASON`, tab-separated, for each that is not free; exits 1 when there is one.
"""

import errno
import socket
import sys


def refusal(host: str, port: int) -> str | None:
    hosts = ["0.0.0.0", "::"] if host == "*" else [host]
    for address in hosts:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            probe = socket.socket(family, socket.SOCK_STREAM)
        except OSError:
            continue  # no such address family on this machine
        with probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind((address, port))
                probe.listen(1)
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL and family == socket.AF_INET6:
                    continue
                return "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
    return None


def main() -> int:
    refused = 0
    for argument in sys.argv[1:]:
        name, _, target = argument.partition("=")
        host, _, port = target.rpartition(":")
        if not port.isdigit() or not 1 <= int(port) <= 65535:
            print(name, port, "is not a port number", sep="\t")
            refused = 1
        elif reason := refusal(host, int(port)):
            print(name, port, reason, sep="\t")
            refused = 1
    return refused


if __name__ == "__main__":
    sys.exit(main())
