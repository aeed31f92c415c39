# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engines that dump SQL text share."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import IO

from ..content import Content
from ..errors import DatabaseError
from ..streams import Bytes
from .base import Dump
from .scanner import Scanner, fingerprint


class ScannedDump(Dump):
    """A tool's output, followed by a scanner as it passes."""

    def __init__(self, scanner: Scanner, source: Generator[bytes, None, None], separate: tuple[str, ...] = ()) -> None:
        self._scanner = scanner
        self._source = source
        self._separate = separate
        self._content: Content | None = None

    def __iter__(self) -> Iterator[Bytes]:
        with contextlib.closing(self._source) as source:
            for piece in source:
                yield from self._scanner.feed(piece)
        self._content = replace(self._scanner.finish(), separate=self._separate)
        yield self._scanner.rest()

    @property
    def content(self) -> Content:
        assert self._content is not None, "asked before the dump's end"
        return self._content


class PartedDump(ScannedDump):
    """A dump of one snapshot by several tools at once.

    Each of `parts` is of a few tables: how many, its scanner, and its output. What it holds belongs into this one where
    a section begins that is `section` or a later one.
    """

    def __init__(
        self,
        scanner: Scanner,
        source: Generator[bytes, None, None],
        section: int,
        parts: Sequence[tuple[int, Scanner, Generator[bytes, None, None]]],
        separate: tuple[str, ...] = (),
    ) -> None:
        super().__init__(scanner, source, separate)
        self._scanners = [scanner, *(follower for _, follower, _ in parts)]
        self._expected = [tables for tables, _, _ in parts]
        self._section = section
        self.parts: Sequence[ScannedDump] = [ScannedDump(follower, output) for _, follower, output in parts]

    def __iter__(self) -> Iterator[Bytes]:
        yield from super().__iter__()
        starts = self._scanner.starts
        self.parts_at = min(starts[section] for section in starts if section >= self._section)

    @property
    def content(self) -> Content:
        whole = super().content
        tables, counters = dict(whole.tables), dict(whole.counters or {})
        for expected, part in zip(self._expected, self.parts):
            found = part.content.tables
            if len(found) != expected or not tables.keys().isdisjoint(found):
                raise DatabaseError("The tables' rows were not dumped once each. Make the backup again, with jobs=1.")
            tables.update(found)
            counters.update(part.content.counters or {})
        entries = [entry for scanner in self._scanners for entry in scanner.entries]
        return replace(whole, tables=tables, counters=counters, schema=fingerprint(entries))


def load_script(scanner: Scanner, stream: Iterable[bytes], client: IO[bytes]) -> None:
    """Give a dump to a client program, cleaned by the scanner of what would stop a restore."""
    scanner.measuring = False
    for piece in stream:
        for kept in scanner.feed(piece):
            client.write(kept)
    client.write(scanner.rest())
