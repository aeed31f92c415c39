# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading a PostgreSQL dump into an empty database by several connections, as `pg_restore --jobs` does.

What defines comes first. Then each file of rows is loaded by a connection of its own, and constraints and indexes are
made by whoever has nothing else to do, as soon as the rows of their table are there. ALTER TABLE keeps all
others from its table, CREATE INDEX shares it (PostgreSQL manual, 13.3.1 "Table-Level Locks"). Whatever else there is,
such as foreign keys and triggers, comes last, in the dump's order.
"""

from __future__ import annotations

import collections
import contextlib
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import DatabaseError
from ..streams import JOBS, BrokenOff, Bytes, Streams, until
from .postgresql_dump import NAME, PartScanner, PostgreSQLScanner, Section

if TYPE_CHECKING:
    import psycopg

    Connect = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]

_SETTING = re.compile(rb"^(?:SET|SELECT pg_catalog\.set_config\().*;\n", re.MULTILINE)
_CONSTRAINS = re.compile(rb"^ALTER TABLE (?:ONLY )?(.+)$", re.MULTILINE)
_INDEXES = re.compile(rb"^CREATE (?:UNIQUE )?INDEX .+? ON (?:ONLY )?(.+?) USING ", re.MULTILINE)
_COPIES = re.compile(rb"^(COPY ((?:" + NAME + rb"\.)?" + NAME + rb") .*FROM stdin);\Z", re.MULTILINE | re.DOTALL)
_NOTHING = re.compile(rb"(?!)")
_END_OF_ROWS = b"\\.\n"
_NO_ROWS = re.compile(rb"^COPY .*?FROM stdin;\n\\\.\n", re.MULTILINE | re.DOTALL)
_ENOUGH = 1 << 20  # bytes of statements at a time
_LARGE_OBJECT = b"\nSELECT pg_catalog.lo"  # each such statement is a line


@dataclass(frozen=True)
class _Task:
    """Statements that need the rows of one table, and maybe the table for themselves."""

    table: str
    alone: bool
    statements: bytes

    def collides(self, other: _Task) -> bool:
        """Whether one would have to wait for the other."""
        return self.table == other.table and (self.alone or other.alone)


class FreshLoad:
    """One load; `connect` opens a connection."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._settings = b""

    def run(self, scanner: PostgreSQLScanner, streams: Streams) -> None:
        """Load a whole dump. Raises DatabaseError with the first thing that the server refused."""
        scanner.measuring = False
        sections = _Sections(scanner, streams.main)
        self._settings = b"".join(_SETTING.findall(b"".join(sections.read(Section.HEAD))))
        with self._prepared() as connection:
            for _, statements in sections.entries(Section.PRE_DATA):
                connection.execute(statements)
            rest = self._fill(connection, scanner, sections, _Board(streams.parts))
            for statements in rest:
                connection.execute(statements)

    def _fill(
        self, connection: psycopg.Connection[Any], scanner: PostgreSQLScanner, sections: _Sections, board: _Board
    ) -> list[bytes]:
        """Load all rows, and make what is made side by side; returns the other statements that follow."""
        rest: list[bytes] = []
        with ThreadPoolExecutor(JOBS) as pool:
            helpers = [pool.submit(self._help, board) for _ in range(JOBS - 1)]
            try:
                _load_rows(connection, scanner, until(board.failed, sections.read(Section.DATA)))
                tasks, rest = _divided(sections.entries(Section.POST_DATA))
                collections.deque(sections.read(Section.END), maxlen=0)
                scanner.finish()
                board.put(tasks, scanner.tables)
                _work(connection, board)
            except BrokenOff:
                pass  # whose failure it was is told below
            except BaseException:
                board.give_up()
                raise
        for helper in helpers:
            helper.result()
        return rest

    def _help(self, board: _Board) -> None:
        """Work as well, where the server grants another connection."""
        with ExitStack() as stack:
            try:
                connection = stack.enter_context(self._prepared())
            except DatabaseError:
                return
            with contextlib.suppress(BrokenOff):
                _work(connection, board)

    @contextlib.contextmanager
    def _prepared(self) -> Iterator[psycopg.Connection[Any]]:
        with self._connect() as connection:
            connection.execute(self._settings)
            yield connection


def _work(connection: psycopg.Connection[Any], board: _Board) -> None:
    """Do what there is to do until nothing is left. Raises BrokenOff when somebody else failed."""
    try:
        while work := board.take():
            if isinstance(work, _Task):
                connection.execute(work.statements)
                board.done(work)
            else:
                scanner = PartScanner()
                scanner.measuring = False
                pieces = (kept for piece in until(board.failed, work) for kept in scanner.feed(bytes(piece)))
                _load_rows(connection, scanner, pieces)
                board.loaded(scanner.tables)
    except BaseException:
        board.give_up()
        raise


