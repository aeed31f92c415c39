# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said in the clear before TLS begins, where it does not begin at once.

MySQL is not among them: it takes for an attack who shakes hands and leaves, and in the end blocks his host (MySQL
manual, "max_connect_errors").
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from .checks import excerpt
from .deadline import TimedSocket

_LONGEST_LINE = 1000  # more than RFC 5321, 4.5.3.1.5 allows
_MOST_LINES = 100
_SSL_REQUEST = struct.pack("!2I", 8, 80877103)  # PostgreSQL, "Message Formats"


def _smtp(connection: TimedSocket) -> None:
    """RFC 3207."""
    _expect(connection, "220")
    connection.sendall(b"EHLO localhost\r\n")
    _expect(connection, "250")
    connection.sendall(b"STARTTLS\r\n")
    _expect(connection, "220")


def _expect(connection: TimedSocket, code: str) -> None:
    for _ in range(_MOST_LINES):
        line = _line(connection)
        if not line.startswith(code):
            raise ValueError(f"expected {code} before TLS, got {excerpt(line)}")
        if line[3:4] != "-":
            return
    raise ValueError("its reply has no end")


def _line(connection: TimedSocket) -> str:
    """A line, read by single bytes: not one that belongs to TLS may be taken."""
    line = b""
    while not line.endswith(b"\n") and len(line) < _LONGEST_LINE:
        line += _byte(connection)
    return line.decode(errors="replace")


def _byte(connection: TimedSocket) -> bytes:
    buffer = bytearray(1)
    if not connection.recv_into(buffer):
        raise ConnectionError("it hung up before TLS")
    return bytes(buffer)


def _postgresql(connection: TimedSocket) -> None:
    connection.sendall(_SSL_REQUEST)
    answer = _byte(connection)
    if answer == b"N":
        raise ValueError("it does not offer TLS")
    if answer != b"S":
        raise ValueError(f"expected S or N before TLS, got {answer!r}")


STARTTLS: dict[str, Callable[[TimedSocket], None]] = {
    "none": lambda connection: None,
    "smtp": _smtp,
    "postgresql": _postgresql,
}
