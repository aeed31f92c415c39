# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading a dump by several clients side by side: one for all but the rows of large tables, others for those.

Rows are divided among the clients by whole INSERT statements. A value's newline is written as backslash and n, so that
a semicolon before a real newline ends a statement. A table's rows are only begun when the table is there, and nothing
goes on before the last of them: its triggers come after its rows.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable

from ..process import Tool
from ..streams import JOBS, Bytes
from .mysql_dump import MySQLScanner

_LARGE = 4 << 20  # bytes of rows: what has fewer is not worth a second client
_PIECE = 1 << 20  # bytes that a client is given at a time
# The session's settings at a dump's head, which hold for its rows. Character sets for definitions come and go later.
_SETTINGS = re.compile(rb"^/\*!\d+ SET (?!.*character_set_client|@saved_).*\*/;\n", re.MULTILINE)
NO_CHECKS = b"SET SESSION FOREIGN_KEY_CHECKS=0, UNIQUE_CHECKS=0;\n"


class ParallelLoad:
    """One load. `start` starts a client that reads statements and writes what they return."""

    def __init__(self, start: Callable[[], Tool]) -> None:
        self._start = start
        self._settings: bytes | None = None
        self._section = b""  # what came since the last rows
        self._rows = bytearray()
        self._searched = 0  # bytes of them that have no end of a statement
        self._spread = False
        self._workers: list[Tool] = []
        self._turn = 0
        self._marks = 0

    def run(self, scanner: MySQLScanner, stream: Iterable[bytes]) -> None:
        """Load a whole dump. Raises ToolFailed with what the server said to the first statement that failed."""
        scanner.measuring = False
        with contextlib.ExitStack() as stack:
            self._stack = stack
            self._main = stack.enter_context(self._start())
            self._main.stdin.write(NO_CHECKS)
            for piece in stream:
                for kept in scanner.feed(piece):
                    self._take(kept, in_rows=scanner.in_rows)
            self._main.stdin.write(scanner.rest())

    def _take(self, data: Bytes, *, in_rows: bool) -> None:
        if in_rows:
            if self._settings is None:
                self._settings = b"".join(_SETTINGS.findall(self._section))
            self._rows += data
            if len(self._rows) >= (_PIECE if self._spread else _LARGE) and self._may_spread():
                self._give(self._rows.rfind(b";\n", self._searched) + 2)
            return
        if self._rows:
            self._end_rows()
        self._section += data
        self._main.stdin.write(data)

    def _may_spread(self) -> bool:
        """Whether the order in which rows arrive leaves no trace: they are kept in the primary key's."""
        if not self._spread:
            made = self._section[self._section.rfind(b"\nCREATE TABLE ") :]
            wanted = b"PRIMARY KEY (" in made and b"ENGINE=InnoDB" in made and b"SYSTEM VERSIONING" not in made
            if not wanted or JOBS < 2:
                self._main.stdin.write(self._rows)
                self._rows.clear()
                return False
            self._sync(self._main)
            self._spread = True
            while len(self._workers) < JOBS:
                self._workers.append(self._stack.enter_context(self._start()))
                self._workers[-1].stdin.write(NO_CHECKS + (self._settings or b""))
        return True

    def _give(self, end: int) -> None:
        """Have the next client insert the first bytes of the rows at hand, which are whole statements."""
        self._searched = 0 if end > 1 else len(self._rows) - 1
        if end > 1:
            self._turn = (self._turn + 1) % len(self._workers)
            worker = self._workers[self._turn].stdin
            worker.write(self._rows[:end])
            worker.flush()
            del self._rows[:end]

    def _end_rows(self) -> None:
        if self._spread:
            self._rows += b"\n"
            self._give(len(self._rows))
            for worker in self._workers:
                self._sync(worker)
        else:
            self._main.stdin.write(self._rows)
        self._rows.clear()
        self._spread = False
        self._section = b""

    def _sync(self, client: Tool) -> None:
        """Wait until a client has carried out all that it was given."""
        self._marks += 1
        mark = f"holdfast mark {self._marks}"
        client.stdin.write(f"\nSELECT '{mark}';\n".encode())
        client.stdin.flush()
        while (line := client.stdout.readline()).strip() != mark.encode():
            if not line:
                # As a broken pipe is: the client's own failure is what gets reported.
                raise BrokenPipeError(f"{client.name} ended")
