# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a Redis server, or one that speaks its protocol, in one round trip."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

from . import options as opt
from .checks import Option, Unhealthy, excerpt
from .deadline import TIMED_OUT, Connection, Deadline, connect, connect_unix, secure, why

LOGIN_OPTIONS = {
    "login_host": Option(opt.text, "localhost"),
    "login_port": Option(opt.port),
    "login_user": Option(opt.text),
    "login_password": Option(opt.text, secret=True),
    "login_unix_socket": Option(opt.text),
    "tls": Option(opt.boolean, False),
}

_LARGEST = 16 << 20  # bytes of all replies
_DEEPEST = 8


class _Refused(Exception):
    """An error that the server replied."""


def where(options: Mapping[str, Any]) -> str:
    """The server that LOGIN_OPTIONS describe, as an operator knows it."""
    return options["login_unix_socket"] or f"{options['login_host']} port {options['login_port'] or 6379}"


def replies(options: Mapping[str, Any], deadline: Deadline, commands: Iterable[Sequence[object]]) -> list[Any]:
    """What a server answers to commands that are sent at once, after a login where LOGIN_OPTIONS have one.

    A `database` among the options is selected first. A reply is a text for a status, a number, bytes or None for a
    string, or a list of such. Raises Unhealthy when the server refuses one, as an outage where nobody answers, or
    TimeoutError.
    """
    before: list[Sequence[object]] = []
    user, password = options["login_user"], options["login_password"]
    if user or password:  # an empty password is none, but for a user who has to have none
        before.append(["AUTH", *([user] if user else []), password or ""])
    if options["database"]:
        before.append(["SELECT", options["database"]])
    wanted = [*before, *commands]
    try:
        with _opened(options, deadline) as connection:
            connection.settimeout(deadline.left())
            # Who is turned away for want of room is told so, though nothing of what he sends is read.
            with contextlib.suppress(BrokenPipeError):
                connection.sendall(b"".join(map(_written, wanted)))
            with connection.makefile("rb") as stream:
                return [_answer(stream, connection, command) for command in wanted][len(before) :]
    except TIMED_OUT:
        raise TimeoutError from None
    except OSError as error:
        # A certificate that is refused is an answer.
        out = not isinstance(error, ssl.SSLError)
        raise Unhealthy(f"the Redis server at {where(options)} does not answer: {why(error)}", outage=out) from error
    except ValueError as error:
        raise Unhealthy(f"{where(options)} does not speak Redis' protocol: {error}") from error


def _opened(options: Mapping[str, Any], deadline: Deadline) -> Connection:
    path, host = options["login_unix_socket"], options["login_host"]
    if not path:
        plain = connect(host, options["login_port"] or 6379, deadline)
        return secure(plain, ssl.create_default_context(), host) if options["tls"] else plain
    return connect_unix(path, deadline)


def _written(command: Sequence[object]) -> bytes:
    """A command as an array of strings (Redis serialization protocol specification, "Sending commands")."""
    words = [str(word).encode() for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def _answer(stream: IO[bytes], connection: Connection, command: Sequence[object]) -> Any:
    try:
        return _reply(stream, connection)
    except _Refused as error:
        said = str(error)
        verdict = "loading" if said.startswith("LOADING") else ""
        raise Unhealthy(f"the Redis server refused {command[0]}: {excerpt(said)}", verdict=verdict) from None


def _reply(stream: IO[bytes], connection: Connection, depth: int = 0) -> Any:
    """The next reply in RESP2. Raises _Refused for an error, ValueError for what is no reply."""
    line = stream.readline(_LARGEST)
    if not line:
        raise OSError("it hung up")
    kind, rest = line[:1], line[1:].rstrip(b"\r\n")
    if kind == b"-":
        raise _Refused(rest.decode(errors="replace"))
    if kind == b"+":
        return rest.decode(errors="replace")
    if kind not in (b":", b"$", b"*") or not line.endswith(b"\r\n"):
        raise ValueError(f"it sent {excerpt(line.decode(errors='replace'))}")
    number = int(rest)
    if kind == b":":
        return number
    if max(number, connection.received) > _LARGEST or depth > _DEEPEST:
        raise ValueError(f"it sent, or announced, more than {_LARGEST >> 20} MiB")
    if number < 0:
        return None
    return _string(stream, number) if kind == b"$" else [_reply(stream, connection, depth + 1) for _ in range(number)]


def _string(stream: IO[bytes], length: int) -> bytes:
    content = stream.read(length + 2)
    if len(content) < length + 2:
        raise OSError("it hung up")
    return content[:-2]
