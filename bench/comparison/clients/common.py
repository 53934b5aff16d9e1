"""What these generators share."""

import socket
import ssl

#: As a browser asks.
HEADERS = [
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"),
    ("Accept-Language", "en-GB,en;q=0.9,de;q=0.7"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Referer", "https://localhost/shop/shoes?page=2"),
    ("Cookie", "session=4c1f6f0a2b7d4e0f9a3c5d7e8b9a0c1d; theme=dark; consent=1"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Upgrade-Insecure-Requests", "1"),
]
#: Takes the port for a connection when it is made, not before: more fit.
IP_BIND_ADDRESS_NO_PORT = 24


def request(path: str, port: int, *more: tuple[str, str]) -> bytes:
    fields = [("Host", f"localhost:{port}"), *HEADERS, *more]
    return "".join([f"GET {path} HTTP/1.1\r\n", *(f"{name}: {value}\r\n" for name, value in fields), "\r\n"]).encode()


def context() -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    return made


def connect(port: int, tls: ssl.SSLContext | None, source: str = "") -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if source:
        connection.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        connection.bind((source, 0))
    connection.settimeout(30)
    connection.connect(("127.0.0.1", port))
    return tls.wrap_socket(connection, server_hostname="localhost") if tls else connection


def body_length(head: bytes) -> int | None:
    """Of a 200 with a Content-Length; else nothing."""
    lines = head.split(b"\r\n")
    if lines[0].split(b" ")[1:2] != [b"200"]:
        return None
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    return None


def receive(connection: socket.socket, scratch: memoryview) -> int:
    """Takes one answer. Returns its body's bytes; fails when it is not whole, or not a 200."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("closed within a head")
        head += piece
    head, _, begun = head.partition(b"\r\n\r\n")
    length = body_length(head)
    if length is None:
        raise ConnectionError("not a 200 with its length")
    left = length - len(begun)
    while left > 0:
        taken = connection.recv_into(scratch, min(left, len(scratch)))
        if not taken:
            raise ConnectionError("closed within a body")
        left -= taken
    return length
