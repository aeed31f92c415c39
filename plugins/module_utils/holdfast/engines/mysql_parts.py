# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One MySQL or MariaDB dump by several dump programs, all of one snapshot.

These servers cannot hand a snapshot on, and to keep all writers off while several are begun (FLUSH TABLES WITH READ
LOCK) would hold up the application. So they are begun without, and count as one when InnoDB's log did not move from
before the first until after the last: then nothing was committed in between. Otherwise it is tried again, and at last
one program does it all.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from ..streams import LARGE, fair_shares
from .base import Dump
from .mysql_dump import MySQLPartScanner, MySQLScanner, Section
from .mysql_rights import log_position
from .sql_dump import PartedDump

if TYPE_CHECKING:
    import pymysql

_ATTEMPTS = 3
# Of a sequence that a table goes by, the dump of that table alone knows nothing.
_SIZES = """
SELECT table_name, data_length FROM information_schema.tables t
WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND engine = 'InnoDB' AND NOT EXISTS
  (SELECT 1 FROM information_schema.columns c WHERE c.table_schema = t.table_schema AND c.table_name = t.table_name
   AND c.column_default LIKE '%nextval%')
"""
# Starts a program with more options, for these tables alone or, without any, for all.
RunDump = Callable[[Sequence[str], Sequence[str]], Generator[bytes, None, None]]


def parted_dump(
    cursor: pymysql.cursors.Cursor,
    database: str,
    run: RunDump,
    jobs: int,
    scanner: MySQLScanner,
    separate: tuple[str, ...],
    stack: ExitStack,
) -> Dump | None:
    """A dump by up to `jobs` programs, which end with `stack`; None where one has to do it all."""
    groups = _groups(cursor, jobs)
    for _ in range(_ATTEMPTS if groups else 0):
        before = log_position(cursor)
        with ExitStack() as attempt:
            elsewhere = [f"--ignore-table={database}.{table}" for tables in groups for table in tables]
            programs = [run(elsewhere, ())]
            programs += [run(("--skip-events", "--skip-routines"), tables) for tables in groups]
            for program in programs:
                attempt.enter_context(closing(program))
            with ThreadPoolExecutor(len(programs)) as pool:
                # By its first rows, each shows that it has its snapshot.
                firsts = list(pool.map(lambda program: next(program, b""), programs))
            if before is None or before != log_position(cursor):
                continue
            stack.enter_context(attempt.pop_all())
        main, *others = (_resumed(first, program) for first, program in zip(firsts, programs))
        parts = [(len(tables), MySQLPartScanner(), output) for tables, output in zip(groups, others)]
        return PartedDump(scanner, main, Section.AFTER_TABLES, parts, separate)
    return None


def _resumed(first: bytes, rest: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
    with closing(rest):
        yield first
        yield from rest


def _groups(cursor: pymysql.cursors.Cursor, jobs: int) -> list[list[str]]:
    """The large tables divided among the programs beside the first, which takes its share and all that is small."""
    cursor.execute(_SIZES)
    sizes = [(str(table), int(size)) for table, size in cursor.fetchall()]
    small = sum(size for _, size in sizes if size < LARGE)
    shares = fair_shares([one for one in sizes if one[1] >= LARGE], [small, *[0] * (jobs - 1)])
    return [share for share in shares[1:] if share]
