# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A limit on all the time that something takes, and sockets that keep to it whatever the other side does."""

from __future__ import annotations

import socket
import ssl
import time
from typing import Any, Union

TIMED_OUT = (TimeoutError, socket.timeout)  # two classes before Python 3.10


class Deadline:
    """A moment in the future, by the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """The seconds that are left, more than 0. Raises TimeoutError when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"not within {self.seconds:g} s")
        return left

    @property
    def over(self) -> bool:
        """Whether no time is left."""
        return time.monotonic() >= self._end


class TimedSocket(socket.socket):
    """A socket whose every read gets what is left of one deadline, so that a trickle of bytes cannot stretch it.

    A socket's own timeout is for a single read (Python's socket module, "Notes on socket timeouts").
    `received` counts the bytes.
    """

    deadline: Deadline
    received = 0

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(self.deadline.left())
        count = super().recv_into(*args, **kwargs)
        self.received += count
        return count


class TimedTLSSocket(ssl.SSLSocket):
    """The same over TLS."""

    deadline: Deadline
    received = 0

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(self.deadline.left())
        count = super().recv_into(*args, **kwargs)
        self.received += count
        return count


Connection = Union[TimedSocket, TimedTLSSocket]


def connect(host: str, port: int, deadline: Deadline) -> TimedSocket:
    """A TCP connection to the first of a host's addresses that answers. Raises OSError, TimeoutError included.

    Each address gets an equal share of what is left, so that one that swallows packets does not hide the others.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure: OSError = OSError(f"{host} has no address")
    for tried, (family, kind, protocol, _, address) in enumerate(found):
        connection = TimedSocket(family, kind, protocol)
        connection.deadline = deadline
        try:
            connection.settimeout(deadline.left() / (len(found) - tried))
            connection.connect(address)
            return connection
        except OSError as error:
            connection.close()
            failure = error
    raise failure


def connect_unix(path: str, deadline: Deadline) -> TimedSocket:
    """A connection to a socket in the filesystem. Raises OSError, TimeoutError included."""
    connection = TimedSocket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.deadline = deadline
    try:
        connection.settimeout(deadline.left())
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def secure(connection: TimedSocket, context: ssl.SSLContext, name: str) -> TimedTLSSocket:
    """The connection after a TLS handshake, which must end in the same time. `name` is asked for and verified.

    Raises ssl.SSLError, or TimeoutError.
    """
    context.sslsocket_class = TimedTLSSocket
    connection.settimeout(connection.deadline.left())
    secured = context.wrap_socket(connection, server_hostname=name)
    assert isinstance(secured, TimedTLSSocket)
    secured.deadline = connection.deadline
    return secured


def why(error: Exception) -> str:
    """What went wrong, in words: of the system's errors without their numbers."""
    if not isinstance(error, OSError):
        return str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}"
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    return error.strerror or str(error) or type(error).__name__
