# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What SQLite has of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager

from ..asking import Ask
from ..errors import InvalidInput
from .tables import ARCHIVED_AT, RUN, Column, Dialect, Index, Reference, Table, committed


class SQLite(Dialect):
    """All is done in one transaction, the key included."""

    def table(self, ask: Ask, name: str, beside: Table | None = None) -> Table | None:
        found = ask("SELECT name, type, sql FROM sqlite_master WHERE lower(name) = lower(%s)", (name,))
        if not found:
            return None
        real, kind, text = found[0]
        if kind != "table" or text.upper().startswith("CREATE VIRTUAL"):
            raise InvalidInput(f"{real} is no ordinary table: {'a virtual one' if kind == 'table' else kind}.")
        rows = ask("SELECT name, type, pk FROM pragma_table_xinfo(%s) WHERE hidden <> 1", (real,))
        primary = tuple(row[0] for row in sorted(rows, key=lambda row: int(row[2])) if row[2])
        columns = {row[0]: Column(row[0], self.quote(row[1]) if row[1] else "") for row in rows}
        return Table(real, self.quote(real), columns, primary, tuple(_indexes(ask, real, primary)))

    def references(self, ask: Ask, table: Table) -> list[Reference]:
        found = []
        for (child,) in ask("SELECT name FROM sqlite_master WHERE type = 'table'"):
            pairs: dict[int, list[tuple[str, str]]] = {}
            query = 'SELECT id, seq, "from", "to" FROM pragma_foreign_key_list(%s) WHERE lower("table") = lower(%s)'
            for number, place, column, target in ask(query + " ORDER BY id, seq", (child, table.name)):
                # Without a column the key points at the primary key (https://www.sqlite.org/foreignkeys.html, 3).
                pairs.setdefault(number, []).append((column, target or table.primary[place]))
            found += [Reference(self.quote(child), tuple(one)) for one in pairs.values()]
        return found

    def name_taken(self, ask: Ask, table: Table, name: str) -> bool:
        return bool(ask("SELECT 1 FROM sqlite_master WHERE lower(name) = lower(%s)", (name,)))

    def exact(self, column: str) -> str:
        return f"{column} COLLATE BINARY"

    def alone(self, ask: Ask, table: Table) -> AbstractContextManager[None]:
        return committed(ask, "BEGIN IMMEDIATE")

    def transaction(self, ask: Ask) -> AbstractContextManager[None]:
        return contextlib.nullcontext()  # `alone` is one already

    def create_archive(self, ask: Ask, table: Table, archive: str) -> None:
        columns = [f"{self.quote(one.name)} {one.type}" for one in table.columns.values()]
        columns += [f"{ARCHIVED_AT} TEXT NOT NULL", f"{RUN} TEXT NOT NULL"]
        ask(f"CREATE TABLE {archive} ({', '.join(columns)}, PRIMARY KEY ({RUN}, {self.listed(table.primary)}))")

    def delete_archived(self, table: Table, archive: str, run: str) -> str:
        key = self.listed(table.primary)
        return f"DELETE FROM {table.sql} WHERE ({key}) IN (SELECT {key} FROM {archive} WHERE {RUN} = '{run}')"

    def add_key(self, ask: Ask, table: Table, name: str, columns: Iterable[str]) -> str:
        ask(f"CREATE UNIQUE INDEX {self.quote(name)} ON {table.sql} ({self.listed(columns)})")
        return ""


def _indexes(ask: Ask, table: str, primary: tuple[str, ...]) -> Iterator[Index]:
    if primary:
        yield Index("PRIMARY KEY", primary)
    query = "SELECT name, partial FROM pragma_index_list(%s) WHERE \"unique\" = 1 AND origin <> 'pk' ORDER BY name"
    for name, partial in ask(query, (table,)):
        parts = ask("SELECT cid, name FROM pragma_index_xinfo(%s) WHERE key = 1 ORDER BY seqno", (name,))
        shortfall = "holds for a part of the rows only" if partial else ""
        if any(number < 0 for number, _ in parts):
            shortfall = "is on an expression"
        yield Index(name, tuple(column for number, column in parts if number >= 0), shortfall)
