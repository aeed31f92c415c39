# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logging in to a database in the time that a check has, the same way for each engine."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import options as opt
from .checks import Option, Unhealthy, excerpt, same
from .deadline import Deadline, connect

if TYPE_CHECKING:
    import psycopg
    import pymysql

LOGIN_OPTIONS = {
    "database": Option(opt.text, required=True),
    "login_host": Option(opt.text, "localhost"),
    "login_port": Option(opt.port),
    "login_user": Option(opt.text),
    "login_password": Option(opt.text, secret=True),
    "login_unix_socket": Option(opt.text),
}

_SQLITE_STEPS = 10_000
_MYSQL_NOBODY = {2002, 2003, 2005, 2006, 2013}  # no connection, or a lost one (MySQL, "Client Error Message Reference")


class Session:
    """A connection that can be asked. `execute` returns a cursor as PEP 249 describes it."""

    def __init__(self, execute: Callable[[str, Sequence[Any]], Any]) -> None:
        self._execute = execute

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query; `%s` stands for a value where there are any."""
        cursor = self._execute(query, values)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def records(self, query: str) -> list[dict[str, Any]]:
        """The rows of a query by the names of its columns."""
        cursor = self._execute(query, ())
        names = [str(column[0]) for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]


def put_query(session: Session, query: str, expected: Any) -> None:
    """Put a query. Raises Unhealthy when the first value of its first row is not the expected one, if there is one."""
    rows = session.rows(query)
    if expected is None:
        return
    if not rows:
        raise Unhealthy(f"expected the query to give {expected!r}, it gave no row")
    seen = rows[0][0]
    if isinstance(seen, (bytes, bytearray)):
        seen = seen.decode(errors="replace")
    if not same(seen, expected):
        raise Unhealthy(f"expected the query to give {expected!r}, got {excerpt(repr(seen))}")


@contextlib.contextmanager
def connected(
    engine: str, options: Mapping[str, Any], deadline: Deadline, *, writing: bool = False
) -> Iterator[Session]:
    """A session on the database that LOGIN_OPTIONS describe; it can only read unless it is for `writing`.

    What it wrote is committed at the end. Raises Unhealthy when the server refuses, as an outage where nobody answers,
    or TimeoutError.
    """
    with _SESSIONS[engine](options, deadline, writing) as session:
        yield session


def _refused(options: Mapping[str, Any], error: Exception) -> Unhealthy:
    return Unhealthy(f"the database {options['database']} refused: {_words(error)}")


def _unreachable(options: Mapping[str, Any], error: Exception) -> Unhealthy:
    where = options["login_unix_socket"] or options["login_host"]
    return Unhealthy(f"no answer from the database server at {where}: {_words(error)}", outage=True)


def _words(error: Exception) -> str:
    """What a driver says. PyMySQL gives a number and a text."""
    return excerpt(str(error.args[-1] if error.args else ""), type(error).__name__)


@contextlib.contextmanager
def _sqlite(options: Mapping[str, Any], deadline: Deadline, writing: bool) -> Iterator[Session]:
    path = Path(options["database"]).absolute()
    if not path.is_file():
        raise Unhealthy(f"there is no file {path}")
    mode = "rw" if writing else "ro"
    try:
        # Neither mode ever creates the file (SQLite, "URI Filenames"); the timeout is the wait for a writer's lock.
        connection = sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=deadline.left())
        try:
            connection.set_progress_handler(lambda: int(deadline.over), _SQLITE_STEPS)
            yield Session(
                lambda query, values: connection.execute(query % (("?",) * len(values)) if values else query, values)
            )
            connection.commit()
        finally:
            connection.close()
    except sqlite3.Error as error:
        if "is locked" in str(error):
            said = f"{path} stayed locked for {deadline.seconds:g} s; by which program, SQLite does not tell"
            raise Unhealthy(said) from error
        if deadline.over:
            raise TimeoutError from error
        raise _refused(options, error) from error


def _mysql_connection(options: Mapping[str, Any], deadline: Deadline) -> pymysql.Connection[Any]:
    """A connection that is yet to be made."""
    import pymysql

    return pymysql.connect(
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
        defer_connect=True,
    )


@contextlib.contextmanager
def _mysql(options: Mapping[str, Any], deadline: Deadline, writing: bool) -> Iterator[Session]:
    try:
        import pymysql
    except ImportError:
        raise Unhealthy("the Python library PyMySQL is not installed for this interpreter") from None
    connection = _mysql_connection(options, deadline)
    try:
        # PyMySQL's limits are for a single read; over TCP without TLS a socket of ours keeps them to one deadline.
        local = options["login_unix_socket"] is not None
        connection.connect(None if local else connect(connection.host, connection.port, deadline))
        with connection.cursor() as cursor:

            def execute(query: str, values: Sequence[Any]) -> Any:
                cursor.execute(query, values or None)
                return cursor

            if not writing:
                # For all of the session: a CREATE or DROP ends the transaction that it is in and begins its own.
                cursor.execute("SET SESSION TRANSACTION READ ONLY")
            yield Session(execute)
            connection.commit()
    except (pymysql.MySQLError, OSError) as error:
        if deadline.over:
            raise TimeoutError from error
        if isinstance(error, OSError) or _MYSQL_NOBODY & {*error.args[:1]}:
            raise _unreachable(options, error) from error
        raise _refused(options, error) from error
    finally:
        connection.close()


def _postgresql_connection(options: Mapping[str, Any], deadline: Deadline) -> psycopg.Connection[Any]:
    """A connection that is logged in. It may take 2 seconds even where less is left: libpq knows no less."""
    import psycopg

    return psycopg.connect(
        host=options["login_unix_socket"] or options["login_host"],
        port=options["login_port"] or 5432,
        user=options["login_user"],
        password=options["login_password"],
        dbname=options["database"],
        connect_timeout=max(2, round(deadline.left())),  # PostgreSQL manual, 34.1.2
    )


@contextlib.contextmanager
def _postgresql(options: Mapping[str, Any], deadline: Deadline, writing: bool) -> Iterator[Session]:
    try:
        import psycopg
    except ImportError:
        raise Unhealthy("the Python library psycopg is not installed for this interpreter") from None
    there = False
    try:
        with _postgresql_connection(options, deadline) as connection:
            there = True

            def execute(query: str, values: Sequence[Any]) -> Any:
                return connection.execute(query.encode(), values or None)

            # For writing it is as the server sets it for everybody, so that one that is read-only says so.
            connection.read_only = None if writing else True
            # A stricter default of the server's would refuse one of two that write the same row at once.
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            # SET LOCAL, not a connection option: PgBouncer refuses unknown ones.
            connection.execute(f"SET LOCAL statement_timeout = {max(1, int(deadline.left() * 1000))}".encode())
            yield Session(execute)
    except psycopg.errors.QueryCanceled as error:
        raise TimeoutError from error
    except psycopg.Error as error:
        if deadline.over:
            raise TimeoutError from error
        # libpq writes what a server said as a severity, a colon and two blanks (pqBuildErrorMessage3), and that it was
        # asked for a password it does not have with its function's name.
        answered = there or ":  " in str(error) or "fe_sendauth" in str(error)
        raise (_refused if answered else _unreachable)(options, error) from error


_SESSIONS: dict[str, Callable[[Mapping[str, Any], Deadline, bool], AbstractContextManager[Session]]] = {
    "sqlite": _sqlite,
    "mysql": _mysql,
    "postgresql": _postgresql,
}
ENGINES = tuple(_SESSIONS)
