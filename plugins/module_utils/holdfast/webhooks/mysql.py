# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What MySQL and MariaDB have of their own."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from ..asking import Ask
from ..errors import DatabaseError, InvalidInput, Locked
from ..names import short_id
from .tables import ARCHIVED_AT, RUN, Column, Dialect, Duplicated, Index, Reference, Table, code_of, committed

# MySQL manual, "Server Error Message Reference"
_DUPLICATE_ENTRY, _LOCK_TIMEOUT, _NOT_ONLINE = "1062", "1205", ("1845", "1846")
_DENIED, _READ_ONLY = ("1044", "1142", "1143"), ("1290", "1792", "1836")
# A right, and a statement that asks for it but cannot succeed, as what it names is not there.
_KEY_RIGHTS = (("ALTER", "ALTER TABLE {table} ADD UNIQUE KEY {missing} ({missing})"),)
_ARCHIVE_RIGHTS = (
    ("CREATE", "CREATE TABLE {archive} LIKE {missing}"),
    ("INSERT", "INSERT INTO {archive} SELECT 1 FROM {missing}"),
    ("SELECT", "SELECT 1 FROM {archive} JOIN {missing}"),
    ("DELETE", "DELETE t FROM {table} AS t JOIN {missing}"),
)
_LOCK_TIMEOUT_S = 5
_WITHOUT_LENGTH = ("text", "blob", "json", "geometry", "point", "linestring", "polygon")
_OLD_ROW_FORMATS = ("Compact", "Redundant")
_OLD_COLUMN_LIMIT = 767  # bytes (MySQL manual, 15.22 "InnoDB Limits")
_OTHER_TYPES_BYTES = 8


