"""What a run works with: its folder, its certificate, the backend, free ports."""

import dataclasses
import grp
import os
import pathlib
import pwd
import resource
import shutil
import socket
import time

from .processes import Children

#: The bodies that the backend answers with.
SMALL = b"<p>An answer of sixty-four bytes, as small ones mostly are.</p>\n"
BIG_BYTES = 100_000_000
#: What a proxy is to hold, and the files that it opens beside: connections to the backend, pipes, logs.
MOST_CONNECTIONS = 30_000
FILES_BESIDE = 1000
#: Below the ports that the kernel gives to outgoing connections.
FIRST_PORT, LAST_PORT = 18000, 30000
#: For the large answer and the log lines of one load.
FOLDER_NEEDS = 1 << 30
#: So that all negotiate the same, whatever each would prefer. The clients say it; the proxies keep their defaults.
CLIENT_TLS = """openssl_conf = start
[start]
ssl_conf = modules
[modules]
system_default = clients
[clients]
MinProtocol = TLSv1.3
MaxProtocol = TLSv1.3
Ciphersuites = TLS_AES_128_GCM_SHA256
Groups = X25519
"""
#: Notes when a program starts, to the microsecond, and becomes it.
STAMPER = """#!/bin/bash
printf '%s' "$EPOCHREALTIME" >"$COMPARE_STAMP"
exec "$COMPARE_PROGRAM" "$@"
"""


@dataclasses.dataclass
class Bench:
    folder: pathlib.Path
    #: Where the built programs are.
    release: pathlib.Path
    children: Children
    seconds: float
    rounds: int
    idle_connections: int = 10_000
    backend_port: int = 0
    #: Requests a second, where all are asked for the same.
    rate: float = 0
    #: While starts are measured.
    stamper: pathlib.Path | None = None
    _next_port: int = FIRST_PORT

    def prepare(self) -> None:
        if shutil.disk_usage(self.folder).free < FOLDER_NEEDS:
            raise RuntimeError(f"{self.folder} has less than 1 GiB free; name another folder in PROXIMA_BENCH_DIR")
        self.folder.chmod(0o711)  # nginx's workers are nobody
        self.client_tls.write_text(CLIENT_TLS)
        stamper = self.folder / "stamper"
        stamper.write_text(STAMPER)
        stamper.chmod(0o755)
        self._make_certificate()
        self._start_backend()

    @property
    def certificate(self) -> pathlib.Path:
        return self.folder / "certificate.pem"

    @property
    def key(self) -> pathlib.Path:
        return self.folder / "key.pem"

    @property
    def both_in_one(self) -> pathlib.Path:
        """As HAProxy wants them."""
        return self.folder / "both.pem"

    @property
    def client_tls(self) -> pathlib.Path:
        return self.folder / "openssl.cnf"

    @property
    def most_connections(self) -> int:
        return min(MOST_CONNECTIONS, open_files() - FILES_BESIDE)

    def client_environment(self) -> dict[str, str]:
        return {**os.environ, "OPENSSL_CONF": str(self.client_tls), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(pathlib.Path(__file__).parents[1])}

    def _make_certificate(self) -> None:
        subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "30", "-nodes"]
        files = ["-keyout", str(self.key), "-out", str(self.certificate)]
        self.children.output_of(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", *subject, *files], timeout=30)
        self.key.chmod(0o600)
        self.both_in_one.touch(mode=0o600)
        self.both_in_one.write_text(self.certificate.read_text() + self.key.read_text())

    def nginx_basics(self, folder: pathlib.Path, workers: int) -> str:
        """The beginning of a configuration, up to the open block http."""
        temporary = "\n".join(f"    {kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return f"""daemon off;
worker_processes {workers};
worker_rlimit_nofile {open_files()};
pid {folder}/nginx.pid;
{unprivileged()}
error_log {folder}/errors.log error;
events {{ worker_connections {self.most_connections}; }}
http {{
{temporary}
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
"""

    def _start_backend(self) -> None:
        self.backend_port = self.free_port()
        folder = self.folder / "backend"
        folder.mkdir()
        folder.chmod(0o711)
        with (folder / "big").open("wb") as big:
            for _ in range(BIG_BYTES // 1_000_000):
                big.write(os.urandom(1000) * 1000)
        (folder / "big").chmod(0o644)
        small = SMALL.decode().replace("\n", "\\n")
        (folder / "configuration").write_text(f"""{self.nginx_basics(folder, os.cpu_count() or 1)}
    access_log off;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=10;
    server {{
        listen 127.0.0.1:{self.backend_port} backlog=4096;
        location = /small {{
            default_type "text/html; charset=utf-8";
            add_header Cache-Control "private, max-age=0";
            add_header Vary "Accept-Encoding, Cookie";
            return 200 "{small}";
        }}
        location = /big {{ alias {folder}/big; }}
    }}
}}
""")
        errors = folder / "errors.log"
        with errors.open("ab") as output:
            backend = self.children.start(["nginx", "-e", str(errors), "-p", str(folder), "-c", str(folder / "configuration")], stderr=output)
        end = time.monotonic() + 10
        while not reachable(self.backend_port):
            if backend.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the backend did not start: {errors.read_text().strip()}")
            time.sleep(0.02)

    def free_port(self) -> int:
        while self._next_port < LAST_PORT:
            self._next_port += 1
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", self._next_port))
                except OSError:
                    continue
                return self._next_port
        raise RuntimeError("no port is free")

    def remove(self, folder: pathlib.Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)


def reachable(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def open_files() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def unprivileged() -> str:
    """nginx's line for whom its workers run as, when that can be chosen."""
    if os.geteuid() != 0:
        return ""
    return f"user nobody {grp.getgrgid(pwd.getpwnam('nobody').pw_gid).gr_name};"
