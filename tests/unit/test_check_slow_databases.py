"""Database servers that accept and then keep one waiting."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from support.checks import answer, ask

# What a MySQL server says first (MySQL, "Protocol::HandshakeV10"): its version in a packet of 80 bytes.
GREETING = struct.pack("<I", 80) + b"\x0a8.4.0\0" + bytes(73)
# What PostgreSQL may say first: that it has no TLS, and an ErrorResponse (PostgreSQL, "Message Formats").
REFUSAL = b"NE" + struct.pack(">I", 80) + b"SFATAL\0" + b"M" + b"x" * 66 + b"\0\0"
SAID = {"mysql": GREETING, "postgresql": REFUSAL}


@contextlib.contextmanager
def slow_server(words: bytes, pause: float) -> Iterator[int]:
    """The port of a server that says a byte at a time."""
    stopped = threading.Event()

    def talk(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            for byte in words:
                connection.sendall(bytes([byte]))
                if stopped.wait(pause):
                    return
            stopped.wait()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            stopped.set()
            listener.shutdown(socket.SHUT_RDWR)


def check(engine: str, port: int) -> dict[str, Any]:
    return {
        "type": engine, "database": "shop", "login_host": "127.0.0.1", "login_port": port, "login_user": "shop",
        "timeout": 0.5,
    }  # fmt: skip


@pytest.mark.parametrize("engine", ["mysql", "postgresql"])
@pytest.mark.parametrize("drip", [False, True], ids=["silent", "dripping"])
def test_a_time_limit_holds_whatever_the_server_does(engine, drip):
    with slow_server(SAID[engine] if drip else b"", pause=0.1) as port:
        started = time.monotonic()
        seen = ask(**check(engine, port))
        assert time.monotonic() - started < 1.5, "the limit is 0.5 s, the greeting takes 8 s"
    assert (seen.status, seen.output) == ("fail", "no answer within 0.5 s")


def test_the_driver_of_mysql_keeps_the_limit_by_itself():
    """So that nothing is left behind in a process that lives on."""
    with slow_server(GREETING, pause=0.1) as port:
        started = time.monotonic()
        assert answer(**check("mysql", port)).output == "no answer within 0.5 s"
        assert time.monotonic() - started < 1.5
