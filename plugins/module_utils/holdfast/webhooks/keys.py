# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a table lets each event in once: its unique keys, and the rows that stand against one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..asking import Ask
from ..errors import InvalidInput, NotFound
from .mysql import MySQL
from .postgresql import PostgreSQL
from .sqlite import SQLite
from .tables import Dialect, Index, Table

DIALECTS: dict[str, Dialect] = {"mysql": MySQL(), "postgresql": PostgreSQL(), "sqlite": SQLite()}
COLUMNS = ["provider", "webhook_id"]

PLACE = "holdfast_place"

_EXAMPLES = 5
_EXAMPLE_LENGTH = 64


@dataclass(frozen=True)
class Found:
    """What a table has.

    `key` is a unique key on the columns or on some of them, in any order. `short` says of the unique indexes that look
    like one, and are not enough, why. `nulls` counts the rows that no key compares, because of NULL in a column;
    `duplicates` those that would have to go; `examples` are some of their ids.
    """

    table: Table
    columns: tuple[str, ...]
    key: Index | None
    short: tuple[str, ...]
    nulls: int = 0
    duplicates: int = 0
    examples: tuple[str, ...] = ()


def look_at(ask: Ask, dialect: Dialect, name: str, columns: Sequence[str]) -> Found:
    """What there is, with all rows looked at. Raises as `find` does."""
    return counted(ask, dialect, find(ask, dialect, name, columns))


def find(ask: Ask, dialect: Dialect, name: str, columns: Sequence[str]) -> Found:
    """What there is, without a look at the rows.

    Raises NotFound for a table or column that is not there, InvalidInput where no key can be.
    """
    table = find_table(ask, dialect, name)
    found = tuple(find_column(dialect, table, column) for column in columns)
    if not found or len(set(found)) < len(found):
        raise InvalidInput("columns must name at least one column, and none twice.")
    key, short = _keys(table, set(found))
    if key is None:
        _check_columns(table, found)
    return Found(table, found, key, short)


def counted(ask: Ask, dialect: Dialect, found: Found) -> Found:
    """The same with the rows counted; where there is a key, there are no duplicates."""
    sql, columns = found.table.sql, found.columns
    nulls = int(ask(f"SELECT COUNT(*) FROM {sql} WHERE NOT ({not_null(dialect, columns)})")[0][0])
    if found.key:
        return replace(found, nulls=nulls)
    # By a sort: to group them takes MariaDB ten times as long.
    listed = dialect.listed(columns)
    place = f"ROW_NUMBER() OVER (PARTITION BY {listed} ORDER BY {listed}) AS {PLACE}"
    last = dialect.quote(columns[-1])
    rows = f"(SELECT {last}, {place} FROM {sql} WHERE {not_null(dialect, columns)}) AS placed"
    duplicates = int(ask(f"SELECT COUNT(*) FROM {rows} WHERE {PLACE} > 1")[0][0])
    examples = ask(f"SELECT {last} FROM {rows} WHERE {PLACE} = 2 LIMIT {_EXAMPLES}") if duplicates else []
    return replace(found, nulls=nulls, duplicates=duplicates, examples=tuple(_shown(row[0]) for row in examples))


def find_table(ask: Ask, dialect: Dialect, name: str) -> Table:
    """A table by its name. Raises NotFound."""
    if not name or "\0" in name:
        raise InvalidInput(f"table {name!r} cannot be the name of a table.")
    table = dialect.table(ask, name)
    if table is None:
        raise NotFound(f"The database has no table {name!r} that this user sees.")
    return table


def find_column(dialect: Dialect, table: Table, name: str) -> str:
    """A column as the table spells it. Raises NotFound that lists those it has."""
    for column in table.columns:
        if column == name or (not dialect.names_have_case and column.lower() == name.lower()):
            return column
    raise NotFound(f"The table {table.name} has no column {name!r}. It has: {', '.join(table.columns)}.")


def _keys(table: Table, columns: set[str]) -> tuple[Index | None, tuple[str, ...]]:
    """A key that is enough, and what others lack. Uniqueness of some of the columns implies that of all."""
    near = [index for index in table.indexes if set(index.columns) <= columns]
    key = next((index for index in near if not index.shortfall and index.columns), None)
    return key, tuple(f"{index.name} {index.shortfall}" for index in near if index.shortfall)


def _check_columns(table: Table, columns: Sequence[str]) -> None:
    """Raise InvalidInput when no key can be made on columns, so that to look for duplicates is no use."""
    for column in columns:
        obstacle = table.columns[column].obstacle
        if obstacle:
            raise InvalidInput(f"No key can be made: the column {column} of {table.name} {obstacle}.")
    size = sum(table.columns[column].key_bytes for column in columns)
    if table.key_limit and size > table.key_limit:
        raise InvalidInput(
            f"No key can be made on ({', '.join(columns)}) of {table.name}: it would have {size} bytes, and"
            f" {table.key_limit} are allowed. Make the columns shorter, such as VARCHAR(191)."
        )


def not_null(dialect: Dialect, columns: Sequence[str]) -> str:
    """The condition that a unique key compares a row: NULL is never the same as another NULL."""
    return " AND ".join(f"{dialect.quote(column)} IS NOT NULL" for column in columns)


def _shown(value: object) -> str:
    text = value.decode(errors="replace") if isinstance(value, (bytes, bytearray)) else str(value)
    line = "".join(letter if letter.isprintable() else "?" for letter in text)
    return line if len(line) <= _EXAMPLE_LENGTH else line[: _EXAMPLE_LENGTH - 3] + "..."


def alike_only(ask: Ask, dialect: Dialect, found: Found) -> list[str]:
    """Ids that the column's collation takes for the same as another, such as one in capitals, though they are not."""
    exact = [f"COUNT(DISTINCT {dialect.exact(dialect.quote(column))}) > 1" for column in found.columns]
    query = (
        f"SELECT {dialect.quote(found.columns[-1])} FROM {found.table.sql} WHERE {not_null(dialect, found.columns)}"
        f" GROUP BY {dialect.listed(found.columns)} HAVING {' OR '.join(exact)} LIMIT {_EXAMPLES}"
    )
    return [_shown(row[0]) for row in ask(query)]
