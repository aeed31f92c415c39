# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One PostgreSQL dump by several pg_dump, all of one snapshot (PostgreSQL manual, 9.28.5 and pg_dump's --snapshot)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any

from ..streams import LARGE, fair_shares
from .base import Dump
from .postgresql_dump import PartScanner, PostgreSQLScanner, Section
from .sql_dump import PartedDump, ScannedDump

if TYPE_CHECKING:
    import psycopg

# A change of a table that waits for this lock would else wait for the program that waits for the change.
_LOCK_TIMEOUT = "--lock-wait-timeout=30s"
_MOST = 16  # streams; each pg_dump reads the whole catalog
# By names as pg_dump takes them literally (psql's manual, "Patterns").
_SIZES = r"""
SELECT '"' || replace(nspname, '"', '""') || '"."' || replace(relname, '"', '""') || '"', pg_table_size(c.oid)
  FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
  WHERE relkind = 'r' AND nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
"""
RunDump = Callable[[Sequence[str]], Generator[bytes, None, None]]


def parted_dump(connection: psycopg.Connection[Any], run: RunDump) -> Dump:
    """A dump by several processes, where there is something to divide; `run` starts one with more options.

    The connection has to live until the dump has ended.
    """
    large = [(table, size) for table, size in connection.execute(_SIZES).fetchall() if size >= LARGE]
    groups = [share for share in fair_shares(large, [0] * _MOST) if share]
    if not groups:
        return ScannedDump(PostgreSQLScanner(), run(()))
    connection.execute("SET idle_in_transaction_session_timeout = 0")
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    elsewhere = [table for tables in groups for table in tables]
    # A table that is emptied by TRUNCATE is empty in earlier snapshots too (PostgreSQL manual, 13.6 "Caveats"), and the
    # last of the programs may begin long after the first.
    connection.execute(f"LOCK TABLE ONLY {', ONLY '.join(elsewhere)} IN ACCESS SHARE MODE")
    row = connection.execute("SELECT pg_export_snapshot()").fetchone()
    assert row is not None
    common = (f"--snapshot={row[0]}", _LOCK_TIMEOUT)
    rows_only = (*common, "--data-only", "--strict-names")
    parts = [(len(tables), PartScanner(), run((*rows_only, *_each("table", tables)))) for tables in groups]
    main = run((*common, *_each("exclude-table-data", elsewhere)))
    return PartedDump(PostgreSQLScanner(), main, Section.DATA, parts)


def _each(option: str, tables: Sequence[str]) -> list[str]:
    return [f"--{option}={table}" for table in tables]