class MySQL(Dialect):
    """Rows move in one transaction; the key is made after it, while others read and write."""

    mark = "`"
    name_limit = 64
    lock = " FOR UPDATE"
    read_latest = " LOCK IN SHARE MODE"

    def prepare(self, ask: Ask) -> None:
        # Who waits for the table's lock has everybody else wait behind him: not for a day, the server's default.
        ask(f"SET SESSION lock_wait_timeout = {_LOCK_TIMEOUT_S}")
        # Then a row is locked only when it is moved. A log of statements does not allow it
        # (MySQL manual, 15.7.2.1 "Transaction Isolation Levels").
        if ("binlog_format", "STATEMENT") not in ask("SHOW VARIABLES LIKE 'binlog_format'"):
            ask("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        # Rows are moved as they are: dates of 0000-00-00 and such too, but not cut off for an older archive.
        ask("SET SESSION sql_mode = 'STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO'")

    def table(self, ask: Ask, name: str, beside: Table | None = None) -> Table | None:
        query = (
            "SELECT table_name, table_type, engine, row_format, @@lower_case_table_names, @@innodb_page_size"
            " FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = %s"
        )
        found = [row for row in ask(query, (name,)) if row[0] == name or row[4]]
        if not found:
            return None
        real, kind, engine, row_format, _, page = found[0]
        if kind != "BASE TABLE":
            raise InvalidInput(f"{real} is no ordinary table: {kind.lower()}.")
        columns = {one.name: one for one in _columns(ask, real, row_format)}
        indexes = tuple(_indexes(ask, real))
        primary = next((index.columns for index in indexes if index.name == "PRIMARY"), ())
        immovable = "" if engine == "InnoDB" else f"its engine {engine} has no transactions; change it to InnoDB"
        limit = {4096: 768, 8192: 1536}.get(page, 3072) if engine == "InnoDB" else 1000
        return Table(real, self.quote(real), columns, primary, indexes, key_limit=limit, immovable=immovable)

    def references(self, ask: Ask, table: Table) -> list[Reference]:
        query = (
            "SELECT table_schema, table_name, constraint_name, column_name, referenced_column_name"
            " FROM information_schema.key_column_usage WHERE referenced_table_schema = DATABASE()"
            " AND referenced_table_name = %s ORDER BY 1, 2, 3, ordinal_position"
        )
        found: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
        for schema, child, name, column, target in ask(query, (table.name,)):
            found.setdefault((schema, child, name), []).append((column, target))
        return [Reference(f"{self.quote(key[0])}.{self.quote(key[1])}", tuple(pairs)) for key, pairs in found.items()]

    def name_taken(self, ask: Ask, table: Table, name: str) -> bool:
        query = (
            "SELECT 1 FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = %s"
            " AND lower(index_name) = lower(%s)"
        )
        return bool(ask(query, (table.name, name)))

    def check_rights(self, ask: Ask, table: Table, archive: str | None) -> None:
        names = {"table": table.sql, "archive": archive, "missing": self.quote(f"holdfast_{short_id()}")}
        wanted = _KEY_RIGHTS + (_ARCHIVE_RIGHTS if archive else ())
        lacking = ", ".join(right for right, statement in wanted if _denied(ask, statement.format(**names)))
        if lacking:
            user, database = ask("SELECT CURRENT_USER(), DATABASE()")[0]
            raise InvalidInput(
                f"{user} may not make the key on {table.name}: it lacks {lacking}."
                f" GRANT {lacking} ON {self.quote(database)}.* TO that user."
            )

    def exact(self, column: str) -> str:
        return f"CAST({column} AS BINARY)"

    @contextlib.contextmanager
    def alone(self, ask: Ask, table: Table) -> Iterator[None]:
        database = ask("SELECT DATABASE()")[0][0]
        name = "holdfast " + hashlib.sha256(f"{database}.{table.name}".encode()).hexdigest()[:40]
        if ask("SELECT GET_LOCK(%s, 0)", (name,)) != [(1,)]:
            raise Locked(f"Another run is at the table {table.name}.")
        try:
            yield
        finally:
            # The server gives it up by itself where the connection broke.
            with contextlib.suppress(Exception):
                ask("SELECT RELEASE_LOCK(%s)", (name,))

    def transaction(self, ask: Ask) -> AbstractContextManager[None]:
        return committed(ask, "START TRANSACTION")

    def create_archive(self, ask: Ask, table: Table, archive: str) -> None:
        columns = [
            f"{self.quote(one.name)} {one.type} {'NOT NULL' if one.name in table.primary else 'NULL'}"
            for one in table.columns.values()
        ]
        columns += [f"{ARCHIVED_AT} DATETIME NOT NULL", f"{RUN} VARCHAR(40) CHARACTER SET ascii NOT NULL"]
        key = self.listed(table.primary)
        ask(f"CREATE TABLE {archive} ({', '.join(columns)}, PRIMARY KEY ({RUN}, {key})) ENGINE=InnoDB")

    def delete_archived(self, table: Table, archive: str, run: str) -> str:
        same = self.matching(table.primary, "t", "a")
        return f"DELETE t FROM {table.sql} AS t JOIN {archive} AS a ON {same} WHERE a.{RUN} = '{run}'"

    def add_key(self, ask: Ask, table: Table, name: str, columns: Iterable[str]) -> str:
        statement = f"ALTER TABLE {table.sql} ADD UNIQUE KEY {self.quote(name)} ({self.listed(columns)})"
        try:
            try:
                ask(statement + ", ALGORITHM=INPLACE, LOCK=NONE")
                return ""
            except Exception as error:
                if code_of(error) not in _NOT_ONLINE:
                    raise
                ask(statement)
                return f"The server could not make the key online, so nobody could write meanwhile. It said: {error}"
        except Exception as error:
            if code_of(error) == _DUPLICATE_ENTRY:
                raise Duplicated from error
            if code_of(error) == _LOCK_TIMEOUT:
                raise DatabaseError(
                    f"The key on {table.name} was not made: someone has kept the table in a transaction for"
                    f" {_LOCK_TIMEOUT_S} s. Run this again when it is over."
                ) from error
            raise


def _denied(ask: Ask, statement: str) -> bool:
    """Whether the user lacks the right for a statement that fails anyhow."""
    try:
        ask(statement)
    except Exception as error:
        if code_of(error) in _READ_ONLY:
            raise
        return code_of(error) in _DENIED
    return False


def _columns(ask: Ask, table: str, row_format: str | None) -> Iterator[Column]:
    names = "column_name, column_type, data_type, character_set_name, collation_name, character_octet_length"
    query = (
        f"SELECT {names} FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s"
        " ORDER BY ordinal_position"
    )
    for row in ask(query, (table,)):
        yield _column(dict(zip(names.split(", "), row)), row_format)


def _column(row: Mapping[str, Any], row_format: str | None) -> Column:
    kind = str(row["column_type"])
    charset = row["character_set_name"]
    declared = f"{kind} CHARACTER SET {charset} COLLATE {row['collation_name']}" if charset else kind
    long = row["data_type"].lower().endswith(_WITHOUT_LENGTH)
    size = int(row["character_octet_length"] or 0) or _OTHER_TYPES_BYTES
    obstacle = ""
    if long:
        obstacle = f"is {kind}, which no key takes whole: change it to VARCHAR(191) or such"
    elif row_format in _OLD_ROW_FORMATS and size > _OLD_COLUMN_LIMIT:
        obstacle = (
            f"is {kind}, {size} bytes at most, and a key of a table with ROW_FORMAT={row_format.upper()} takes"
            f" {_OLD_COLUMN_LIMIT}: change it to VARCHAR(191), or the table to ROW_FORMAT=DYNAMIC"
        )
    return Column(row["column_name"], declared, obstacle, 0 if long else size)


def _indexes(ask: Ask, table: str) -> Iterator[Index]:
    query = (
        "SELECT index_name, column_name, sub_part FROM information_schema.statistics"
        " WHERE table_schema = DATABASE() AND table_name = %s AND non_unique = 0 ORDER BY index_name, seq_in_index"
    )
    found: dict[str, list[tuple[str | None, Any]]] = {}
    for name, column, length in ask(query, (table,)):
        found.setdefault(name, []).append((column, length))
    for name, parts in found.items():
        shortfall = "compares the beginning of a column only" if any(length for _, length in parts) else ""
        if any(column is None for column, _ in parts):
            shortfall = "is on an expression"
        yield Index(name, tuple(column for column, _ in parts if column is not None), shortfall)
