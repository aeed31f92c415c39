# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PostgreSQL has of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager

from ..asking import Ask
from ..errors import InvalidInput, Locked
from .tables import ARCHIVED_AT, RUN, Column, Dialect, Duplicated, Index, Reference, Table, code_of, committed

_UNIQUE_VIOLATION = "23505"  # PostgreSQL manual, appendix A
_LOCK_CLASS = 0x686F6C64  # "hold", the first of an advisory lock's two numbers
_NO_ORDER = ("json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle")  # no btree operator class
_KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}

# Of the key's columns only (indnkeyatts), not of those that INCLUDE adds (PostgreSQL manual, 53.26).
_INDEXES = """
SELECT c.relname::text, i.indisvalid AND i.indisready, i.indimmediate, i.indpred IS NOT NULL, i.indexprs IS NOT NULL,
  ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
    WHERE k.place <= i.indnkeyatts ORDER BY k.place), i.indisprimary
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = %s::oid AND i.indisunique ORDER BY i.indisprimary DESC, 1
"""
_REFERENCES = """
SELECT f.oid::bigint, n.nspname::text, c.relname::text, a.attname::text, b.attname::text
FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL unnest(f.conkey, f.confkey) WITH ORDINALITY AS k(child, parent, place)
JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.child
JOIN pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = k.parent
WHERE f.contype = 'f' AND f.confrelid = %s::oid ORDER BY 1, k.place
"""
_BUILDING = """
SELECT 1 FROM pg_stat_progress_create_index p JOIN pg_class c ON c.oid = p.index_relid
WHERE p.relid = %s::oid AND c.relname::text = %s
"""


