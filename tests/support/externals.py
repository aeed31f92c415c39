"""Stand-ins of Stripe's and Bunny Stream's APIs: they check the key, count the calls, and misbehave on demand.

    with stripe_server("sk_live_x") as server:
        server.url, server.calls, server.mode = "throttled"

The shapes are those of docs.stripe.com/api/balance and of docs.bunny.net, "List Videos" of the Stream API.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .sockets import accept, drip, read_head

MODES = {
    "ok": "answers as the real one does",
    "down": "refuses connections",
    "silent": "takes the request and says nothing",
    "slow": "answers right after `delay` seconds",
    "hang_up": "closes the connection without an answer",
    "drip": "sends its answer byte by byte, without end",
    "drip_headers": "sends header after header, slowly, without end",
    "throttled": "429 with `retry_after` as Retry-After, without one when that is None",
    "error": "500 with a page of HTML",
    "unauthorized": "401 whatever the key is",
    "forbidden": "403",
    "missing": "404",
    "redirect": "302 to itself",
    "wrong_shape": "200 with JSON that looks alike but is another API's",
    "html": "200 with a page of HTML",
    "truncated": "200 with JSON that ends too early, its length as announced",
    "broken_off": "200 with less than the announced length",
}
_PAGE = "<html><body><h1>We are making something better</h1></body></html>"


@dataclass(frozen=True)
class Call:
    """A request that came; the names of its headers are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass
