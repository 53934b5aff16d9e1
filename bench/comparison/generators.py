"""The programs that make the load, and what they say."""

import json
import re
import sys

from .bench import SMALL, Bench
from .clients.common import HEADERS
from .figures import Sample
from .proxies import NotYet, Proxy

#: Of wrk: connections of the closed loop.
CONNECTIONS = 64
WRK_THREADS = 2
#: Of h2load.
H2_CONNECTIONS, H2_STREAMS = 8, 16
#: Of the generators in clients/.
DOWNLOADS, HANDSHAKERS, PACED_CONNECTIONS = 4, 4, 256
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0, "h": 3_600_000.0}


def number(pattern: str, text: str, otherwise: float | None = None) -> float:
    found = re.search(pattern, text, re.MULTILINE)
    if found:
        return float(found[1])
    if otherwise is None:
        raise ValueError(f"nothing like {pattern!r} in: {text.strip()[-500:]}")
    return otherwise


def milliseconds(pattern: str, text: str) -> float:
    """`pattern` ends where the time begins: 850.00us, 1.25ms, 2.00s."""
    found = re.search(pattern + r"\s*([\d.]+)(us|ms|s|m|h)\b", text, re.MULTILINE)
    if not found:
        raise ValueError(f"no time after {pattern!r} in: {text.strip()[-500:]}")
    return float(found[1]) * UNITS[found[2]]


def parse_wrk(text: str) -> Sample:
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    failed = sum(int(count) for count in broken.groups()) if broken else 0
    return {
        "done": number(r"^\s*(\d+) requests in ", text),
        "rate": number(r"^Requests/sec:\s*([\d.]+)", text),
        "p50": milliseconds(r"^\s*50%", text),
        "p99": milliseconds(r"^\s*99%", text),
        "failed": failed + number(r"Non-2xx or 3xx responses: (\d+)", text, 0),
    }


def parse_h2load(text: str) -> Sample:
    """What is still under way when the time is over is neither done nor failed."""
    counts = re.search(r"^requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text, re.MULTILINE)
    if not counts:
        raise ValueError(f"h2load counts nothing: {text.strip()[-500:]}")
    done, succeeded, *_ = (int(count) for count in counts.groups())
    return {
        "done": done,
        "rate": number(r"^finished in [^,]*, ([\d.]+) req/s", text),
        "mean": milliseconds(r"^time for request:\s*\S+\s+\S+", text),  # it tells no percentiles
        "failed": done - succeeded + number(r"^status codes: .* (\d+) 5xx", text) + number(r"^status codes: .* (\d+) 4xx", text),
    }


def h2load_protocol(text: str) -> str:
    found = re.search(r"^Application protocol: (\S+)", text, re.MULTILINE)
    return found[1] if found else "none"


def parse_negotiated(text: str) -> str:
    """What `openssl s_client` agreed on: version, cipher, group."""
    patterns = [r"^New, (TLSv[\d.]+),", r"Cipher is (\S+)", r"^Server Temp Key: ([^,\n]+)"]
    found = [re.search(pattern, text, re.MULTILINE) for pattern in patterns]
    return ", ".join(one[1] for one in found if one) or "nothing"


def header_options() -> list[str]:
    return [part for name, value in HEADERS for part in ("-H", f"{name}: {value}")]


def wrk(bench: Bench, proxy: Proxy, seconds: float, *more: str) -> Sample:
    whole_seconds = max(1, round(seconds))
    options = ["-t", str(WRK_THREADS), "-c", str(CONNECTIONS), "-d", f"{whole_seconds}s", "--timeout", "10s", "--latency", *header_options(), *more]
    return parse_wrk(bench.children.output_of(["wrk", *options, proxy.url("/small")], timeout=seconds + 60, env=bench.client_environment()))


def h2load(bench: Bench, proxy: Proxy, seconds: float) -> Sample:
    options = ["-D", str(max(1, round(seconds))), "-c", str(H2_CONNECTIONS), "-m", str(H2_STREAMS), "-t", "1", *header_options()]
    text = bench.children.output_of(["h2load", *options, proxy.url("/small")], timeout=seconds + 60, env=bench.client_environment())
    if (protocol := h2load_protocol(text)) != "h2":
        raise NotYet(f"it does not speak HTTP/2 (ALPN: {protocol})")
    return parse_h2load(text)


def client_command(name: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", f"comparison.clients.{name}", *(str(argument) for argument in arguments)]


def client(bench: Bench, seconds: float, name: str, *arguments: object) -> Sample:
    text = bench.children.output_of(client_command(name, *arguments), timeout=seconds + 120, env=bench.client_environment())
    return json.loads(text.splitlines()[-1])


def tls_argument(proxy: Proxy) -> list[str]:
    return ["tls"] if proxy.tls else []


def downloads(bench: Bench, proxy: Proxy, seconds: float) -> Sample:
    said = client(bench, seconds, "downloads", proxy.port, "/big", seconds, DOWNLOADS, *tls_argument(proxy))
    return {**said, "rate": said["bytes"] / said["seconds"] / 1e9}


def handshakes(bench: Bench, proxy: Proxy, seconds: float) -> Sample:
    said = client(bench, seconds, "handshakes", proxy.port, "/small", seconds, HANDSHAKERS, *tls_argument(proxy))
    return {**said, "rate": said["done"] / said["seconds"], "failed": said["failed"] + said["resumed"]}


def paced(bench: Bench, proxy: Proxy, seconds: float, rate: float) -> Sample:
    ending = SMALL.decode()[-20:]
    return {**client(bench, seconds, "pace", proxy.port, "/small", rate, seconds, PACED_CONNECTIONS, ending), "rate": rate}


def negotiated(bench: Bench, proxy: Proxy) -> str:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port}", "-servername", "localhost"]
    return parse_negotiated(bench.children.output_of(command, timeout=30, env=bench.client_environment()))
