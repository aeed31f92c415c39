# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving the rows that came again into a table of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from ..asking import Ask
from ..errors import DatabaseError, InvalidInput
from ..faults import reached
from ..names import short_id, stamp
from .keys import PLACE, Found, not_null
from .tables import ARCHIVED_AT, RUN, Dialect, Table


@dataclass(frozen=True)
class Archive:
    """Where rows go, and the column by which the first of them stays; None for the primary key alone."""

    table: str
    order: str | None

    def sql(self, dialect: Dialect, table: Table) -> str:
        """Its name as it stands in a statement: it is in the schema of the table whose rows it takes."""
        return (f"{dialect.quote(table.schema)}." if table.schema else "") + dialect.quote(self.table)


def check_archive(ask: Ask, dialect: Dialect, table: Table, archive: Archive) -> None:
    """Raise InvalidInput when the archive cannot take the table's rows."""
    if "\0" in archive.table or (dialect.name_limit and dialect.name_length(archive.table) > dialect.name_limit):
        limit = dialect.name_limit or "any number of"
        raise InvalidInput(
            f"archive_table {archive.table!r} cannot be used: it has more than {limit} characters, or NUL."
        )
    taken = {ARCHIVED_AT, RUN} & {name.lower() for name in table.columns}
    if archive.table.lower() == table.name.lower() or taken:
        raise InvalidInput(f"archive_table must be another table than {table.name}, which must not be an archive.")
    there = dialect.table(ask, archive.table, table)
    missing = [name for name in (*table.columns, ARCHIVED_AT, RUN) if there and name not in there.columns]
    if missing:
        raise InvalidInput(
            f"The table {archive.table} cannot take rows of {table.name}: it lacks {', '.join(missing)}."
            " Give archive_table another name."
        )


def _again(dialect: Dialect, found: Found, archive: Archive) -> str:
    """A query of the primary keys of all but the first row of each group."""
    table, key = found.table, dialect.listed(found.table.primary)
    order = key
    if archive.order:
        column = dialect.quote(archive.order)
        order = f"CASE WHEN {column} IS NULL THEN 1 ELSE 0 END, {column}, {key}"  # rows without a time come last
    place = f"ROW_NUMBER() OVER (PARTITION BY {dialect.listed(found.columns)} ORDER BY {order}) AS {PLACE}"
    rows = f"SELECT {key}, {place} FROM {table.sql} WHERE {not_null(dialect, found.columns)}"
    return f"SELECT {key} FROM ({rows}) AS placed WHERE {PLACE} > 1"


def refuse_referenced(ask: Ask, dialect: Dialect, found: Found, archive: Archive) -> None:
    """Raise InvalidInput when a foreign key points at a row that is to be moved."""
    same = dialect.matching(found.table.primary, "p", "d")
    rows = f"{found.table.sql} AS p JOIN ({_again(dialect, found, archive)}) AS d ON {same}"
    _refuse_referenced(ask, dialect, found.table, rows, "")


def _refuse_referenced(ask: Ask, dialect: Dialect, table: Table, rows: str, suffix: str) -> None:
    """The same, `rows` being what comes after FROM, with the rows to be moved as `p`."""
    for reference in dialect.references(ask, table):
        on = " AND ".join(f"c.{dialect.quote(column)} = p.{dialect.quote(other)}" for column, other in reference.pairs)
        found = ask(f"SELECT COUNT(*) FROM {rows} JOIN {reference.table} AS c ON {on}{suffix}")[0][0]
        if found:
            raise InvalidInput(
                f"Nothing was moved: foreign keys of {found} rows of {reference.table} point at rows of {table.name}"
                " that came again. Let them point at the first ones, or remove them, and run this again."
            )


def move(ask: Ask, dialect: Dialect, found: Found, archive: Archive) -> int:
    """Move all but the first row of each group, in one transaction; returns how many.

    Raises InvalidInput when a foreign key points at one by now, DatabaseError when one did not go.
    """
    table = found.table
    target = archive.sql(dialect, table)
    run = f"{stamp(datetime.now(timezone.utc))}-{short_id()}"
    if dialect.table(ask, archive.table, table) is None:
        dialect.create_archive(ask, table, target)
    with dialect.transaction(ask):
        ask(_insert(dialect, found, archive, target, run))
        reached("webhooks: archived")
        rows = f"(SELECT * FROM {target} WHERE {RUN} = '{run}') AS p"
        _refuse_referenced(ask, dialect, table, rows, dialect.read_latest)
        moved = int(ask(f"SELECT COUNT(*) FROM {rows}")[0][0])
        ask(dialect.delete_archived(table, target, run))
        same = dialect.matching(table.primary, "t", "p")
        left = int(ask(f"SELECT COUNT(*) FROM {table.sql} AS t JOIN {rows} ON {same}")[0][0])
        if left:
            raise DatabaseError(f"{left} rows of {table.name} cannot be deleted: a trigger or rule keeps them.")
    reached("webhooks: moved")
    return moved


def _insert(dialect: Dialect, found: Found, archive: Archive, target: str, run: str) -> str:
    columns: Sequence[str] = list(found.table.columns)
    same = dialect.matching(found.table.primary, "t", "d")
    return (
        f"INSERT INTO {target} ({dialect.listed(columns)}, {ARCHIVED_AT}, {RUN})"
        f" SELECT {dialect.listed(columns, 't')}, CURRENT_TIMESTAMP, '{run}' FROM {found.table.sql} AS t"
        f" JOIN ({_again(dialect, found, archive)}) AS d ON {same}{dialect.lock}"
    )
