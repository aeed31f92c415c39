# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading an SQL dump while it streams by: rows and checksums per table, and what the rest of it says.

A dump is lines of SQL with stretches of rows between them. Rows are counted and hashed in large pieces, as they
come, so the cost stays far below the dump's own; only the lines between are looked at one by one. Because the
figures are taken from the dump itself they belong to its very snapshot, on every server and for every user.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator

from ..content import Content, Table
from ..errors import DamagedBackup
from ..streams import Bytes

_LINE_LIMIT = 1 << 30  # the largest statement a MySQL server accepts (max_allowed_packet)


_NOTHING = hashlib.sha256().digest()


def newlines(data: bytes, end: int) -> int:
    """How many newlines the first `end` bytes of data have; four times as fast as bytes.count()."""
    data = data if end == len(data) else data[:end]
    return len(data) - len(data.replace(b"\n", b""))


def fingerprint(entries: Iterable[bytes]) -> str:
    """What is said of a schema, whatever the order of its entries; those in which nothing counts do not."""
    return hashlib.sha256(b"".join(sorted(entry for entry in entries if entry != _NOTHING))).hexdigest()


class RowCounter(ABC):
    """Counts rows in a stretch of data that arrives in arbitrary pieces, each of at least one byte."""

    rows = 0

    @abstractmethod
    def feed(self, data: bytes, end: int) -> None:
        """Take the next piece: the first `end` bytes of data, which are not copied for it."""


