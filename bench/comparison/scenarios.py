"""What is measured, by which load, and what our figures are to be.

Left out: the time in which a new configuration is applied. From outside there is no way to give one to a gateway that runs: the stand-in
dashboard of bench/serve has one configuration only, and the gateway takes configurations from nobody but its dashboard.
"""

import dataclasses
import json
import os
import subprocess
import time
from collections.abc import Callable

from . import generators, processes
from .bench import Bench
from .figures import Aim, Sample
from .proxies import Proxy, log_lines

#: Until what a load has left behind is done: connections closed, log lines written.
SETTLE = 0.5
#: A start is short, so each round is as many.
STARTS = 5
#: Memory hardly varies.
MOST_ROUNDS_OF_IDLE = 2

Measure = Callable[[Bench, Proxy, float], Sample]


@dataclasses.dataclass(frozen=True)
class Column:
    figure: str
    heading: str
    decimals: int


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    measure: Measure
    #: The first is the main figure; less of it is better.
    columns: tuple[Column, ...]
    aims: tuple[Aim, ...]
    tls: bool = False
    proxies: tuple[str, ...] = ("nginx", "haproxy", "gateway")
    #: It starts each proxy anew for every measurement.
    fresh: bool = False
    most_rounds: int | None = None
    times_rounds: int = 1
    #: What each can do at most, when that decides what all are asked for.
    saturated: Measure | None = None

    def rounds(self, wanted: int) -> int:
        return min(wanted, self.most_rounds or wanted) * self.times_rounds

    @property
    def main(self) -> Column:
        return self.columns[0]


def under_load(bench: Bench, proxy: Proxy, per: float, load: Callable[[], Sample], count: str = "done") -> Sample:
    """The proxy's processor seconds for so many units of what the load counts, beside what the load itself tells."""
    os.truncate(proxy.log, 0)
    began, machine, own, cpu = time.monotonic(), processes.machine_seconds(), processes.own_seconds(), proxy.cpu()
    told = load()
    time.sleep(SETTLE)
    used = proxy.cpu() - cpu
    took = time.monotonic() - began
    others = processes.machine_seconds() - machine - (processes.own_seconds() - own)
    if not told[count]:
        raise RuntimeError(f"{proxy.name} answered nothing: {proxy.last_words()}")
    shares = {"logged": log_lines(proxy.log) / told["done"], "others": max(0.0, 100 * others / took / processes.CORES)}
    return {**told, "cpu": per * used / told[count], **shares}


def small(bench: Bench, proxy: Proxy, seconds: float) -> Sample:
    return under_load(bench, proxy, 100_000, lambda: generators.wrk(bench, proxy, seconds))


def small_h2(bench: Bench, proxy: Proxy, seconds: float) -> Sample:
    return under_load(bench, proxy, 100_000, lambda: generators.h2load(bench, proxy, seconds))


def body(bench: Bench, proxy: Proxy, seconds: float) -> Sample:
    return under_load(bench, proxy, 1e9, lambda: generators.downloads(bench, proxy, seconds), count="bytes")


def connect(bench: Bench, proxy: Proxy, seconds: float) -> Sample:
    return under_load(bench, proxy, 10_000, lambda: generators.wrk(bench, proxy, seconds, "-H", "Connection: close"))


def connect_tls(bench: Bench, proxy: Proxy, seconds: float) -> Sample:
    return under_load(bench, proxy, 10_000, lambda: generators.handshakes(bench, proxy, seconds))


def saturated(bench: Bench, proxy: Proxy, seconds: float) -> Sample:
    return generators.wrk(bench, proxy, seconds)


def latency(bench: Bench, proxy: Proxy, seconds: float) -> Sample:
    return under_load(bench, proxy, 100_000, lambda: generators.paced(bench, proxy, seconds, bench.rate))


def idle(bench: Bench, proxy: Proxy, _seconds: float) -> Sample:
    """What a connection that rests costs in memory, of a proxy that was just started."""
    proxy.start()
    time.sleep(SETTLE)
    before = processes.memory(proxy.pid())
    wanted = min(bench.idle_connections, bench.most_connections - 100)
    command = generators.client_command("crowd", proxy.port, "/small", wanted, *generators.tls_argument(proxy))
    crowd = bench.children.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=bench.client_environment())
    resting = json.loads(crowd.stdout.readline())
    time.sleep(SETTLE)
    rss, pss = (now - then for now, then in zip(processes.memory(proxy.pid()), before))
    crowd.stdin.write("\n")
    crowd.stdin.flush()
    still = json.loads(crowd.stdout.readline())["open"]
    bench.children.end(crowd)
    count = max(1, resting["done"])
    return {"pss": pss / count / 1000, "rss": rss / count / 1000, "open": still, "failed": wanted - still}


