# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table's columns and unique keys, and what each engine has of its own to tell of them and to change them."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar

from ..asking import Ask

ARCHIVED_AT, RUN = "holdfast_archived_at", "holdfast_run"


class Duplicated(Exception):
    """A key cannot be made because two rows have the same values."""


@dataclass(frozen=True)
class Column:
    """A column. `type` is as CREATE TABLE takes it; `obstacle` says why it cannot be in a key, and what to change.

    `key_bytes` is how much of a key it takes at most, where the engine has a limit.
    """

    name: str
    type: str = ""
    obstacle: str = ""
    key_bytes: int = 0


@dataclass(frozen=True)
class Index:
    """A unique index. `shortfall` says why it does not keep all duplicates out, where it does not."""

    name: str
    columns: tuple[str, ...]
    shortfall: str = ""


@dataclass(frozen=True)
class Reference:
    """A foreign key: a table as it stands in a statement, with pairs of its columns and those they point at."""

    table: str
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """A table. `sql` is its name as it stands in a statement, `identity` its number where it has one.

    `key_limit` is how many bytes a key may have, 0 for no limit; `immovable` says why rows cannot be moved out of it in
    one transaction, where they cannot.
    """

    name: str
    sql: str
    columns: Mapping[str, Column]
    primary: tuple[str, ...]
    indexes: tuple[Index, ...]
    schema: str = ""
    identity: int = 0
    key_limit: int = 0
    immovable: str = ""


class Dialect(ABC):
    """What an engine has of its own. Statements with an identifier have no values, and the other way round."""

    mark: ClassVar[str] = '"'  # around an identifier
    name_limit: ClassVar[int | None] = None
    names_have_case: ClassVar[bool] = False  # whether two columns may differ in case only
    lock: ClassVar[str] = ""  # after the SELECT that finds the rows to be moved
    read_latest: ClassVar[str] = ""  # after a SELECT that has to see what others committed meanwhile

    def quote(self, name: str) -> str:
        """An identifier as it stands in a statement."""
        return self.mark + name.replace(self.mark, 2 * self.mark) + self.mark

    def name_length(self, name: str) -> int:
        """A name's length in the units of `name_limit`."""
        return len(name)

    def prepare(self, ask: Ask) -> None:  # noqa: B027 - most engines need nothing
        """Make the connection ready for changes."""

    @abstractmethod
    def table(self, ask: Ask, name: str, beside: Table | None = None) -> Table | None:
        """The table of a name, if it is there. `beside` is one in whose schema it must be."""

    @abstractmethod
    def references(self, ask: Ask, table: Table) -> list[Reference]:
        """The foreign keys that point at a table."""

    @abstractmethod
    def name_taken(self, ask: Ask, table: Table, name: str) -> bool:
        """Whether a new index of the table cannot have a name."""

    def check_rights(self, ask: Ask, table: Table, archive: str | None) -> None:  # noqa: B027 - SQLite has no users
        """Raise InvalidInput when it is known that the user may not make a key, nor move rows where to is given."""

    @abstractmethod
    def exact(self, column: str) -> str:
        """An expression that tells apart all values that are not the same byte by byte."""

    @abstractmethod
    def alone(self, ask: Ask, table: Table) -> AbstractContextManager[None]:
        """Keep other runs away from the table. Raises Locked when one is at it."""

    @abstractmethod
    def transaction(self, ask: Ask) -> AbstractContextManager[None]:
        """All or nothing of what is done in the block."""

    @abstractmethod
    def create_archive(self, ask: Ask, table: Table, archive: str) -> None:
        """Make a table, given as it stands in a statement, with the same columns and those of the archive."""

    @abstractmethod
    def delete_archived(self, table: Table, archive: str, run: str) -> str:
        """The statement that deletes the rows that a run has put into the archive."""

    @abstractmethod
    def add_key(self, ask: Ask, table: Table, name: str, columns: Iterable[str]) -> str:
        """Make the key; returns a warning where it could not be made online. Raises Duplicated."""

    def listed(self, columns: Iterable[str], table: str = "") -> str:
        """Columns as they stand in a statement, of an aliased table where one is given."""
        return ", ".join((f"{table}." if table else "") + self.quote(column) for column in columns)

    def matching(self, columns: Iterable[str], one: str, other: str) -> str:
        """The condition that two aliased tables have the same in columns."""
        return " AND ".join(f"{one}.{self.quote(column)} = {other}.{self.quote(column)}" for column in columns)


def code_of(error: Exception) -> str:
    """A driver's number of an error, or its SQLSTATE where it has no number."""
    number = error.args[0] if error.args else ""
    return str(number if isinstance(number, int) else getattr(error, "sqlstate", None) or number)


def undo(ask: Ask) -> None:
    """Roll back, whether or not the connection still stands: without it the server does so by itself."""
    with contextlib.suppress(Exception):  # the error that led here is the one to tell
        ask("ROLLBACK")


@contextlib.contextmanager
def committed(ask: Ask, begin: str) -> Iterator[None]:
    """A transaction that the statement `begin` opens: all of it, or nothing."""
    ask(begin)
    try:
        yield
        ask("COMMIT")
    except BaseException:
        undo(ask)
        raise
