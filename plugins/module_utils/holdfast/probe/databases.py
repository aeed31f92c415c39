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
from typing import Any

from . import options as opt
from .checks import Option, Unhealthy, excerpt
from .deadline import Deadline

LOGIN_OPTIONS = {
    "database": Option(opt.text, required=True),
    "login_host": Option(opt.text, "localhost"),
    "login_port": Option(opt.port),
    "login_user": Option(opt.text),
    "login_password": Option(opt.text, secret=True),
    "login_unix_socket": Option(opt.text),
}

_SQLITE_STEPS = 10_000


class Session:
    """A connection that can be asked."""

    def __init__(self, execute: Callable[[str, Sequence[Any]], Any]) -> None:
        self._execute = execute

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query; `%s` stands for a value where there are any."""
        return [tuple(row) for row in self._execute(query, values)]


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


def _refused(options: Mapping[str, Any], error: Exception, *, outage: bool = False) -> Unhealthy:
    said = excerpt(str(error), type(error).__name__)
    return Unhealthy(f"the database {options['database']} refused: {said}", outage=outage)


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
        if deadline.over:
            raise TimeoutError from error
        raise _refused(options, error) from error


@contextlib.contextmanager
def _mysql(options: Mapping[str, Any], deadline: Deadline, writing: bool) -> Iterator[Session]:
    try:
        import pymysql
    except ImportError:
        raise Unhealthy("the Python library PyMySQL is not installed for this interpreter") from None
    connection = None
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
        with connection.cursor() as cursor:

            def execute(query: str, values: Sequence[Any]) -> Any:
                cursor.execute(query, values or None)
                return cursor.fetchall()

            cursor.execute("START TRANSACTION" if writing else "START TRANSACTION READ ONLY")
            yield Session(execute)
            connection.commit()
    except (pymysql.MySQLError, OSError) as error:
        if deadline.over:
            raise TimeoutError from error
        raise _refused(options, error, outage=connection is None) from error
    finally:
        if connection is not None:
            connection.close()


@contextlib.contextmanager
def _postgresql(options: Mapping[str, Any], deadline: Deadline, writing: bool) -> Iterator[Session]:
    try:
        import psycopg
    except ImportError:
        raise Unhealthy("the Python library psycopg is not installed for this interpreter") from None
    there = False
    try:
        with psycopg.connect(
            host=options["login_unix_socket"] or options["login_host"],
            port=options["login_port"] or 5432,
            user=options["login_user"],
            password=options["login_password"],
            dbname=options["database"],
            connect_timeout=max(2, round(deadline.left())),  # libpq knows no less (PostgreSQL manual, 34.1.2)
        ) as connection:
            there = True

            def execute(query: str, values: Sequence[Any]) -> Any:
                found = connection.execute(query.encode(), values or None)
                return found.fetchall() if found.description else []

            connection.read_only = not writing
            # SET LOCAL, not a connection option: PgBouncer refuses unknown ones.
            connection.execute(f"SET LOCAL statement_timeout = {max(1, int(deadline.left() * 1000))}".encode())
            yield Session(execute)
    except psycopg.errors.QueryCanceled as error:
        raise TimeoutError from error
    except psycopg.Error as error:
        if deadline.over:
            raise TimeoutError from error
        raise _refused(options, error, outage=not there) from error


_SESSIONS: dict[str, Callable[[Mapping[str, Any], Deadline, bool], AbstractContextManager[Session]]] = {
    "sqlite": _sqlite,
    "mysql": _mysql,
    "postgresql": _postgresql,
}
ENGINES = tuple(_SESSIONS)