def start(bench: Bench, proxy: Proxy, _seconds: float) -> Sample:
    """Milliseconds from exec to the end of the first answer."""
    bench.stamper = bench.folder / "stamper"
    try:
        proxy.launch()
        answered = proxy.answered(pause=0.0002)
        return {"ms": 1000 * (answered - proxy.started_at()), "failed": 0}
    finally:
        bench.stamper = None


PER_REQUESTS = Column("cpu", "CPU s per 100,000 requests", 2)
PER_CONNECTIONS = Column("cpu", "CPU s per 10,000 connections", 2)
PER_GIGABYTE = Column("cpu", "CPU s per GB", 3)
RATE, P50, P99 = Column("rate", "requests/s", 0), Column("p50", "p50 ms", 2), Column("p99", "p99 ms", 2)
CHECKS = (Column("failed", "failed", 0), Column("logged", "log lines per request", 3), Column("others", "other work %", 0))
NEW = Column("rate", "connections/s", 0)
BYTES = Column("rate", "GB/s", 2)
MEMORY = (Column("pss", "PSS growth, KB a connection", 2), Column("rss", "RSS growth, KB a connection", 2), Column("open", "still open", 0), Column("failed", "failed", 0))

SMALL_AIMS = (Aim(1.0, "nginx", least=1.1),)
TLS_AIMS = (Aim(0.75, "nginx"), Aim(0.9, "haproxy"))

ALL = (
    Scenario("small", "small requests on keep-alive connections", small, (PER_REQUESTS, RATE, P50, P99, *CHECKS), SMALL_AIMS),
    Scenario("small-tls", "small requests over TLS 1.3", small, (PER_REQUESTS, RATE, P50, P99, *CHECKS), TLS_AIMS, tls=True),
    Scenario(
        "small-h2",
        "small requests over HTTP/2 and TLS 1.3",
        small_h2,
        (PER_REQUESTS, RATE, Column("mean", "mean ms", 2), *CHECKS),
        TLS_AIMS,
        tls=True,
    ),
    Scenario(
        "body",
        "answers of 100 MB",
        body,
        (PER_GIGABYTE, BYTES, *CHECKS),
        (Aim(0.6, "nginx"), Aim(1.0, "haproxy-splice")),
        proxies=("nginx", "haproxy", "haproxy-splice", "gateway"),
    ),
    Scenario("body-tls", "answers of 100 MB over TLS 1.3", body, (PER_GIGABYTE, BYTES, *CHECKS), (Aim(0.8, "nginx"),), tls=True),
    Scenario("connect", "a new connection for each request", connect, (PER_CONNECTIONS, NEW, P50, P99, *CHECKS), (Aim(1.0, "nginx"),)),
    Scenario(
        "connect-tls",
        "a new connection with a full TLS 1.3 handshake for each request",
        connect_tls,
        (PER_CONNECTIONS, NEW, P50, P99, *CHECKS),
        (Aim(1.0, "nginx"),),
        tls=True,
    ),
    Scenario("idle", "memory of connections that rest", idle, MEMORY, (Aim(20),), fresh=True, most_rounds=MOST_ROUNDS_OF_IDLE),
    Scenario("idle-tls", "memory of TLS connections that rest", idle, MEMORY, (Aim(30),), tls=True, fresh=True, most_rounds=MOST_ROUNDS_OF_IDLE),
    Scenario(
        "latency",
        "latency at 70 % of what the slowest can do",
        latency,
        (P99, P50, Column("max", "max ms", 1), RATE, Column("late", "generator late, p99 ms", 2), PER_REQUESTS, *CHECKS),
        (Aim(1.1, "nginx"),),
        saturated=saturated,
    ),
    Scenario(
        "start",
        "from exec to the first answer",
        start,
        (Column("ms", "ms", 1), Column("failed", "failed", 0)),
        (Aim(50),),
        fresh=True,
        times_rounds=STARTS,
    ),
)
BY_NAME = {scenario.name: scenario for scenario in ALL}
#: Names of --only that mean several.
GROUPS = {"idle": ("idle", "idle-tls")}