class Scanner(ABC):
    """Follows a dump of one dialect. Feed it pieces; it gives back the bytes to keep."""

    end_of_rows: bytes  # begins with the newline before the line that ends a stretch of rows
    end_sign: bytes  # one byte of it that is rare in rows: to look for it alone first is ten times as fast
    trailer: bytes  # begins the last comment of a whole dump
    measuring = True  # who only wants the bytes turns it off, and has no use for the content

    def __init__(self) -> None:
        self._pending = b""
        self._table: str | None = None
        self._counter: RowCounter | None = None
        self._hash = hashlib.sha256()
        self._entry = hashlib.sha256()  # what counts of the entry at hand
        self._entries: list[bytes] = []  # of those before
        self._tables: dict[str, Table] = {}
        self._counters: dict[str, str] = {}
        self._complete = False
        self._kept = 0  # bytes so far
        self.section = 0  # of the line at hand
        self.starts: dict[int, int] = {}  # of each section but the first, in bytes that are kept

    @abstractmethod
    def line(self, line: bytes) -> bytes:
        """Look at one line outside of rows and return it as it shall be kept (b"" drops it)."""

    @abstractmethod
    def starts_rows(self, line: bytes) -> str | None:
        """The table's name when `line` is the last one before a stretch of rows."""

    @abstractmethod
    def in_schema(self, line: bytes) -> bytes | None:
        """What of `line` counts for the schema's fingerprint; None for nothing."""

    @abstractmethod
    def numbering(self, line: bytes) -> tuple[str, str] | None:
        """What `line` says of how a sequence or an automatic number goes on: its name, and that."""

    @abstractmethod
    def counter(self, line: bytes) -> RowCounter:
        """A counter for the stretch of rows that `line` starts."""

    def section_of(self, line: bytes) -> int:
        """The section that `line` belongs to; what `feed` yields at a time is of one section."""
        return self.section

    def begins_entry(self, line: bytes) -> bool:
        """Whether `line` begins something that may as well stand elsewhere in the dump."""
        return False

    def _end_entry(self) -> None:
        self._entries.append(self._entry.digest())
        self._entry = hashlib.sha256()

    @property
    def tables(self) -> list[str]:
        """The tables whose rows have passed."""
        return list(self._tables)

    @property
    def in_rows(self) -> bool:
        """Whether what `feed` has just yielded is a piece of a table's rows."""
        return self._table is not None

    def feed(self, data: bytes) -> Iterator[Bytes]:
        """Take the next piece of the dump and yield what to keep of it so far."""
        data = self._pending + data if self._pending else data
        self._pending = b""
        while data:
            if self._table is None:
                data = yield from self._lines(data)
            else:
                data = yield from self._rows(data)

    def _lines(self, data: bytes) -> Generator[Bytes, None, bytes]:
        """Handle whole lines up to the next stretch of rows; returns what follows."""
        kept: list[bytes] = []
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            line = data[start : end + 1]
            start = end + 1
            section = self.section_of(line)
            if section != self.section:
                yield b"".join(kept)
                kept.clear()
                self.section = section
                self.starts[section] = self._kept
            table = self._take(line, kept)
            if table is not None:
                # The newline before the first row belongs to the rows: it lets `end_of_rows` match at once.
                kept[-1] = kept[-1][:-1]
                self._kept -= 1
                yield b"".join(kept)
                self._begin(table, line)
                return b"\n" + data[start:]
        self._pending = data[start:]
        if len(self._pending) > _LINE_LIMIT:
            raise DamagedBackup("The dump has a line of more than 1 GiB outside of rows; this is not a database dump.")
        yield b"".join(kept)
        return b""

    def _take(self, line: bytes, kept: list[bytes]) -> str | None:
        if line.startswith(self.trailer):
            self._complete = True
        line = self.line(line)
        if not line:
            return None
        kept.append(line)
        self._kept += len(line)
        if self.begins_entry(line):
            self._end_entry()
        counted = self.in_schema(line)
        if counted:
            self._entry.update(counted)
        numbering = self.numbering(line)
        if numbering:
            self._counters[numbering[0]] = numbering[1]
        return self.starts_rows(line)

    def _begin(self, table: str, line: bytes) -> None:
        self._table = table
        self._counter = self.counter(line)
        self._hash = hashlib.sha256()

    def _rows(self, data: bytes) -> Generator[Bytes, None, bytes]:
        """Handle rows up to the end of their stretch, or all but a possible beginning of that end."""
        found = data.find(self.end_of_rows) if self.end_sign in data else -1
        end = self._possible_end(data) if found < 0 else found
        if end:
            assert self._counter is not None
            rows = memoryview(data)[:end]
            if self.measuring:
                self._hash.update(rows)
                self._counter.feed(data, end)
            self._kept += end
            yield rows
        if found < 0:
            self._pending = data[end:]
            return b""
        assert self._table is not None and self._counter is not None
        self._tables[self._table] = Table(self._counter.rows, self._hash.hexdigest())
        self._table = None
        self._kept += 1
        yield b"\n"
        return data[end + 1 :]

    def _possible_end(self, data: bytes) -> int:
        """Where the end of the stretch may have begun in the last bytes of `data`; its length when nowhere."""
        newline = data.rfind(b"\n", max(0, len(data) - len(self.end_of_rows) + 1))
        return newline if newline >= 0 and self.end_of_rows.startswith(data[newline:]) else len(data)

    def finish(self) -> Content:
        """The dump has ended. Raises DamagedBackup when its own last line never came."""
        if self._pending.startswith(self.trailer):
            self._complete = True
        if self._table is not None or not self._complete:
            where = f" in the rows of table {self._table}" if self._table else ""
            raise DamagedBackup(f"The dump breaks off{where}: its closing line is missing.")
        self._end_entry()
        return Content(dict(self._tables), fingerprint(self._entries), dict(self._counters))

    @property
    def entries(self) -> list[bytes]:
        """The hashes of all entries; to be asked after `finish`."""
        return self._entries

    def rest(self) -> bytes:
        """What came after the last newline; to be kept at the end."""
        return self._pending

    def examine(self, stream: Iterable[bytes]) -> Content:
        """Read a whole dump for its content only."""
        for piece in stream:
            for _ in self.feed(piece):
                pass
        return self.finish()
