# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading a PostgreSQL dump into an empty database by several connections, as `pg_restore --jobs` does.

What defines comes first, by one client. Then each file of rows is loaded by a client of its own, and constraints and
indexes are made by whoever has nothing else to do, as soon as the rows of their table are there. ALTER TABLE keeps all
others from its table, CREATE INDEX shares it (PostgreSQL manual, 13.3.1 "Table-Level Locks"). Whatever else there is,
such as foreign keys and triggers, comes last, in the dump's order.
"""

from __future__ import annotations

import collections
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..process import Tool
from .postgresql_dump import NAME, PartScanner, PostgreSQLScanner, Section
from .streams import JOBS, Bytes, Streams

if TYPE_CHECKING:
    import psycopg

    Connect = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]

_SETTING = re.compile(rb"^(?:SET|SELECT pg_catalog\.set_config\().*;\n", re.MULTILINE)
_CONSTRAINS = re.compile(rb"^ALTER TABLE (?:ONLY )?(.+)$", re.MULTILINE)
_INDEXES = re.compile(rb"^CREATE (?:UNIQUE )?INDEX .+? ON (?:ONLY )?(.+?) USING ", re.MULTILINE)
_COPIES = re.compile(rb"^(COPY ((?:" + NAME + rb"\.)?" + NAME + rb") .*FROM stdin);\Z", re.MULTILINE | re.DOTALL)
_NOTHING = re.compile(rb"(?!)")


@dataclass(frozen=True)
class _Task:
    """Statements that need the rows of one table, and maybe the table for themselves."""

    table: str
    alone: bool
    statements: bytes

    def collides(self, other: _Task) -> bool:
        """Whether one would have to wait for the other."""
        return self.table == other.table and (self.alone or other.alone)


class _GaveUp(Exception):
    """Somebody else failed."""


class FreshLoad:
    """One load. `start` starts a psql, `connect` opens a connection."""

    def __init__(self, start: Callable[[], AbstractContextManager[Tool]], connect: Connect) -> None:
        self._start = start
        self._connect = connect
        self._head = b""

    def run(self, scanner: PostgreSQLScanner, streams: Streams) -> None:
        """Load a whole dump. Raises ToolFailed or DatabaseError with the first thing that the server refused."""
        scanner.measuring = False
        sections = _Sections(scanner, streams.main)
        self._head = b"".join(sections.read(Section.HEAD))
        self._feed(sections.read(Section.PRE_DATA))
        board = _Board(streams.parts)
        rest: Sequence[bytes] = ()
        with ThreadPoolExecutor(JOBS) as pool:
            workers = [pool.submit(self._work, board) for _ in range(JOBS)]
            try:
                self._feed(board.while_well(sections.read(Section.DATA)))
                post_data = b"".join(sections.read(Section.POST_DATA))
                offset = scanner.starts.get(Section.POST_DATA, 0)
                tasks, rest = _divided(post_data, [(kind, start - offset) for kind, start in scanner.post_data])
                collections.deque(sections.read(Section.END), maxlen=0)
                scanner.finish()
                board.put(tasks, scanner.tables)
            except _GaveUp:
                pass  # whose failure it was is told below
            except BaseException:
                board.give_up()
                raise
        for worker in workers:
            worker.result()
        self._carry_out(rest)

    def _feed(self, stream: Iterable[Bytes]) -> None:
        with self._start() as client:
            client.stdin.write(self._head)
            for piece in stream:
                client.stdin.write(piece)

    def _work(self, board: _Board) -> None:
        """Do what there is to do until nothing is left."""
        with ExitStack() as stack:
            try:
                connection = stack.enter_context(self._prepared())
                while work := board.take():
                    if isinstance(work, _Task):
                        connection.execute(work.statements)
                        board.done(work)
                    else:
                        board.loaded(_copy(connection, board.while_well(work)))
            except _GaveUp:
                pass
            except BaseException:
                board.give_up()
                raise

    @contextmanager
    def _prepared(self) -> Iterator[psycopg.Connection[Any]]:
        with self._connect() as connection:
            connection.execute(b"".join(_SETTING.findall(self._head)))
            yield connection

    def _carry_out(self, statements: Sequence[bytes]) -> None:
        if statements:
            with self._prepared() as connection:
                for one in statements:
                    connection.execute(one)


def _copy(connection: psycopg.Connection[Any], part: Iterable[Bytes]) -> list[str]:
    """Load rows into their tables; returns these.

    Rows are frozen at once, which spares whoever reads them first to mark each as seen by all (PostgreSQL manual,
    "COPY"); that takes a table that was emptied by the same transaction.
    """
    scanner = PartScanner()
    scanner.measuring = False
    pieces = ((scanner.in_rows, kept) for piece in part for kept in scanner.feed(bytes(piece)))
    text = b""
    for in_rows, kept in pieces:
        if not in_rows:
            text += bytes(kept)
            continue
        copies = _COPIES.search(text)
        assert copies, "rows come after the line that says whose they are"
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute(b"TRUNCATE ONLY " + copies[2])
            with cursor.copy(copies[1] + b" WITH (FREEZE)") as copy:
                copy.write(bytes(kept[1:]))  # without the newline that ends the line before
                for still_in_rows, more in pieces:
                    copy.write(bytes(more))
                    if not still_in_rows:
                        break
        text = b""
    return scanner.tables


class _Board:
    """What is left to do for several workers, and which tables they are at."""

    def __init__(self, parts: Iterable[Iterable[bytes]]) -> None:
        self._changed = threading.Condition()
        self._parts = collections.deque(parts)
        self._loading = len(self._parts) + 1
        self._tables: set[str] = set()  # whose rows are there
        self._tasks: list[_Task] | None = None  # until they are known
        self._busy: list[_Task] = []
        self._well = True

    def take(self) -> _Task | Iterable[bytes] | None:
        """The next thing to do, None when there is nothing any more. Raises _GaveUp."""
        with self._changed:
            while self._well:
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
            raise _GaveUp

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
            self._well = False
            self._changed.notify_all()

    def while_well(self, stream: Iterable[Bytes]) -> Iterator[Bytes]:
        """The stream, broken off by _GaveUp when somebody failed."""
        for piece in stream:
            if not self._well:
                raise _GaveUp
            yield piece


class _Sections:
    """A dump's bytes, section by section."""

    def __init__(self, scanner: PostgreSQLScanner, stream: Iterable[bytes]) -> None:
        self._pieces = ((scanner.section, kept) for piece in stream for kept in scanner.feed(piece))
        self._ahead = next(self._pieces, None)

    def read(self, section: Section) -> Iterator[Bytes]:
        """What is left until the section ends."""
        while self._ahead and self._ahead[0] <= section:
            yield self._ahead[1]
            self._ahead = next(self._pieces, None)


def _divided(text: bytes, entries: Sequence[tuple[bytes, int]]) -> tuple[list[_Task], list[bytes]]:
    """The constraints and indexes that the rows are followed by, and the statements after these, in order.

    `entries` are the kinds of what stands in `text`, and where.
    """
    tasks: list[_Task] = []
    rest: list[bytes] = []
    ends = [start for _, start in entries[1:]] + [len(text)]
    for (kind, start), end in zip(entries, ends):
        statements = text[start:end]
        table = {b"CONSTRAINT": _CONSTRAINS, b"INDEX": _INDEXES}.get(kind, _NOTHING).search(statements)
        if table and not rest:
            # An index that is clustered by, or tells rows apart in replication, is followed by an ALTER TABLE.
            alone = kind == b"CONSTRAINT" or b"\nALTER " in statements
            tasks.append(_Task(table[1].decode(errors="surrogateescape"), alone, statements))
        else:
            rest.append(statements)
    return tasks, rest
