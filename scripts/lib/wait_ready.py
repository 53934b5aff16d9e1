"""Waits until a URL answers 200: `wait_ready.py URL SECONDS PID`. Exits 1 when the process ended or the time is over."""

import os
import signal
import sys
import time
import urllib.request


def main() -> int:
    url, seconds, pid = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with opener.open(url, timeout=5) as answer:
                if answer.status == 200:
                    return 0
        except OSError:
            pass
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return 1
        time.sleep(0.1)
    return 1


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a trace of calls
    sys.exit(main())
