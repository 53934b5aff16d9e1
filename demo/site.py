#!/usr/bin/env python3
"""A small website to stand behind a gateway: pages, an image, a live stream, a slow answer, an upload, a WebSocket.

Usage: demo/site.py [--port 3000] [--host 127.0.0.1]
Only Python's standard library. It shows what a backend gets to see through a gateway; it is no part of the product.
"""

import argparse
import base64
import hashlib
import html
import http.server
import json
import pathlib
import signal
import socket
import sys
import time
import urllib.parse

PAGES = pathlib.Path(__file__).resolve().parent / "pages"
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".js": "text/javascript; charset=utf-8"}
LONGEST_BODY = 64 * 1024 * 1024


class Site(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 75

    def version_string(self) -> str:
        return "demo-site"

    def do_GET(self) -> None:
        path = urllib.parse.urlsplit(self.path).path
        routes = {"/request": self.show_request, "/stream": self.stream, "/slow": self.slow, "/socket": self.websocket}
        if path in routes:
            routes[path]()
        else:
            self.page("index.html" if path == "/" else path.lstrip("/"))

    do_HEAD = do_GET

    def do_POST(self) -> None:
        if urllib.parse.urlsplit(self.path).path != "/upload":
            self.answer(404, "text/plain; charset=utf-8", b"There is no such page.\n")
            return
        received, digest = 0, hashlib.sha256()
        for piece in self.body():
            received += len(piece)
            digest.update(piece)
            if received > LONGEST_BODY:
                self.close_connection = True
                self.answer(413, "text/plain; charset=utf-8", b"More than 64 MB.\n")
                return
        self.json(200, {"bytes": received, "sha256": digest.hexdigest()})

    def body(self):
        """The request's body in pieces, however it is framed."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
        else:
            left = int(self.headers.get("Content-Length") or 0)
            while left > 0 and (piece := self.rfile.read(min(left, 65536))):
                left -= len(piece)
                yield piece

    def page(self, name: str) -> None:
        file = (PAGES / name).resolve()
        if file.parent != PAGES or not file.is_file():
            self.answer(404, "text/plain; charset=utf-8", b"There is no such page.\n")
            return
        self.answer(200, TYPES.get(file.suffix, "application/octet-stream"), file.read_bytes())

    def show_request(self) -> None:
        seen = {"method": self.command, "target": self.path, "connectionFrom": self.client_address[0], "headers": self.headers.items()}
        if "application/json" in self.headers.get("Accept", ""):
            self.json(200, seen)
            return
        rows = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in seen["headers"])
        template = (PAGES / "request.html").read_text()
        text = template.replace("{{line}}", html.escape(f"{self.command} {self.path}")).replace("{{rows}}", rows)
        text = text.replace("{{from}}", html.escape(self.client_address[0]))
        self.answer(200, TYPES[".html"], text.encode())

    def stream(self) -> None:
        """Server-sent events: one a second for a minute."""
        self.send_response(200)
        for name, value in {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        for number in range(60):
            event = {"number": number, "time": time.strftime("%H:%M:%S", time.gmtime())}
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()
            time.sleep(1)

    def slow(self) -> None:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        asked = query.get("seconds", ["3"])[0]
        seconds = min(float(asked), 30.0) if asked.replace(".", "", 1).isdigit() else 3.0
        time.sleep(seconds)
        self.answer(200, "text/plain; charset=utf-8", f"This answer took {seconds:g} seconds.\n".encode())

    def websocket(self) -> None:
        """Echoes text; just enough of RFC 6455 for short messages."""
        key = self.headers.get("Sec-WebSocket-Key")
        if self.headers.get("Upgrade", "").lower() != "websocket" or not key:
            self.answer(426, "text/plain; charset=utf-8", b"This address speaks WebSocket.\n")
            return
        accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
        self.send_response(101)
        for name, value in {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        while (frame := self.frame()) is not None:
            kind, data = frame
            if kind == 8:
                self.wfile.write(bytes([0x88, len(data)]) + data)
                return
            if kind in (1, 9):
                length = bytes([len(data)]) if len(data) < 126 else bytes([126]) + len(data).to_bytes(2, "big")
                self.wfile.write(bytes([0x80 | (1 if kind == 1 else 10)]) + length + data)

    def frame(self) -> tuple[int, bytes] | None:
        head = self.rfile.read(2)
        if len(head) < 2:
            return None
        length = head[1] & 0x7F
        if length == 126:
            length = int.from_bytes(self.rfile.read(2), "big")
        if length == 127 or not head[1] & 0x80:
            return None
        mask = self.rfile.read(4)
        return head[0] & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(self.rfile.read(length)))

    def json(self, status: int, value: object) -> None:
        self.answer(status, "application/json", json.dumps(value, indent=2).encode() + b"\n")

    def answer(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def server_bind(self) -> None:
        # HTTPServer's own looks up the host's name, which can take seconds without a name server.
        socket.socket.setsockopt(self.socket, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.socket.getsockname()[:2]

    def handle_error(self, request: object, client_address: object) -> None:
        # A visitor who goes away is no error.
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3000)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Server((arguments.host, arguments.port), Site) as server:
        print(f"demo website on http://{arguments.host}:{arguments.port}", flush=True)
        try:
            server.serve_forever(poll_interval=0.1)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
