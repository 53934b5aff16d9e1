"""Many connections that have each asked once and now rest: `crowd PORT PATH CONNECTIONS [tls]`.

Prints a line when all rest, waits for a line, and prints how many its server still holds open.
"""

import itertools
import json
import socket
import sys

from . import common

#: Addresses to come from: each has ports of its own.
SOURCES = [f"127.0.0.{last}" for last in range(1, 5)]
#: Failures after which no more are tried.
TOO_MANY = 20


def rest(port: int, path: str, connections: int, tls: bool) -> tuple[list[socket.socket], int]:
    scratch, asked = memoryview(bytearray(65536)), common.request(path, port)
    context = common.context() if tls else None
    resting, failed = [], 0
    for source in itertools.islice(itertools.cycle(SOURCES), connections):
        try:
            connection = common.connect(port, context, source)
            connection.sendall(asked)
            common.receive(connection, scratch)
            # Without what Python and OpenSSL keep of it.
            resting.append(socket.socket(fileno=connection.detach()))
        except OSError:
            failed += 1
            if failed == TOO_MANY:
                break
    return resting, failed


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        while connection.recv(65536):  # tickets, which nobody has read
            pass
        return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def main() -> None:
    port, path, connections, tls = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:] == ["tls"]
    resting, failed = rest(port, path, connections, tls)
    print(json.dumps({"done": len(resting), "failed": failed}), flush=True)
    sys.stdin.readline()
    print(json.dumps({"open": sum(is_open(connection) for connection in resting)}), flush=True)


if __name__ == "__main__":
    main()
