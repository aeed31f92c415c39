# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a login may put a MySQL or MariaDB database back: asked before anything of it is dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import DatabaseError
from ..names import short_id

if TYPE_CHECKING:
    import pymysql

# Access denied to a database, a table, for want of a global right, and to a routine
# (MySQL Server Error Reference: ER_DBACCESS_DENIED_ERROR and its like).
_DENIED = (1044, 1142, 1227, 1370)
# A right, how many things of the database call for it, and a statement that asks for it but cannot succeed, as what it
# names is not there. Grants alone do not tell: rights also come by roles and by patterns of names.
_RIGHTS = (
    ("CREATE", "tables WHERE table_schema", "CREATE TABLE {name} LIKE {other}"),
    ("DROP", "tables WHERE table_schema", "DROP TABLE {name}"),
    ("ALTER", "tables WHERE table_schema", "ALTER TABLE {name} DISABLE KEYS"),
    ("INSERT", "tables WHERE table_schema", "INSERT INTO {name} VALUES (1)"),
    (
        "REFERENCES",
        "referential_constraints WHERE constraint_schema",
        "CREATE TABLE {name} (x INT, FOREIGN KEY (x) REFERENCES {other} (x)) ENGINE=InnoDB",
    ),
    ("CREATE VIEW", "views WHERE table_schema", "CREATE VIEW {name} AS SELECT x FROM {other}"),
    (
        "TRIGGER",
        "triggers WHERE trigger_schema",
        "CREATE TRIGGER {name} BEFORE INSERT ON {other} FOR EACH ROW SET @x = 1",
    ),
    ("EVENT", "events WHERE event_schema", "DROP EVENT {name}"),
    ("ALTER ROUTINE", "routines WHERE routine_schema", "DROP PROCEDURE {name}"),
)


def quote(name: str) -> str:
    """An identifier as it stands in a statement (MySQL manual, 9.2 "Schema Object Names")."""
    return "`" + name.replace("`", "``") + "`"


def value_of(cursor: pymysql.cursors.Cursor, query: str) -> Any:
    """The first value of the first row, None without one."""
    cursor.execute(query)
    row = cursor.fetchone()
    return row[0] if row else None


def log_position(cursor: pymysql.cursors.Cursor) -> int | None:
    """Where InnoDB's log ends, which each commit moves; None where the server does not say."""
    cursor.execute("SHOW GLOBAL STATUS WHERE Variable_name IN ('Innodb_lsn_current', 'Innodb_redo_log_current_lsn')")
    row = cursor.fetchone()
    return int(row[1]) if row else None


def check_rights(cursor: pymysql.cursors.Cursor, database: str, user: str | None) -> None:
    """Raise DatabaseError that names the rights without which the current database cannot be filled again."""
    lacking = [
        right for right, things, statement in _RIGHTS if _calls_for(cursor, things) and _denied(cursor, statement)
    ]
    if lacking:
        rights = ", ".join(lacking)
        raise DatabaseError(
            f"The user {user} could not put the database {database} back: it lacks {rights} there."
            f" GRANT {rights} ON {quote(database)}.* TO that user."
        )
    _check_binlog_rule(cursor, database, user)


def _calls_for(cursor: pymysql.cursors.Cursor, things: str) -> bool:
    return bool(value_of(cursor, f"SELECT COUNT(*) FROM information_schema.{things} = DATABASE()"))


def _denied(cursor: pymysql.cursors.Cursor, statement: str) -> bool:
    names = {key: quote(f"holdfast_{key}_{short_id()}") for key in ("name", "other")}
    try:
        cursor.execute(statement.format(**names))
    except cursor.connection.Error as error:
        return error.args[0] in _DENIED
    return False


def _check_binlog_rule(cursor: pymysql.cursors.Cursor, database: str, user: str | None) -> None:
    """MySQL manual, 25.7 "Stored Program Binary Logging": error 1419 in the middle of a restore otherwise."""
    if not value_of(cursor, "SELECT @@log_bin AND NOT @@log_bin_trust_function_creators"):
        return
    stored = _calls_for(cursor, "triggers WHERE trigger_schema")
    stored |= _calls_for(cursor, "routines WHERE routine_type = 'FUNCTION' AND routine_schema")
    if stored and not _may_bypass_binlog_rule(cursor):
        raise DatabaseError(
            f"The database {database} has triggers or functions, which {user}"
            " may not create again while the server writes a binary log. Set"
            " log_bin_trust_function_creators=1 on the server, or use a user with SUPER or BINLOG ADMIN."
        )


def _may_bypass_binlog_rule(cursor: pymysql.cursors.Cursor) -> bool:
    cursor.execute("SHOW GRANTS")
    grants = [str(row[0]) for row in cursor.fetchall() if " ON *.* " in str(row[0])]
    return any(right in grant for grant in grants for right in ("ALL PRIVILEGES", "SUPER", "BINLOG ADMIN"))
