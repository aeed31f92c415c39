# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL, by its own dump and client programs and psycopg 3."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..asking import Ask
from ..content import Content
from ..errors import DatabaseError, MissingLibrary, ToolFailed
from ..process import Tool, require_tool, secret_file
from ..streams import JOBS, Streams
from .base import Dump, Engine, Inspection, Position
from .postgresql_catalog import DROP_OTHER_EXTENSIONS, EMPTY, NOT_OURS, SETTINGS, literal, quote
from .postgresql_dump import PostgreSQLScanner, Roles
from .postgresql_load import FreshLoad
from .postgresql_parts import parted_dump
from .postgresql_swap import exchange, hand_down, refuse_what_stays_behind
from .sql_dump import ScannedDump, load_script

if TYPE_CHECKING:
    import psycopg

_PACKAGE = "postgresql-client"
_CONNECT_TIMEOUT_S = 10
_MAINTENANCE_DATABASE = "postgres"


def _conninfo(database: str) -> str:
    """A connection string that names the database only (PostgreSQL manual, 34.1.1.1)."""
    return "dbname='" + database.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _pass_field(value: str) -> str:
    """A value as it stands in a password file (PostgreSQL manual, 34.16)."""
    return value.replace("\\", "\\\\").replace(":", "\\:")


class PostgreSQL(Engine):
    """One database of a PostgreSQL server."""

    name = "postgresql"
    suffix = ".sql"
    load_is_atomic = True
    name_limit = 63
    scratch_hint = (
        "A rehearsal needs a database of its own for a while, and so does a restore that swaps: ALTER ROLE ..."
        " CREATEDB. A rehearsal can also use another server or user, named by rehearse_login_host and its like."
    )

    def unchanged(self, before: Position | None, now: Position | None) -> bool:
        # The log's own position also moves by checkpoints, which change no data.
        return before is not None and now is not None and bool(before["snapshot"] == now["snapshot"])

    def check_tools(self) -> None:
        _library()
        require_tool(_PACKAGE, "pg_dump")
        require_tool(_PACKAGE, "psql")

    def check_load(self) -> None:
        with self._connect() as connection:
            found = [row[0] for row in connection.execute(NOT_OURS).fetchall()]
        if found:
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            raise DatabaseError(
                f"The database {self.login.database} has what its user {self.login.login_user} may not drop and create"
                f" again: {', '.join(found[:3])}{more}. Make that user the owner (REASSIGN OWNED, ALTER ... OWNER TO),"
                " or a member of the owner's role."
            )

    @contextlib.contextmanager
    def _connect(self, database: str | None = None) -> Iterator[psycopg.Connection[Any]]:
        library = _library()
        login = self.login
        name = database or login.database
        try:
            connection = library.connect(
                host=login.login_unix_socket or login.login_host,
                port=login.login_port or 5432,
                user=login.login_user,
                password=login.login_password,
                dbname=name,
                connect_timeout=_CONNECT_TIMEOUT_S,
                autocommit=True,
            )
        except library.Error as error:
            raise DatabaseError(f"Cannot reach the database {name} at {self._where()}: {error}") from error
        try:
            with connection:
                yield connection
        except library.Error as error:
            raise DatabaseError(f"The database {name} at {self._where()} refused: {error}") from error

    def _where(self) -> str:
        return f"{self.login.login_unix_socket or self.login.login_host}:{self.login.login_port or 5432}"

    def inspect(self) -> Inspection:
        # A snapshot's text is the same only while no transaction that writes began or ended
        # (PostgreSQL manual, 9.27.10 "Transaction ID and Snapshot Information Functions").
        query = (
            "SELECT current_setting('server_version'), pg_database_size(current_database()),"
            " txid_current_snapshot()::text, CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
            " ELSE pg_current_wal_insert_lsn() END::text"
        )
        with self._connect() as connection:
            row = connection.execute(query).fetchone()
            settings = connection.execute(SETTINGS).fetchone()
        assert row is not None and settings is not None
        return Inspection(row[0], int(row[1]), {"snapshot": row[2], "lsn": row[3]}, dict(settings[0]))

    @contextlib.contextmanager
    def asking(self) -> Iterator[Ask]:
        with self._connect() as connection:

            def ask(query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
                cursor = connection.execute(query.encode(), values or None)
                return cursor.fetchall() if cursor.description else []

            yield ask

    def count_rows(self) -> dict[str, int]:
        # As pg_dump has them: each table without those that inherit from it, a partitioned one by its partitions.
        query = (
            "SELECT format('%I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE relkind = 'r' AND nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' AND NOT EXISTS"
            " (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')"
        )
        counts = {}
        with self._connect() as connection:
            for (table,) in connection.execute(query).fetchall():
                row = connection.execute(f"SELECT count(*) FROM ONLY {table}").fetchone()
                counts[table] = int(row[0]) if row else 0
        return counts

    @contextlib.contextmanager
    def dump(self, workdir: Path, jobs: int = JOBS) -> Iterator[Dump]:
        if jobs == 1:
            yield ScannedDump(PostgreSQLScanner(), self._run_dump(()))
            return
        with self._connect() as connection:
            yield parted_dump(connection, self._run_dump)

    def _run_dump(self, more_options: Sequence[str]) -> Generator[bytes, None, None]:
        program = require_tool(_PACKAGE, "pg_dump")
        with self._client() as (arguments, how):
            argv = [program, *arguments, "--format=plain", "--no-tablespaces", "--encoding=UTF8"]
            argv += more_options
            try:
                with Tool(argv, stdout=subprocess.PIPE, **how) as tool:
                    yield from tool.chunks()
            except ToolFailed as error:
                if more_options and "too many connections" in str(error):
                    raise DatabaseError(f"{error} With jobs=1 (deploy_backup_jobs: 1) a backup takes one.") from error
                raise

    def examine(self, stream: Iterable[bytes], workdir: Path) -> Content:
        return PostgreSQLScanner().examine(stream)

    def load(self, streams: Streams, *, script: bool = False, fresh: bool = False) -> None:
        scanner = PostgreSQLScanner(self._roles())
        if fresh and not script:
            FreshLoad(self._connect).run(scanner, streams)
            return
        program = require_tool(_PACKAGE, "psql")
        with self._client() as (arguments, how):
            argv = [program, *arguments, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-"]
            with Tool(argv, stdin=subprocess.PIPE, **how) as tool:
                tool.stdin.write(b"BEGIN;\n" + EMPTY.encode())
                load_script(scanner, streams.joined(), tool.stdin)
                if not script:
                    scanner.finish()
                    names = ", ".join(literal(name) for name in scanner.extensions)
                    tool.stdin.write((DROP_OTHER_EXTENSIONS % f"ARRAY[{names}]::name[]").encode())
                # Sent only now: a stream that breaks off ends without it, and the server rolls all of it back.
                tool.stdin.write(b"\nCOMMIT;\n")

    def _roles(self) -> Roles:
        with self._connect() as connection:
            rows = connection.execute(
                "SELECT rolname, pg_has_role(current_user, oid, 'MEMBER'), rolsuper AND rolname = current_user"
                " FROM pg_roles"
            ).fetchall()
        return Roles(
            known=frozenset(name for name, _, _ in rows) | {"PUBLIC"},
            own=frozenset(name for name, member, _ in rows if member),
            superuser=any(superuser for _, _, superuser in rows),
        )

    def create(self, settings: Mapping[str, str]) -> None:
        options = {
            "ENCODING": settings.get("encoding", "UTF8"),
            "LC_COLLATE": settings.get("collate"),
            "LC_CTYPE": settings.get("ctype"),
            "LOCALE_PROVIDER": {"i": "icu", "b": "builtin"}.get(settings.get("provider", "")),
            "ICU_LOCALE": settings.get("locale") if settings.get("provider") == "i" else None,
            "BUILTIN_LOCALE": settings.get("locale") if settings.get("provider") == "b" else None,
        }
        given = " ".join(f"{name} {literal(value)}" for name, value in options.items() if value)
        with self._connect(_MAINTENANCE_DATABASE) as connection:
            connection.execute(f"CREATE DATABASE {quote(self.login.database)} TEMPLATE template0 {given}")

    def drop(self) -> None:
        with self._connect(_MAINTENANCE_DATABASE) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {quote(self.login.database)}")

    def prepare_swap(self, staged: Engine, kept: str) -> None:
        with self._connect() as connection:
            refuse_what_stays_behind(connection)
            with self._connect(staged.login.database) as other:
                hand_down(connection, other)

    def swap(self, staged: Engine, kept: str) -> None:
        with self._connect(_MAINTENANCE_DATABASE) as connection:
            exchange(connection, self.login.database, staged.login.database, kept)

    def neighbours(self) -> list[str]:
        with self._connect(_MAINTENANCE_DATABASE) as connection:
            return [str(row[0]) for row in connection.execute("SELECT datname FROM pg_database").fetchall()]

    @contextlib.contextmanager
    def _client(self) -> Iterator[tuple[list[str], dict[str, Any]]]:
        """Arguments and environment that bring a client program to the database, the password in memory."""
        login = self.login
        arguments = [
            f"--host={login.login_unix_socket or login.login_host}",
            f"--port={login.login_port or 5432}",
        ]
        if login.login_user:
            arguments.append(f"--username={login.login_user}")
        arguments += ["--no-password", f"--dbname={_conninfo(login.database)}"]
        line = ":".join(["*", "*", "*", "*", _pass_field(login.login_password or "")])
        with secret_file(line + "\n") as (path, descriptor):
            yield arguments, {"env": {"PGPASSFILE": path}, "pass_fds": [descriptor]}


def _library() -> Any:
    try:
        import psycopg
    except ImportError:
        raise MissingLibrary("psycopg") from None
    return psycopg