class External:
    """The server. `mode` is one of MODES and can be set at any time; `calls` are the requests that came."""

    key: str
    header: str
    good: Callable[[Call], tuple[int, dict[str, Any]]]
    errors: Callable[[int], dict[str, Any]]
    wrong: dict[str, Any]
    port: int = 0
    calls: list[Call] = field(default_factory=list)
    delay: float = 1.0
    retry_after: str | None = "120"
    stopped: threading.Event = field(default_factory=threading.Event)
    _mode: str = "ok"
    _listener: socket.socket | None = None

    @property
    def url(self) -> str:
        """What stands in for the URL of the real one."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def mode(self) -> str:
        """How it answers."""
        return self._mode

    @mode.setter
    def mode(self, mode: str) -> None:
        assert mode in MODES, f"{mode} is none of {', '.join(MODES)}"
        self._mode = mode
        self._close() if mode == "down" else self._open()

    def _open(self) -> None:
        if self._listener is None:
            # Another socket holds the port, and neither is listened on yet, so both may be bound to it (socket(7)).
            self._listener = socket.socket()
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(("127.0.0.1", self.port))
            self._listener.listen(128)
            accept(self._listener, self._serve)

    def _close(self) -> None:
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            head = read_head(connection)
            if not head:
                return
            call = _call(head)
            self.calls.append(call)
            getattr(self, "_do_" + self._mode, self._do_ok)(connection, call)

    def _do_ok(self, connection: socket.socket, call: Call) -> None:
        if call.headers.get(self.header) != self.key:
            self._refuse(connection, 401)
            return
        status, body = self.good(call)
        _send(connection, status, json.dumps(body))

    def _refuse(self, connection: socket.socket, status: int, headers: str = "") -> None:
        _send(connection, status, json.dumps(self.errors(status)), headers)

    def _do_silent(self, connection: socket.socket, _: Call) -> None:
        self.stopped.wait()

    def _do_slow(self, connection: socket.socket, call: Call) -> None:
        if not self.stopped.wait(self.delay):
            self._do_ok(connection, call)

    def _do_hang_up(self, _: socket.socket, __: Call) -> None:
        """Nothing: the connection is closed by whoever calls this."""

    def _do_drip(self, connection: socket.socket, _: Call) -> None:
        drip(connection, self.stopped, b'HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{"object": "', b"x")

    def _do_drip_headers(self, connection: socket.socket, _: Call) -> None:
        drip(connection, self.stopped, b"HTTP/1.1 200 OK\r\n", b"X-More: and more\r\n")

    def _do_throttled(self, connection: socket.socket, _: Call) -> None:
        self._refuse(connection, 429, "" if self.retry_after is None else f"Retry-After: {self.retry_after}\r\n")

    def _do_error(self, connection: socket.socket, _: Call) -> None:
        _send(connection, 500, _PAGE)

    def _do_unauthorized(self, connection: socket.socket, _: Call) -> None:
        self._refuse(connection, 401)

    def _do_forbidden(self, connection: socket.socket, _: Call) -> None:
        self._refuse(connection, 403)

    def _do_missing(self, connection: socket.socket, _: Call) -> None:
        self._refuse(connection, 404)

    def _do_redirect(self, connection: socket.socket, call: Call) -> None:
        _send(connection, 302, "", f"Location: {self.url}{call.path}\r\n")

    def _do_wrong_shape(self, connection: socket.socket, _: Call) -> None:
        _send(connection, 200, json.dumps(self.wrong))

    def _do_html(self, connection: socket.socket, _: Call) -> None:
        _send(connection, 200, _PAGE)

    def _do_truncated(self, connection: socket.socket, call: Call) -> None:
        whole = json.dumps(self.good(call)[1])
        _send(connection, 200, whole[: len(whole) // 2])

    def _do_broken_off(self, connection: socket.socket, call: Call) -> None:
        whole = json.dumps(self.good(call)[1]).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(whole)}\r\n\r\n".encode()
        connection.sendall(head + whole[: len(whole) // 2])


@dataclass
class Stripe(External):
    """Stripe; `balance` is what GET /v1/balance answers."""

    balance: dict[str, Any] = field(default_factory=dict)


@dataclass
class Bunny(External):
    """Bunny Stream; `videos` are how many its `library` has."""

    library: str = "12345"
    videos: int = 7


@contextlib.contextmanager
def stripe_server(key: str = "sk_live_0123456789abcdef", **balance: Any) -> Iterator[Stripe]:
    """Stripe with a secret key; `balance` replaces members of its answer."""
    server = Stripe(
        key=f"Bearer {key}",
        header="authorization",
        good=lambda call: (200, server.balance) if call.path == "/v1/balance" else (404, _stripe_error(404)),
        errors=_stripe_error,
        # Another server's idea of a balance, with an object where there is a list.
        wrong={"object": "balance", "available": {"amount": 0, "currency": "usd"}, "livemode": True},
        balance={
            "object": "balance",
            "available": [{"amount": 666670, "currency": "usd", "source_types": {"card": 666670}}],
            "connect_reserved": [{"amount": 0, "currency": "usd"}],
            "livemode": True,
            "pending": [{"amount": 61414, "currency": "usd", "source_types": {"card": 61414}}],
            **balance,
        },
    )
    with _open(server):
        yield server


def _stripe_error(status: int) -> dict[str, Any]:
    said = {
        401: "Invalid API Key provided: sk_live_************cdef",
        403: "The provided key does not have the required permissions for this endpoint.",
        404: "Unrecognized request URL",
        429: "Request rate limit exceeded. You can learn more about rate limits here https://stripe.com/docs/rate-limits.",
    }
    return {"error": {"message": said[status], "type": "invalid_request_error"}}


@contextlib.contextmanager
def bunny_server(key: str = "9f0c1e5a-library-key", library: str = "12345") -> Iterator[Bunny]:
    """Bunny Stream with one library and its own key."""
    server = Bunny(
        key=key,
        header="accesskey",
        good=lambda call: _bunny_answer(server, call),
        errors=lambda status: {"success": False, "message": f"Error {status}", "statusCode": status},
        # The account's API, which lists libraries.
        wrong={"Items": [], "CurrentPage": 1, "TotalItems": 3, "HasMoreItems": False},
        library=library,
    )
    with _open(server):
        yield server


def _bunny_answer(server: Bunny, call: Call) -> tuple[int, dict[str, Any]]:
    if call.path != f"/library/{server.library}/videos":
        return 404, server.errors(404)
    wanted = int(call.query.get("itemsPerPage", "100"))
    items = [
        {"videoLibraryId": int(server.library), "guid": f"guid-{number}", "title": f"Film {number}", "status": 4}
        for number in range(min(server.videos, wanted))
    ]
    page = int(call.query.get("page", "1"))
    return 200, {"totalItems": server.videos, "currentPage": page, "itemsPerPage": wanted, "items": items}


@contextlib.contextmanager
def _open(server: External) -> Iterator[None]:
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        server.port = held.getsockname()[1]
        server.mode = "ok"
        try:
            yield
        finally:
            server.stopped.set()
            server.mode = "down"


def _call(head: str) -> Call:
    first, *lines = head.split("\r\n\r\n", 1)[0].split("\r\n")
    method, target, _ = first.split(" ")
    parts = urlsplit(target)
    headers = dict(line.split(": ", 1) for line in lines)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    return Call(method, parts.path, query, {name.lower(): value for name, value in headers.items()})


def _send(connection: socket.socket, status: int, body: str, headers: str = "") -> None:
    kind = "application/json" if body.startswith("{") else "text/html"
    raw = body.encode()
    head = f"HTTP/1.1 {status} As It Is\r\nContent-Type: {kind}\r\nContent-Length: {len(raw)}\r\n{headers}\r\n"
    connection.sendall(head.encode() + raw)
