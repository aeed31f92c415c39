# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a database lets one in and answers a query, read-only."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .. import options as opt
from ..checks import CheckType, Look, Option, Seen, Unhealthy, excerpt, same
from ..deadline import Deadline

_SQLITE_STEPS = 10_000
_NOTHING = object()


def check_database(look: Look) -> Seen:
    """Log in and put the query; with `expect`, compare the first value of its first row."""
    options, deadline = look.options, look.deadline
    seen = _QUERIES[options["engine"]](options, deadline)
    if isinstance(seen, (bytes, bytearray)):
        seen = seen.decode(errors="replace")
    wanted = options["expect"]
    if wanted is not None and seen is _NOTHING:
        raise Unhealthy(f"expected the query to give {wanted!r}, it gave no row")
    if wanted is not None and not same(seen, wanted):
        raise Unhealthy(f"expected the query to give {wanted!r}, got {excerpt(repr(seen))}")
    return Seen("the database answered")


def _first(row: Any) -> Any:
    return row[0] if row else _NOTHING


def _refused(options: Mapping[str, Any], error: Exception) -> Unhealthy:
    return Unhealthy(f"the database {options['database']} refused: {excerpt(str(error), type(error).__name__)}")


def _query_sqlite(options: Mapping[str, Any], deadline: Deadline) -> Any:
    path = Path(options["database"]).absolute()
    if not path.is_file():
        raise Unhealthy(f"there is no file {path}")
    try:
        # mode=ro never creates the file (SQLite, "URI Filenames"); the timeout is the wait for a writer's lock.
        connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=deadline.left())
        try:
            connection.set_progress_handler(lambda: int(deadline.over), _SQLITE_STEPS)
            return _first(connection.execute(options["query"]).fetchone())
        finally:
            connection.close()
    except sqlite3.Error as error:
        if deadline.over:
            raise TimeoutError from error
        raise _refused(options, error) from error


def _query_mysql(options: Mapping[str, Any], deadline: Deadline) -> Any:
    try:
        import pymysql
    except ImportError:
        raise Unhealthy("the Python library PyMySQL is not installed for this interpreter") from None
    try:
        connection = pymysql.connect(
            host=options["login_host"],
            port=options["login_port"] or 3306,
            user=options["login_user"],
            password=options["login_password"] or "",
            unix_socket=options["login_unix_socket"],
            database=options["database"],
            charset="utf8mb4",
            connect_timeout=deadline.left(),
            read_timeout=deadline.left(),
            write_timeout=deadline.left(),
        )
        try:
            with connection.cursor() as cursor:
                cursor.execute("START TRANSACTION READ ONLY")
                cursor.execute(options["query"])
                return _first(cursor.fetchone())
        finally:
            connection.close()
    except (pymysql.MySQLError, OSError) as error:
        if deadline.over:
            raise TimeoutError from error
        raise _refused(options, error) from error


def _query_postgresql(options: Mapping[str, Any], deadline: Deadline) -> Any:
    try:
        import psycopg
    except ImportError:
        raise Unhealthy("the Python library psycopg is not installed for this interpreter") from None
    try:
        with psycopg.connect(
            host=options["login_unix_socket"] or options["login_host"],
            port=options["login_port"] or 5432,
            user=options["login_user"],
            password=options["login_password"],
            dbname=options["database"],
            connect_timeout=max(2, round(deadline.left())),  # libpq knows no less (PostgreSQL manual, 34.1.2)
        ) as connection:
            connection.read_only = True
            # SET LOCAL, not a connection option: PgBouncer refuses unknown ones.
            connection.execute(f"SET LOCAL statement_timeout = {max(1, int(deadline.left() * 1000))}".encode())
            return _first(connection.execute(options["query"].encode()).fetchone())
    except psycopg.errors.QueryCanceled as error:
        raise TimeoutError from error
    except psycopg.Error as error:
        if deadline.over:
            raise TimeoutError from error
        raise _refused(options, error) from error


_QUERIES: dict[str, Callable[[Mapping[str, Any], Deadline], Any]] = {
    "sqlite": _query_sqlite,
    "mysql": _query_mysql,
    "postgresql": _query_postgresql,
}

DATABASE = CheckType(
    options={
        "engine": Option(opt.choice(*_QUERIES), required=True),
        "database": Option(opt.text, required=True),
        "query": Option(opt.text, "SELECT 1"),
        "expect": Option(opt.scalar),
        "login_host": Option(opt.text, "localhost"),
        "login_port": Option(opt.port),
        "login_user": Option(opt.text),
        "login_password": Option(opt.text, secret=True),
        "login_unix_socket": Option(opt.text),
    },
    run=check_database,
    target=lambda options: f"{options['engine']} {options['database']}",
    component="datastore",
)
