# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One PostgreSQL dump by several pg_dump, all of one snapshot (PostgreSQL manual, 9.28.5 and pg_dump's --snapshot)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import DatabaseError
from .base import Content, Dump
from .postgresql_dump import PartScanner, PostgreSQLScanner, Section
from .sql_dump import ScannedDump
from .streams import Bytes

if TYPE_CHECKING:
    import psycopg

# Bytes on disk. What has fewer is not worth a stream of its own.
_LARGE = 16 << 20
_MOST = 16  # streams; each pg_dump reads the whole catalog
# By names as pg_dump takes them literally (psql's manual, "Patterns").
_SIZES = r"""
SELECT '"' || replace(nspname, '"', '""') || '"."' || replace(relname, '"', '""') || '"', pg_table_size(c.oid)
  FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
  WHERE relkind = 'r' AND nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
"""
RunDump = Callable[[Sequence[str]], Iterator[bytes]]


def dump_of(connection: psycopg.Connection[Any], run: RunDump, jobs: int) -> Dump:
    """A dump by up to `jobs` processes, during which the connection has to live; `run` starts one with more options."""
    groups = _groups(connection.execute(_SIZES).fetchall()) if jobs > 1 else []
    if not groups:
        return ScannedDump(PostgreSQLScanner(), run(()))
    connection.execute("SET idle_in_transaction_session_timeout = 0")
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    row = connection.execute("SELECT pg_export_snapshot()").fetchone()
    assert row is not None
    snapshot = f"--snapshot={row[0]}"
    rows_only = (snapshot, "--data-only", "--strict-names")
    parts = [_Part(tables, run((*rows_only, *_each("table", tables)))) for tables in groups]
    elsewhere = [table for tables in groups for table in tables]
    return _Main(run((snapshot, *_each("exclude-table-data", elsewhere))), parts)


def _each(option: str, tables: Sequence[str]) -> list[str]:
    return [f"--{option}={table}" for table in tables]


def _groups(sizes: Sequence[tuple[str, int]]) -> list[list[str]]:
    """The large tables, largest first, each by itself, or with others where there are more than _MOST."""
    groups: list[list[str]] = []
    load: list[int] = []
    for table, size in sorted(sizes, key=lambda one: -one[1]):
        if size < _LARGE:
            break
        if len(groups) < _MOST:
            groups.append([])
            load.append(0)
        least = load.index(min(load))
        groups[least].append(table)
        load[least] += size
    return groups


class _Part(ScannedDump):
    """The rows of some tables."""

    def __init__(self, tables: Sequence[str], source: Iterator[bytes]) -> None:
        super().__init__(PartScanner(), source)
        self.tables = len(tables)


class _Main(ScannedDump):
    """The dump of all else, and what it all comes to."""

    def __init__(self, source: Iterator[bytes], parts: Sequence[_Part]) -> None:
        self._follower = PostgreSQLScanner()
        super().__init__(self._follower, source)
        self.parts: Sequence[_Part] = parts

    def __iter__(self) -> Iterator[Bytes]:
        yield from super().__iter__()
        starts = self._follower.starts
        self.parts_at = min(starts[section] for section in starts if section >= Section.DATA)

    @property
    def content(self) -> Content:
        content = super().content
        tables = dict(content.tables)
        for part in self.parts:
            found = part.content.tables
            if len(found) != part.tables or not tables.keys().isdisjoint(found):
                raise DatabaseError("The tables' rows were not dumped once each; make the backup again, with jobs=1.")
            tables.update(found)
        return replace(content, tables=tables)