class PostgreSQL(Dialect):
    """Rows move in one transaction; the key is made after it, while others read and write."""

    name_limit = 63
    names_have_case = True
    lock = " FOR UPDATE OF t"

    def name_length(self, name: str) -> int:
        return len(name.encode())

    def table(self, ask: Ask, name: str, beside: Table | None = None) -> Table | None:
        # As text: a longer name would be cut off at 63 bytes, and fit another table.
        query = (
            "SELECT c.oid::bigint, n.nspname::text, c.relkind::text FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname::text = %s"
        )
        if beside:
            found = ask(query + " AND n.nspname::text = %s", (name, beside.schema))
        else:
            found = ask(query + " AND pg_table_is_visible(c.oid)", (name,))
        if not found:
            return None
        number, schema, kind = found[0]
        if kind == "p":
            raise InvalidInput(f"{name} is a partitioned table, on which no unique index can be made online.")
        if kind != "r":
            raise InvalidInput(f"{name} is no ordinary table: {_KINDS.get(kind, 'an index or a sequence')}.")
        columns = {one.name: one for one in _columns(ask, number)}
        rows = ask(_INDEXES, (number,))
        primary = next((tuple(row[5]) for row in rows if row[6]), ())
        sql = f"{self.quote(schema)}.{self.quote(name)}"
        indexes = tuple(Index(row[0], tuple(row[5]), _shortfall(*row[1:5])) for row in rows)
        return Table(name, sql, columns, primary, indexes, schema=schema, identity=number)

    def references(self, ask: Ask, table: Table) -> list[Reference]:
        found: dict[tuple[int, str, str], list[tuple[str, str]]] = {}
        for number, schema, child, column, target in ask(_REFERENCES, (table.identity,)):
            found.setdefault((number, schema, child), []).append((column, target))
        return [Reference(f"{self.quote(key[1])}.{self.quote(key[2])}", tuple(pairs)) for key, pairs in found.items()]

    def name_taken(self, ask: Ask, table: Table, name: str) -> bool:
        # An index that is not valid is what a failed attempt left; it gives way to the new one.
        query = (
            "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " LEFT JOIN pg_index i ON i.indexrelid = c.oid WHERE n.nspname::text = %s AND c.relname::text = %s"
            " AND (i.indrelid IS DISTINCT FROM %s::oid OR i.indisvalid)"
        )
        return bool(ask(query, (table.schema, name, table.identity)))

    def check_rights(self, ask: Ask, table: Table, archive: str | None) -> None:
        query = (
            "SELECT pg_get_userbyid(relowner)::text, pg_has_role(relowner, 'USAGE'), current_user::text,"
            " has_schema_privilege(relnamespace, 'CREATE'), current_setting('transaction_read_only') = 'on'"
            " FROM pg_class WHERE oid = %s::oid"
        )
        owner, allowed, user, may_create, read_only = ask(query, (table.identity,))[0]
        if read_only:
            raise InvalidInput("Nothing can be changed: the server, the database or the user is set to read only.")
        if not allowed:
            raise InvalidInput(f"{user} may not make a key on {table.name}: only its owner, {owner}, and members may.")
        if not may_create:
            schema = self.quote(table.schema)
            raise InvalidInput(
                f"{user} may not make a key on {table.name}: GRANT CREATE ON SCHEMA {schema} TO {self.quote(user)}."
            )

    def exact(self, column: str) -> str:
        return f'{column}::text COLLATE "C"'

    @contextlib.contextmanager
    def alone(self, ask: Ask, table: Table) -> Iterator[None]:
        # Not waited for: a waiting statement has a snapshot, and making the index waits until that is gone.
        if ask("SELECT pg_try_advisory_lock(%s, %s::oid::int)", (_LOCK_CLASS, table.identity)) != [(True,)]:
            raise Locked(f"Another run is at the table {table.name}.")
        try:
            yield
        finally:
            # The server gives it up by itself where the connection broke.
            with contextlib.suppress(Exception):
                ask("SELECT pg_advisory_unlock(%s, %s::oid::int)", (_LOCK_CLASS, table.identity))

    def transaction(self, ask: Ask) -> AbstractContextManager[None]:
        return committed(ask, "BEGIN")

    def create_archive(self, ask: Ask, table: Table, archive: str) -> None:
        added = f"{ARCHIVED_AT} timestamptz NOT NULL, {RUN} text NOT NULL"
        ask(f"CREATE TABLE {archive} (LIKE {table.sql}, {added}, PRIMARY KEY ({RUN}, {self.listed(table.primary)}))")

    def delete_archived(self, table: Table, archive: str, run: str) -> str:
        same = self.matching(table.primary, "t", "a")
        return f"DELETE FROM {table.sql} AS t USING {archive} AS a WHERE {same} AND a.{RUN} = '{run}'"

    def add_key(self, ask: Ask, table: Table, name: str, columns: Iterable[str]) -> str:
        if ask(_BUILDING, (table.identity, name)):
            raise Locked(f"Someone is making the index {name} on {table.name} right now.")
        drop = f"DROP INDEX CONCURRENTLY IF EXISTS {self.quote(table.schema)}.{self.quote(name)}"
        ask(drop)  # one that is not valid, as `name_taken` saw to it
        try:
            ask(f"CREATE UNIQUE INDEX CONCURRENTLY {self.quote(name)} ON {table.sql} ({self.listed(columns)})")
        except Exception as error:
            ask(drop)
            if code_of(error) == _UNIQUE_VIOLATION:
                raise Duplicated from error
            raise
        return ""


def _columns(ask: Ask, number: int) -> Iterator[Column]:
    query = (
        "SELECT a.attname::text, t.typname::text FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
        " WHERE a.attrelid = %s::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    )
    for name, kind in ask(query, (number,)):
        obstacle = f"is {kind}, which no unique index takes: change it to text or uuid" if kind in _NO_ORDER else ""
        yield Column(name, obstacle=obstacle)


def _shortfall(valid: bool, immediate: bool, partial: bool, on_expression: bool) -> str:
    if not valid:
        return "is not valid: an attempt to make it failed"
    if partial:
        return "holds for a part of the rows only"
    if on_expression:
        return "is on an expression"
    return "" if immediate else "is deferrable, so that it is looked at after the effect"
