"""Asks at a steady rate, whatever the answers do: `pace PORT PATH RATE SECONDS CONNECTIONS ENDING`.

Open loop: latency counts from the moment a request was due, also when every connection was busy then. ENDING is what the answer's body ends with.
(h2load's --rps counts from when a request was sent, so a proxy that holds all up would look good.)
"""

import collections
import gc
import json
import select
import sys
import time

from . import common
from ..figures import percentile

#: How long answers may be out after the last request.
PATIENCE = 5


class Pace:
    def __init__(self, port: int, path: str, connections: int, ending: bytes):
        self.asked, self.ending = common.request(path, port), ending
        self.sockets = {}
        self.poll = select.epoll()
        for _ in range(connections):
            connection = common.connect(port, None)
            connection.setblocking(False)
            self.sockets[connection.fileno()] = connection
            self.poll.register(connection, select.EPOLLIN)
        self.free = collections.deque(self.sockets)
        self.due_at: dict[int, float] = {}
        self.begun: dict[int, bytes] = {}
        self.took: list[float] = []
        self.late: list[float] = []
        self.failed = 0

    def ask(self, due: float) -> None:
        number = self.free.popleft()
        self.late.append(time.perf_counter() - due)
        self.due_at[number] = due
        try:
            self.sockets[number].send(self.asked)
        except OSError:
            self.drop(number)

    def take(self, number: int) -> None:
        try:
            piece = self.sockets[number].recv(65536)
        except OSError:
            piece = b""
        answer = self.begun.pop(number, b"") + piece
        if not piece or not answer.startswith(b"HTTP/1.1 200"[: len(answer)]):
            self.drop(number)
        elif answer.endswith(self.ending):
            self.took.append(time.perf_counter() - self.due_at.pop(number))
            self.free.append(number)
        else:
            self.begun[number] = answer

    def drop(self, number: int) -> None:
        """A connection that failed is not used again."""
        self.failed += self.due_at.pop(number, None) is not None
        if number in self.free:
            self.free.remove(number)
        self.poll.unregister(number)
        self.sockets.pop(number).close()

    def run(self, rate: float, seconds: float) -> None:
        total, sent = int(rate * seconds), 0
        start = time.perf_counter() + 0.05
        end = start + seconds + PATIENCE
        while len(self.took) + self.failed < total and (now := time.perf_counter()) < end and self.sockets:
            while sent < total and start + sent / rate <= now and self.free:
                self.ask(start + sent / rate)
                sent += 1
            next_due = start + sent / rate if sent < total and self.free else now + 0.1
            if (wait := next_due - time.perf_counter()) > 0:
                select.select([self.poll], [], [], wait)  # epoll's own timeout is in whole milliseconds
            for number, _ in self.poll.poll(0):
                self.take(number)
        self.failed += total - len(self.took) - self.failed


def main() -> None:
    port, path, rate, seconds, connections = int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])
    pace = Pace(port, path, connections, sys.argv[6].encode())
    gc.disable()
    pace.run(rate, seconds)
    took, late = sorted(1000 * time for time in pace.took), sorted(1000 * time for time in pace.late)
    latency = {"p50": percentile(took, 0.5), "p99": percentile(took, 0.99), "max": percentile(took, 1)}
    figures = {"done": len(took), "failed": pace.failed, **latency, "late": percentile(late, 0.99)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