def _load_rows(connection: psycopg.Connection[Any], scanner: PostgreSQLScanner, pieces: Iterable[Bytes]) -> None:
    """Load what `scanner` yields of rows into their tables, and carry out the statements between them.

    Rows are frozen at once, which spares whoever reads them first to mark each as seen by all (PostgreSQL manual,
    "COPY"); that takes a table that was emptied by the same transaction.
    """
    pieces = iter(pieces)
    text = b""
    for piece in pieces:
        if not scanner.in_rows:
            text += bytes(piece)
            end = text.rfind(_LARGE_OBJECT) + 1 if len(text) > _ENOUGH else 0
            if end:
                _execute(connection, text[:end])
                text = text[end:]
            continue
        text = _without_rows(text)
        copies = _COPIES.search(text)
        assert copies, "rows come after the line that says whose they are"
        _execute(connection, text[: copies.start()])
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute(b"TRUNCATE ONLY " + copies[2])
            with cursor.copy(copies[1] + b" WITH (FREEZE)") as copy:
                copy.write(bytes(piece[1:]))  # without the newline that ends the line before
                for more in pieces:
                    copy.write(bytes(more))
                    if not scanner.in_rows:
                        break
        text = b""
    _execute(connection, text)


def _execute(connection: psycopg.Connection[Any], text: bytes) -> None:
    statements = _without_rows(text)
    if b";" in statements:
        connection.execute(statements)


def _without_rows(text: bytes) -> bytes:
    """Text from between rows without what ended the last ones, and without the tables that have none."""
    return _NO_ROWS.sub(b"", text.removeprefix(_END_OF_ROWS))


class _Board:
    """What is left to do for several workers, and which tables they are at."""

    def __init__(self, parts: Iterable[Iterable[bytes]]) -> None:
        self._changed = threading.Condition()
        self._parts = collections.deque(parts)
        self._loading = len(self._parts) + 1
        self._tables: set[str] = set()  # whose rows are there
        self._tasks: list[_Task] | None = None  # until they are known
        self._busy: list[_Task] = []
        self.failed = threading.Event()  # somebody has given up

    def take(self) -> _Task | Iterable[bytes] | None:
        """The next thing to do, None when there is nothing any more. Raises BrokenOff."""
        with self._changed:
            while not self.failed.is_set():
                if self._parts:
                    return self._parts.popleft()
                task = next(filter(self._is_ready, self._tasks or ()), None)
                if task:
                    assert self._tasks is not None
                    self._tasks.remove(task)
                    self._busy.append(task)
                    return task
                if self._tasks is not None and not self._tasks:
                    return None
                self._changed.wait()
            raise BrokenOff

    def _is_ready(self, task: _Task) -> bool:
        there = task.table in self._tables or not self._loading
        return there and not any(task.collides(other) for other in self._busy)

    def done(self, task: _Task) -> None:
        """A task was carried out."""
        with self._changed:
            self._busy.remove(task)
            self._changed.notify_all()

    def loaded(self, tables: Iterable[str]) -> None:
        """A stream has ended; the rows of these tables are there."""
        with self._changed:
            self._loading -= 1
            self._tables.update(tables)
            self._changed.notify_all()

    def put(self, tasks: Sequence[_Task], tables: Iterable[str]) -> None:
        """All tasks that there are; and the main stream has ended, the rows of these tables are there."""
        with self._changed:
            self._tasks = list(tasks)
        self.loaded(tables)

    def give_up(self) -> None:
        """Somebody failed."""
        with self._changed:
            self.failed.set()
            self._changed.notify_all()


class _Sections:
    """A dump's bytes, section by section."""

    def __init__(self, scanner: PostgreSQLScanner, stream: Iterable[bytes]) -> None:
        self._scanner = scanner
        self._pieces = ((scanner.section, kept) for piece in stream for kept in scanner.feed(piece))
        self._ahead = next(self._pieces, None)

    def read(self, section: Section) -> Iterator[Bytes]:
        """What is left until the section ends."""
        while self._ahead and self._ahead[0] <= section:
            yield self._ahead[1]
            self._ahead = next(self._pieces, None)

    def entries(self, section: Section) -> list[tuple[bytes, bytes]]:
        """The kind and the text of each entry of a section without rows, at once."""
        text = b"".join(self.read(section))
        offset = self._scanner.starts.get(section, 0)
        found = [(kind, start - offset) for kind, start in self._scanner.headers if 0 <= start - offset < len(text)]
        ends = [start for _, start in found[1:]] + [len(text)]
        return [(kind, text[start:end]) for (kind, start), end in zip(found, ends)]


def _divided(entries: Iterable[tuple[bytes, bytes]]) -> tuple[list[_Task], list[bytes]]:
    """The constraints and indexes that the rows are followed by, and the statements after these, in order."""
    tasks: list[_Task] = []
    rest: list[bytes] = []
    for kind, statements in entries:
        table = {b"CONSTRAINT": _CONSTRAINS, b"INDEX": _INDEXES}.get(kind, _NOTHING).search(statements)
        if table and not rest:
            # An index that is clustered by, or tells rows apart in replication, is followed by an ALTER TABLE.
            alone = kind == b"CONSTRAINT" or b"\nALTER " in statements
            tasks.append(_Task(table[1].decode(errors="surrogateescape"), alone, statements))
        else:
            rest.append(statements)
    return tasks, rest
