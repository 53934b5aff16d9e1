"""Takes large answers, one after the other, on keep-alive connections: `downloads PORT PATH SECONDS CONNECTIONS [tls]`."""

import concurrent.futures
import json
import sys
import time

from . import common

#: As large as clients read at once when they are in a hurry.
SCRATCH = 256 * 1024


def take(port: int, path: str, seconds: float, tls: bool) -> tuple[int, int, int]:
    """Bytes, answers and failures of one connection. What has begun is taken to its end."""
    scratch, asked = memoryview(bytearray(SCRATCH)), common.request(path, port)
    context = common.context() if tls else None
    received = answers = failed = 0
    end = time.monotonic() + seconds
    connection = None
    while time.monotonic() < end or not answers + failed:
        try:
            connection = connection or common.connect(port, context)
            connection.sendall(asked)
            received += common.receive(connection, scratch)
            answers += 1
        except OSError:
            failed += 1
            connection = None
    return received, answers, failed


def main() -> None:
    port, path, seconds, connections, tls = int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), sys.argv[5:] == ["tls"]
    began = time.monotonic()
    # Threads do: they wait in the kernel or in OpenSSL, where Python's lock is not held.
    with concurrent.futures.ThreadPoolExecutor(connections) as threads:
        each = list(threads.map(lambda _: take(port, path, seconds, tls), range(connections)))
    received, answers, failed = (sum(column) for column in zip(*each))
    print(json.dumps({"bytes": received, "done": answers, "failed": failed, "seconds": time.monotonic() - began}))


if __name__ == "__main__":
    main()
