# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engines that dump SQL text share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import IO

from .base import Content, Dump
from .scanner import Scanner
from .streams import Bytes


class ScannedDump(Dump):
    """A tool's output, followed by a scanner as it passes."""

    def __init__(self, scanner: Scanner, source: Iterator[bytes], separate: tuple[str, ...] = ()) -> None:
        self._scanner = scanner
        self._source = source
        self._separate = separate
        self._content: Content | None = None

    def __iter__(self) -> Iterator[Bytes]:
        for piece in self._source:
            yield from self._scanner.feed(piece)
        self._content = replace(self._scanner.finish(), separate=self._separate)
        yield self._scanner.rest()

    @property
    def content(self) -> Content:
        assert self._content is not None, "asked before the dump's end"
        return self._content


def load_script(scanner: Scanner, stream: Iterable[bytes], client: IO[bytes]) -> None:
    """Give a dump to a client program, cleaned by the scanner of what would stop a restore."""
    scanner.measuring = False
    for piece in stream:
        for kept in scanner.feed(piece):
            client.write(kept)
    client.write(scanner.rest())
