"""A web server that answers well or badly, as the path of the request says."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from .sockets import accept, drip, read_head

BYPASS_COOKIE = "laravel_maintenance=let-me-in"


@dataclass
class Misbehaving:
    """The server; `requests` are the heads of all that it was asked."""

    port: int
    context: ssl.SSLContext | None = None
    stopped: threading.Event = field(default_factory=threading.Event)
    requests: list[str] = field(default_factory=list)

    def url(self, path: str) -> str:
        """A URL of this server."""
        return f"http{'s' if self.context else ''}://127.0.0.1:{self.port}{path}"

    def answer(self, connection: socket.socket) -> None:
        """Read one request and answer it."""
        with contextlib.suppress(OSError), self.secured(connection) as connection:
            request = read_head(connection)
            if not request:
                return
            self.requests.append(request)
            path = request.split()[1].split("?")[0]
            getattr(self, "do_" + path.strip("/").replace("-", "_"), self.do_missing)(connection, request)

    def secured(self, connection: socket.socket) -> socket.socket:
        """The connection, over TLS where there is a context for it."""
        return self.context.wrap_socket(connection, server_side=True) if self.context else connection

    def send(self, connection: socket.socket, body: str, status: str = "200 OK", headers: str = "") -> None:
        """A proper answer."""
        raw = body.encode()
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(raw)}\r\n{headers}\r\n".encode() + raw)

    def do_missing(self, connection: socket.socket, _: str) -> None:
        self.send(connection, "nothing here", "404 Not Found")

    def do_ok(self, connection: socket.socket, _: str) -> None:
        self.send(connection, '{"status": "ok", "database": {"connected": true, "lag": [3, 4]}}')

    def do_sick(self, connection: socket.socket, _: str) -> None:
        self.send(connection, "<h1>Whoops</h1>\x1b[2J", "500 Internal Server Error")

    def do_echo(self, connection: socket.socket, request: str) -> None:
        self.send(connection, request, "500 Internal Server Error")

    def do_silent(self, connection: socket.socket, _: str) -> None:
        self.stopped.wait()

    def do_drip(self, connection: socket.socket, _: str) -> None:
        drip(connection, self.stopped, b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x")

    def do_endless_headers(self, connection: socket.socket, _: str) -> None:
        drip(connection, self.stopped, b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n")

    def flood(self, connection: socket.socket, start: bytes, wave: bytes) -> None:
        connection.sendall(start)
        while not self.stopped.is_set():
            connection.sendall(wave)

    def do_flood_of_headers(self, connection: socket.socket, _: str) -> None:
        self.flood(connection, b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n" * 1000)

    def do_header_without_end(self, connection: socket.socket, _: str) -> None:
        self.flood(connection, b"HTTP/1.1 200 OK\r\nX-More: ", b"and more " * 1000)

    def do_flood_of_hints(self, connection: socket.socket, _: str) -> None:
        self.flood(connection, b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

    def do_flood_of_body(self, connection: socket.socket, _: str) -> None:
        self.flood(connection, b"HTTP/1.1 200 OK\r\n\r\n", b"and more " * 1000)

    def do_flood_of_chunks(self, connection: socket.socket, _: str) -> None:
        self.flood(connection, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 1000)

    def do_chunk_without_size(self, connection: socket.socket, _: str) -> None:
        self.flood(connection, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0" * 1000)

    def do_stall(self, connection: socket.socket, _: str) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nso far so good")
        self.stopped.wait()

    def do_throttled(self, connection: socket.socket, _: str) -> None:
        self.send(connection, "slow down", "429 Too Many Requests", "Retry-After: 90\r\n")

    def do_forbidden(self, connection: socket.socket, _: str) -> None:
        self.send(connection, "go away", "403 Forbidden")

    def do_broken_off(self, connection: socket.socket, _: str) -> None:
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"status": "ok"}')

    def do_garbage(self, connection: socket.socket, _: str) -> None:
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    def do_loop(self, connection: socket.socket, _: str) -> None:
        self.send(connection, "", "302 Found", "Location: /loop\r\n")

    def do_away(self, connection: socket.socket, request: str) -> None:
        target = request.split()[1].split("?to=")[1]
        self.send(connection, "", "302 Found", f"Location: {target}\r\n")

    def do_let_me_in(self, connection: socket.socket, _: str) -> None:
        self.send(connection, "", "302 Found", f"Location: /\r\nSet-Cookie: {BYPASS_COOKIE}; path=/; secure\r\n")

    def do_in_maintenance(self, connection: socket.socket, request: str) -> None:
        if BYPASS_COOKIE in request:
            self.send(connection, "come in")
        else:
            self.send(connection, "be right back", "503 Service Unavailable")


@contextlib.contextmanager
def misbehaving(context: ssl.SSLContext | None = None) -> Iterator[Misbehaving]:
    """The server, on a free port of the loopback; with a context it speaks TLS."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        server = Misbehaving(listener.getsockname()[1], context)
        accept(listener, server.answer)
        try:
            yield server
        finally:
            server.stopped.set()
            listener.shutdown(socket.SHUT_RDWR)
