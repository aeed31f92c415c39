# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rights on single routines of MySQL and MariaDB, which go when a routine is dropped to be made anew.

(MySQL manual, 5.1.8 "Server System Variables": automatic_sp_privileges.) Rights on databases and tables go by names,
and stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .mysql_definitions import names_of
from .mysql_rights import quote

if TYPE_CHECKING:
    import pymysql

Routine = tuple[str, str]  # FUNCTION or PROCEDURE, and its name


def routines_of(cursor: pymysql.cursors.Cursor) -> set[Routine]:
    """All routines of the current database."""
    return {(kind, name) for kind in ("FUNCTION", "PROCEDURE") for name in names_of(cursor, kind)}


def grants_on_routines(cursor: pymysql.cursors.Cursor) -> list[tuple[Routine, bytes]]:
    """Each right that an account has on a single routine of the current database: the routine, and a statement.

    Left out is what the user may not see, or may not grant.
    """
    found = []
    try:
        cursor.execute(
            "SELECT routine_type, routine_name, user, host, proc_priv FROM mysql.procs_priv WHERE db = DATABASE()"
        )
    except cursor.connection.Error:
        return []
    for kind, name, user, host, rights in cursor.fetchall():
        statement = _grant(f"{kind} {quote(name)}", user, host, rights.split(","))
        if _may(cursor, statement):
            found.append(((kind, name), statement.encode()))
    return found


def _grant(routine: str, user: str, host: str, rights: list[str]) -> str:
    given = ", ".join(right for right in rights if right != "Grant") or "USAGE"
    account = quote(user) + (f"@{quote(host)}" if host else "")  # a role of MariaDB has no host
    return f"GRANT {given} ON {routine} TO {account}" + (" WITH GRANT OPTION" if "Grant" in rights else "")


def _may(cursor: pymysql.cursors.Cursor, statement: str) -> bool:
    """Whether the user may grant what is granted already, which changes nothing."""
    try:
        cursor.execute(statement)
    except cursor.connection.Error:
        return False
    return True
