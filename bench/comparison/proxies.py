"""The proxies that are compared, each with a configuration of its own and as many threads as it is told."""

import os
import pathlib
import re
import socket
import ssl
import subprocess
import time

from . import processes
from .bench import Bench

READY_WITHIN = 40


class NotYet(Exception):
    """The gateway cannot do this (yet). Its rows say so."""


class Proxy:
    """One proxy in front of the backend."""

    name = ""

    def __init__(self, bench: Bench, threads: int, tls: bool):
        self.bench, self.threads, self.tls = bench, threads, tls
        self.port = bench.free_port()
        self.folder = bench.folder / f"{self.name}-{self.port}"
        self.log = self.folder / "access.log"
        self.errors = self.folder / "errors.log"
        self.process: subprocess.Popen | None = None

    def configuration(self) -> str:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def program(self, name: str) -> str:
        """What to start instead of the program: what notes the time first, see starting()."""
        return str(self.bench.stamper) if self.bench.stamper else name

    def environment(self) -> dict[str, str]:
        return {**os.environ, "TMPDIR": str(self.folder), "COMPARE_PROGRAM": self.real_program(), "COMPARE_STAMP": str(self.folder / "stamp")}

    def real_program(self) -> str:
        raise NotImplementedError

    def launch(self) -> None:
        self.folder.mkdir()
        self.folder.chmod(0o711)
        (self.folder / "configuration").write_text(self.configuration())
        with self.log.open("ab") as log, self.errors.open("ab") as errors:
            self.process = self.bench.children.start(self.command(), stdout=log, stderr=errors, env=self.environment())

    def start(self) -> None:
        """Until it has answered a request."""
        self.launch()
        self.answered(pause=0.01)

    def answered(self, pause: float) -> float:
        """Asks until there is an answer; returns when that was."""
        end = time.monotonic() + READY_WITHIN
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.name} did not start: {self.last_words()}")
            time.sleep(pause)
        return time.time()

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                if self.tls:
                    connection = unverified().wrap_socket(connection, server_hostname="localhost")
                connection.sendall(b"GET /small HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return connection.recv(65536).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def last_words(self) -> str:
        lines = [line for line in self.errors.read_text(errors="replace").splitlines() if line.strip()]
        return (lines or ["it said nothing"])[-1]

    def pid(self) -> int:
        return self.process.pid

    def cpu(self) -> float:
        return processes.cpu_seconds(self.pid())

    def memory(self) -> tuple[int, int]:
        return processes.memory(self.pid())

    def started_at(self) -> float:
        return float((self.folder / "stamp").read_text())

    def end(self) -> None:
        if self.process:
            self.bench.children.end(self.process)
            self.process = None
        self.bench.remove(self.folder)

    def url(self, path: str) -> str:
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}{path}"


class Nginx(Proxy):
    name = "nginx"

    def real_program(self) -> str:
        return "nginx"

    def command(self) -> list[str]:
        return [self.program("nginx"), "-e", str(self.errors), "-p", str(self.folder), "-c", str(self.folder / "configuration")]

    def configuration(self) -> str:
        tls = f"ssl_certificate {self.bench.certificate}; ssl_certificate_key {self.bench.key}; ssl_protocols TLSv1.2 TLSv1.3;" if self.tls else ""
        scheme = "https" if self.tls else "http"
        return f"""{self.bench.nginx_basics(self.folder, self.threads)}
    log_format compare escape=json '{{"timestamp":"$time_iso8601","level":"INFO","target":"access","client":"$remote_addr","method":"$request_method","host":"$http_host","path":"$uri",'
        '"user_agent":"$http_user_agent","status":$status,"bytes_in":$request_length,"bytes_out":$body_bytes_sent,"duration_ms":$request_time,"upstream":"$upstream_addr",'
        '"request_id":"$request_id","outcome":"$request_completion"}}';
    access_log {self.log} compare buffer=32k flush=200ms;
    upstream backend {{
        server 127.0.0.1:{self.bench.backend_port};
        keepalive 256;
        keepalive_requests 1000000000;
        keepalive_timeout 600s;
    }}
    server {{
        listen 127.0.0.1:{self.port} backlog=4096{" ssl http2" if self.tls else ""};
        {tls}
        location / {{
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_buffer_size 64k;
            proxy_buffers 8 64k;
            # Its default would write what the visitor has not taken yet to disk.
            proxy_max_temp_file_size 0;
            proxy_set_header Host $http_host;
            proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-Proto {scheme};
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Request-Id $request_id;
            add_header X-Request-Id $request_id always;
        }}
    }}
}}
"""


