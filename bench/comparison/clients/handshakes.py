"""Asks once on each connection and opens the next: `handshakes PORT PATH SECONDS PROCESSES [tls]`. Every TLS handshake is a full one."""

import concurrent.futures
import json
import sys
import time

from . import common
from ..figures import percentile


def ask(port: int, path: str, seconds: float, tls: bool) -> tuple[list[float], int, int]:
    """Milliseconds from the first packet to the whole answer; failures; handshakes that were not full."""
    scratch, asked = memoryview(bytearray(65536)), common.request(path, port, ("Connection", "close"))
    context = common.context() if tls else None
    took: list[float] = []
    failed = resumed = 0
    end = time.monotonic() + seconds
    while (began := time.monotonic()) < end:
        try:
            with common.connect(port, context) as connection:
                connection.sendall(asked)
                common.receive(connection, scratch)
                resumed += bool(tls and connection.session_reused)
            took.append(1000 * (time.monotonic() - began))
        except OSError:
            failed += 1
    return took, failed, resumed


def main() -> None:
    port, path, seconds, processes, tls = int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), sys.argv[5:] == ["tls"]
    began = time.monotonic()
    with concurrent.futures.ProcessPoolExecutor(processes) as pool:
        each = [future.result() for future in [pool.submit(ask, port, path, seconds, tls) for _ in range(processes)]]
    took = sorted(time for one, _, _ in each for time in one)
    failed, resumed = sum(one[1] for one in each), sum(one[2] for one in each)
    figures = {"done": len(took), "failed": failed, "resumed": resumed, "seconds": time.monotonic() - began, "p50": percentile(took, 0.5), "p99": percentile(took, 0.99)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
