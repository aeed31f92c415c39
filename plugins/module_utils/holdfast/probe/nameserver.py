# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking one name server for the records of a name (RFC 1035), in the time that a check has."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import struct

from .deadline import TIMED_OUT, Deadline, connect

KINDS = {"A": 1, "NS": 2, "CNAME": 5, "MX": 15, "TXT": 16, "AAAA": 28}

_TRIES = 3  # a datagram may be lost
_HEADER = struct.Struct("!6H")
_RECURSION_DESIRED, _TRUNCATED, _RCODE = 0x0100, 0x0200, 0x000F
_RESPONSE = 0x80  # in the first octet of the flags
_IN = 1
_LONGEST_NAME = 255
_RCODES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}


class Refused(Exception):
    """A server's answer that is none; `rcode` as RFC 1035, 4.1.1 calls it."""

    def __init__(self, rcode: int) -> None:
        self.rcode = _RCODES.get(rcode, f"RCODE {rcode}")
        super().__init__(self.rcode)


def encoded(name: str) -> bytes:
    """A name as it stands in a message (RFC 1035, 3.1). Raises ValueError."""
    plain = name.rstrip(".")
    try:
        text = plain.encode("ascii") if plain.isascii() else plain.encode("idna")
    except UnicodeError as error:
        raise ValueError(f"must be a name of the DNS ({error})") from None
    labels = text.split(b".")
    if not text or not all(0 < len(label) < 64 for label in labels) or len(text) > _LONGEST_NAME - 2:
        raise ValueError("must be a name of the DNS, of labels of 1 to 63 letters, 253 in all")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def records(host: str, port: int, name: str, kind: str, deadline: Deadline) -> list[str]:
    """The data of all records of a kind that a server gives for a name, as zone files have them, in its order.

    Names are in lower case without a dot at the end. Raises Refused, OSError, TimeoutError, or ValueError for an answer
    that makes no sense.
    """
    number = secrets.randbits(16)
    question = encoded(name) + struct.pack("!2H", KINDS[kind], _IN)
    query = _HEADER.pack(number, _RECURSION_DESIRED, 1, 0, 0, 0) + question
    answer = _by_udp(host, port, query, deadline)
    if _HEADER.unpack_from(answer)[1] & _TRUNCATED:
        answer = _by_tcp(host, port, query, deadline)
    try:
        return _Message(answer).answers(KINDS[kind])
    except (IndexError, struct.error) as error:
        raise ValueError(f"its answer ends too early ({error})") from None


def _answers(message: bytes, query: bytes) -> bool:
    """Whether a message is the answer to a query, as one of a stranger can hardly be (RFC 5452, 9.1)."""
    if len(message) < _HEADER.size or message[:2] != query[:2] or not message[2] & _RESPONSE:
        return False
    if message[_HEADER.size : len(query)].lower() == query[_HEADER.size :].lower():
        return True
    # Who refuses a query may leave out its question.
    return len(message) < len(query) and message[3] & _RCODE != 0


def _by_udp(host: str, port: int, query: bytes, deadline: Deadline) -> bytes:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as connection:
        connection.settimeout(deadline.left())
        connection.connect(address)  # so that only this server is heard
        for tries in range(_TRIES, 0, -1):
            turn = Deadline(deadline.left() / tries)
            connection.send(query)
            try:
                while True:
                    connection.settimeout(turn.left())
                    message = connection.recv(65535)
                    if _answers(message, query):
                        return message
            except TIMED_OUT:
                continue
    raise TimeoutError(f"no answer within {deadline.seconds:g} s")


def _by_tcp(host: str, port: int, query: bytes, deadline: Deadline) -> bytes:
    """RFC 1035, 4.2.2: the same messages, each after its length."""
    with connect(host, port, deadline) as connection:
        connection.settimeout(deadline.left())
        connection.sendall(struct.pack("!H", len(query)) + query)
        with connection.makefile("rb") as stream:
            (size,) = struct.unpack("!H", _exactly(stream.read(2), 2))
            message = _exactly(stream.read(size), size)
    if not _answers(message, query):
        raise ValueError("it answers another question")
    return message


def _exactly(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise ValueError("it breaks off its answer")
    return data


class _Message:
    """An answer (RFC 1035, 4.1)."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def answers(self, wanted: int) -> list[str]:
        """The data of the answers of a kind. Raises Refused."""
        _, flags, questions, count, _, _ = _HEADER.unpack_from(self._data)
        if flags & _RCODE:
            raise Refused(flags & _RCODE)
        at = _HEADER.size
        for _ in range(questions):
            at = self._name(at)[1] + 4
        found = []
        for _ in range(count):
            at = self._name(at)[1]
            kind, _, _, size = struct.unpack_from("!2HIH", self._data, at)
            at += 10
            if at + size > len(self._data):
                raise ValueError("its answer ends too early")
            if kind == wanted:
                found.append(self._record(kind, at, size))
            at += size
        return found

    def _record(self, kind: int, at: int, size: int) -> str:
        data = self._data[at : at + size]
        if kind in (KINDS["A"], KINDS["AAAA"]):
            return str(ipaddress.ip_address(data))
        if kind == KINDS["MX"]:
            return f"{int.from_bytes(data[:2], 'big')} {self._name(at + 2)[0]}"
        if kind == KINDS["TXT"]:
            pieces, place = [], 0
            while place < size:
                pieces.append(data[place + 1 : place + 1 + data[place]])
                place += 1 + data[place]
            return b"".join(pieces).decode(errors="replace")
        return self._name(at)[0]

    def _name(self, at: int) -> tuple[str, int]:
        """The name at a place, and the place after it. A pointer leads to an earlier one (RFC 1035, 4.1.4)."""
        labels: list[str] = []
        end, begin = 0, at
        while size := self._data[at]:
            if size & 0xC0:
                target = int.from_bytes(self._data[at : at + 2], "big") & 0x3FFF
                if target >= begin:
                    raise ValueError("a name in its answer has no end")
                end, at, begin = end or at + 2, target, target
            else:
                labels.append(self._data[at + 1 : at + 1 + size].decode("ascii", errors="replace").lower())
                at += 1 + size
        return ".".join(labels), end or at + 1
