# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in a MySQL or MariaDB database beside tables, as statements that make it anew.

Neither triggers nor views, routines and events can be moved to another database (MySQL manual, 13.1.36 "RENAME TABLE
Statement"). They are made as the server's own dump program makes them: each under the modes and character sets it was
defined with, views after placeholders of theirs, and without DEFINER.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import SwapRefused
from .mysql_events import Events
from .mysql_rights import quote, value_of

if TYPE_CHECKING:
    import pymysql

_HEAD = re.compile(
    r"CREATE (?P<options>(?:OR REPLACE )?(?:ALGORITHM=\w+ )?)(?:DEFINER=(?:`(?:[^`]|``)+`@`(?:[^`]|``)*`|\S+) )?"
)
_NO_DEFINITION = (
    "The definition of {kind} {name} may not be read by this user. Grant it SELECT on mysql.proc (MariaDB) or"
    " SHOW_ROUTINE (MySQL 8.0.20 and later)."
)
_EVERYTHING = {
    "FUNCTION": "SELECT routine_name FROM information_schema.routines WHERE routine_schema = DATABASE()"
    " AND routine_type = 'FUNCTION'",
    "PROCEDURE": "SELECT routine_name FROM information_schema.routines WHERE routine_schema = DATABASE()"
    " AND routine_type = 'PROCEDURE'",
    "VIEW": "SELECT table_name FROM information_schema.views WHERE table_schema = DATABASE()",
    "TRIGGER": "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE()"
    " ORDER BY event_object_table, action_timing, event_manipulation, action_order",
    "EVENT": "SELECT event_name FROM information_schema.events WHERE event_schema = DATABASE()",
}
KINDS = tuple(_EVERYTHING)


@dataclass(frozen=True)
class Thing:
    """One thing, the statements that make it, and for a view the one that makes its placeholder."""

    kind: str
    name: str
    made: bytes
    placeholder: bytes


@dataclass(frozen=True)
class _Shown:
    """What SHOW CREATE says of one thing."""

    text: str
    sql_mode: str
    character_set: str
    collation: str
    database_collation: str | None
    time_zone: str | None


def names_of(cursor: pymysql.cursors.Cursor, kind: str) -> list[str]:
    """The names of all things of a kind in the current database."""
    cursor.execute(_EVERYTHING[kind])
    return [str(row[0]) for row in cursor.fetchall()]


def drops(cursor: pymysql.cursors.Cursor, kinds: Sequence[str]) -> list[bytes]:
    """Statements that drop all things of these kinds in the current database."""
    return [drop(kind, name) for kind in kinds for name in names_of(cursor, kind)]


def drop(kind: str, name: str) -> bytes:
    """The statement that drops one thing."""
    return f"DROP {kind} IF EXISTS {quote(name)}".encode()


def things(cursor: pymysql.cursors.Cursor, kinds: Collection[str] = KINDS, events: Events | None = None) -> list[Thing]:
    """Everything in the current database but its tables, kind by kind.

    `events` tells how those that sleep are to be made. Raises SwapRefused when something may not be read.
    """
    cursor.execute("SET SESSION sql_mode = ''")
    collation = str(value_of(cursor, "SELECT @@collation_database"))
    found = []
    for kind in kinds:
        for name in names_of(cursor, kind):
            made = _statements(_show(cursor, kind, name), kind, collation)
            if kind == "EVENT" and events:
                made = [events.wake(one, name) for one in made]
            placeholder = _placeholder(cursor, name) if kind == "VIEW" else b""
            found.append(Thing(kind, name, b";\n".join(made), placeholder))
    return found


def making(found: Iterable[Thing]) -> list[bytes]:
    """What makes these things, in an order that works; each part is one statement or more."""
    found = list(found)
    parts = [thing.placeholder for thing in found if thing.placeholder] + [thing.made for thing in found]
    return [*parts, b"SET NAMES utf8mb4"] if parts else []


def carry_out(cursor: pymysql.cursors.Cursor, statements: Iterable[bytes]) -> None:
    """Have statements carried out one after the other, as one packet, up to the first that fails."""
    packet: Any = b";\n".join(statements)
    if packet:
        cursor.execute(packet)
        while cursor.nextset():
            pass


def _placeholder(cursor: pymysql.cursors.Cursor, view: str) -> bytes:
    """A view of the same columns that needs nothing, so that others can be made of it already."""
    cursor.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s"
        " ORDER BY ordinal_position",
        (view,),
    )
    columns = ", ".join(f"1 AS {quote(row[0])}" for row in cursor.fetchall())
    return f"CREATE VIEW {quote(view)} AS SELECT {columns}".encode()


def _show(cursor: pymysql.cursors.Cursor, kind: str, name: str) -> _Shown:
    cursor.execute(f"SHOW CREATE {kind} {quote(name)}")
    row: dict[str, Any] = dict(zip((column[0] for column in cursor.description), cursor.fetchone() or ()))
    text = row["SQL Original Statement" if kind == "TRIGGER" else f"Create {kind.capitalize()}"]
    if not text:
        raise SwapRefused(_NO_DEFINITION.format(kind=kind.lower(), name=name))
    return _Shown(
        text=text,
        sql_mode=row.get("sql_mode", ""),
        character_set=row["character_set_client"],
        collation=row["collation_connection"],
        database_collation=row.get("Database Collation"),
        time_zone=row.get("time_zone"),
    )


def _statements(shown: _Shown, kind: str, collation: str) -> list[bytes]:
    from pymysql.charset import charset_by_name

    replace = "OR REPLACE " if kind == "VIEW" else ""
    text = _HEAD.sub(lambda head: f"CREATE {replace}{head['options']}", shown.text, count=1)
    settings = (
        f"SET SESSION sql_mode = '{shown.sql_mode}', character_set_client = {shown.character_set},"
        f" collation_connection = {shown.collation}"
    )
    if shown.time_zone:
        settings += f", time_zone = '{shown.time_zone}'"
    # The server reads each statement by the character set that the one before has set.
    made = text.encode(charset_by_name(shown.character_set).encoding)
    statements = [settings.encode(), made]
    if shown.database_collation not in (None, collation):
        change = "ALTER DATABASE COLLATE {}"
        statements.insert(1, change.format(shown.database_collation).encode())
        statements.append(change.format(collation).encode())
    return statements
