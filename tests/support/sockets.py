"""What the stand-ins that speak HTTP by themselves have in common."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable


def accept(listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    """Serve each connection in a thread of its own, until the listener is shut."""

    def run() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()


def read_head(connection: socket.socket) -> str:
    """A request up to the end of its headers; empty when the other side hangs up before."""
    head = b""
    while b"\r\n\r\n" not in head:
        received = connection.recv(65536)
        if not received:
            return ""
        head += received
    return head.decode()


def drip(connection: socket.socket, stopped: threading.Event, start: bytes, drop: bytes) -> None:
    """Send something, and then drop after drop until it is stopped or the other side hangs up."""
    connection.sendall(start)
    while not stopped.wait(0.05):
        connection.sendall(drop)