class HAProxy(Proxy):
    name = "haproxy"
    splice = False

    def real_program(self) -> str:
        return "haproxy"

    def command(self) -> list[str]:
        return [self.program("haproxy"), "-db", "-f", str(self.folder / "configuration")]

    def configuration(self) -> str:
        tls = f" ssl crt {self.bench.both_in_one} alpn h2,http/1.1" if self.tls else ""
        scheme = "https" if self.tls else "http"
        return f"""global
    nbthread {self.threads}
    maxconn {self.bench.most_connections}
    # It would want two files for each connection, and end when it cannot have them.
    no strict-limits
    maxpipes 200
    log stdout len 4096 format raw local0 info

defaults
    mode http
    log global
    option dontlognull
    {"option splice-auto" if self.splice else ""}
    timeout connect 5s
    timeout client 600s
    timeout server 600s
    timeout http-request 15s
    timeout http-keep-alive 600s
    http-reuse always

frontend visitors
    bind 127.0.0.1:{self.port}{tls}
    maxconn {self.bench.most_connections}
    unique-id-format %{{+X}}o%ci:%cp-%Ts-%rt:%pid
    unique-id-header X-Request-Id
    http-request capture req.hdr(host) len 255
    http-request capture req.hdr(user-agent) len 255
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Real-IP %[src]
    http-request set-header X-Forwarded-Proto {scheme}
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    http-response set-header X-Request-Id %[unique-id]
    log-format '{{"timestamp":"%tr","level":"INFO","target":"access","client":"%ci","method":"%HM","host":"%[capture.req.hdr(0),json(utf8s)]","path":"%HPO","user_agent":"%[capture.req.hdr(1),json(utf8s)]","status":%ST,"bytes_in":%U,"bytes_out":%B,"duration_ms":%Ta,"upstream":"%si:%sp","request_id":"%ID","outcome":"%tsc"}}'
    default_backend backend

backend backend
    server backend 127.0.0.1:{self.bench.backend_port}
"""


class SplicingHAProxy(HAProxy):
    name = "haproxy-splice"
    splice = True


class Gateway(Proxy):
    name = "gateway"

    def real_program(self) -> str:
        return str(self.bench.release / "proxima-gateway")

    def configuration(self) -> str:
        return ""

    def command(self) -> list[str]:
        tls = ["--tls", str(self.bench.certificate), str(self.bench.key)] if self.tls else []
        backend = f"http://127.0.0.1:{self.bench.backend_port}"
        serve = [str(self.bench.release / "serve"), "--gateway", self.program(self.real_program()), "--listen", f"127.0.0.1:{self.port}", "--backend", backend]
        return [*serve, *tls, "--", "--threads", str(self.threads), "--max-connections", str(self.bench.most_connections), "--drain-seconds", "1"]

    def answered(self, pause: float) -> float:
        try:
            return super().answered(pause)
        except RuntimeError as error:
            if self.tls:
                raise NotYet(str(error)) from None
            raise

    def last_words(self) -> str:
        refused = re.search(r"error: (unexpected argument .*)", self.errors.read_text(errors="replace"))
        return refused[1] if refused else super().last_words()

    def pid(self) -> int:
        """The gateway's own: what starts it also plays the dashboard."""
        said = re.search(r"serving at \S+ \(pid (\d+)\)", self.errors.read_text(errors="replace"))
        return int(said[1]) if said else next(pid for pid in processes.family_of(self.process.pid) if pid != self.process.pid)


def unverified() -> ssl.SSLContext:
    """The certificate is our own, made for this run."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


KINDS: dict[str, type[Proxy]] = {kind.name: kind for kind in (Nginx, HAProxy, SplicingHAProxy, Gateway)}


def log_lines(path: pathlib.Path) -> int:
    with path.open("rb") as log:
        return sum(piece.count(b"\n") for piece in iter(lambda: log.read(1 << 20), b""))
