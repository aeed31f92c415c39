# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MySQL and MariaDB, by their own dump and client programs and PyMySQL."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..asking import Ask
from ..content import Content
from ..errors import DatabaseError, MissingLibrary, ToolFailed
from ..process import Tool, require_tool, secret_file
from ..streams import JOBS, Streams
from .base import Dump, Engine, Inspection, Login, Position
from .mysql_definitions import carry_out, drops, making, things
from .mysql_dump import MySQLScanner
from .mysql_events import Events
from .mysql_grants import Routine, grants_on_routines, routines_of
from .mysql_load import NO_CHECKS, ParallelLoad
from .mysql_parts import parted_dump
from .mysql_rights import check_rights, log_position, quote, value_of
from .mysql_swap import Swap
from .sql_dump import ScannedDump, load_script

if TYPE_CHECKING:
    import pymysql

_PACKAGE = "mariadb-client (or the MySQL client programs)"
_CONNECT_TIMEOUT_S = 10
_LOCK_TIMEOUT_S = 60
_ROUTINES_HINT = (
    "A routine made by another user can only be backed up by one with SELECT on mysql.proc (MariaDB) or"
    " SHOW_ROUTINE (MySQL 8.0.20 and later): grant it to the backup's user."
)
_HISTORY_HINT = (
    "The database has system-versioned tables: backing up their history takes mariadb-dump of MariaDB 10.11 or newer."
)
_DUMP_OPTIONS = (
    "--opt",
    "--single-transaction",
    "--quick",
    "--skip-lock-tables",
    "--routines",
    "--triggers",
    "--events",
    "--hex-blob",
    "--comments",
    "--skip-dump-date",
    "--no-tablespaces",
    "--tz-utc",
    "--default-character-set=utf8mb4",
    "--max-allowed-packet=1G",
)


def _option_value(value: str) -> str:
    """A value as it stands in an option file (MySQL manual, 4.2.2.2 "Using Option Files")."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


class MySQL(Engine):
    """One database of a MySQL or MariaDB server."""

    name = "mysql"
    suffix = ".sql"
    load_is_atomic = False
    name_limit = 64
    scratch_hint = (
        "A rehearsal needs a database of its own for a while, and so does a restore that swaps:"
        " GRANT ALL ON `holdfast\\_scratch\\_%`.* to the user. A rehearsal can also use another server or user, named"
        " by rehearse_login_host and its like."
    )

    def __init__(self, login: Login) -> None:
        super().__init__(login)
        self._asleep = Events()  # since a load, until `wake`
        self._grants: list[tuple[Routine, bytes]] = []  # what a load took away, until `wake`

    def check_tools(self) -> None:
        _library()
        self._dump_program()
        self._client_program()

    def check_load(self) -> None:
        with self._connect() as cursor:
            check_rights(cursor, self.login.database, self.login.login_user)

    @staticmethod
    def _dump_program() -> str:
        return require_tool(_PACKAGE, "mariadb-dump", "mysqldump")

    @staticmethod
    def _client_program() -> str:
        return require_tool(_PACKAGE, "mariadb", "mysql")

    @contextlib.contextmanager
    def _connect(self, *, select: bool = True, statements: bool = False) -> Iterator[pymysql.cursors.Cursor]:
        library = _library()
        login = self.login
        try:
            connection = library.connect(
                host=login.login_host,
                port=login.login_port or 3306,
                user=login.login_user,
                password=login.login_password or "",
                unix_socket=login.login_unix_socket,
                database=login.database if select else None,
                charset="utf8mb4",
                connect_timeout=_CONNECT_TIMEOUT_S,
                autocommit=True,
                client_flag=library.constants.CLIENT.MULTI_STATEMENTS if statements else 0,
            )
        except (library.MySQLError, OSError) as error:
            raise DatabaseError(f"Cannot reach the database {login.database} at {self._where()}: {error}") from error
        try:
            with connection.cursor() as cursor:
                yield cursor
        except library.MySQLError as error:
            raise DatabaseError(f"The database {login.database} at {self._where()} refused: {error}") from error
        finally:
            connection.close()

    def _where(self) -> str:
        return self.login.login_unix_socket or f"{self.login.login_host}:{self.login.login_port or 3306}"

    def inspect(self) -> Inspection:
        with self._connect() as cursor:
            version = str(value_of(cursor, "SELECT VERSION()"))
            size = value_of(
                cursor,
                "SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables"
                " WHERE table_schema = DATABASE()",
            )
            cursor.execute("SELECT @@character_set_database, @@collation_database")
            settings = dict(zip(("character_set", "collation"), cursor.fetchone() or ()))
            position = _position(cursor, bool(self._without_transactions(cursor)))
            return Inspection(version, int(size), position, settings)

    @contextlib.contextmanager
    def asking(self) -> Iterator[Ask]:
        with self._connect() as cursor:

            def ask(query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
                cursor.execute(query, values or None)
                return list(cursor.fetchall())

            yield ask

    def count_rows(self) -> dict[str, int]:
        with self._connect() as cursor:
            cursor.execute("SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'")
            names = [row[0] for row in cursor.fetchall()]
            return {name: int(value_of(cursor, f"SELECT COUNT(*) FROM {quote(name)}")) for name in names}

    @staticmethod
    def _without_transactions(cursor: pymysql.cursors.Cursor) -> tuple[str, ...]:
        """Tables whose engine takes no part in a snapshot."""
        cursor.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
            " AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND engine NOT IN"
            " (SELECT engine FROM information_schema.engines WHERE transactions = 'YES') ORDER BY 1"
        )
        return tuple(str(row[0]) for row in cursor.fetchall())

    @contextlib.contextmanager
    def dump(self, workdir: Path, jobs: int = JOBS) -> Iterator[Dump]:
        scanner = MySQLScanner(self._asleep.wake)
        parted = None
        with contextlib.ExitStack() as stack:
            with self._connect() as cursor:
                separate = self._without_transactions(cursor)
                history = ["--dump-history"] if _has_history(cursor) else []
                if jobs > 1 and not history:
                    parted = parted_dump(cursor, self.login.database, self._run_dump, jobs, scanner, separate, stack)
            yield parted or ScannedDump(scanner, self._run_dump(history), separate)

    def _run_dump(self, more_options: Sequence[str], tables: Sequence[str] = ()) -> Generator[bytes, None, None]:
        program = self._dump_program()
        with self._option_file() as (path, descriptor):
            argv = [program, f"--defaults-file={path}", *_DUMP_OPTIONS, *_dialect_options(program), *more_options]
            argv += ["--", self.login.database, *tables]
            try:
                with Tool(argv, stdout=subprocess.PIPE, pass_fds=[descriptor], large_writes=True) as tool:
                    yield from tool.chunks()
            except ToolFailed as error:
                if "insufficient privileges to SHOW CREATE" in str(error):
                    raise DatabaseError(f"{error} {_ROUTINES_HINT}") from error
                if more_options and "unknown option" in str(error):
                    raise DatabaseError(f"{error} {_HISTORY_HINT}") from error
                raise

    def examine(self, stream: Iterable[bytes], workdir: Path) -> Content:
        return MySQLScanner().examine(stream)

    def load(self, streams: Streams, *, script: bool = False, fresh: bool = False) -> None:
        client = self._client_program()
        self._empty()
        with self._option_file() as (path, descriptor):
            # --binary-mode: data is taken as it is, and no client command in it is carried out.
            # --comments: those in routines belong to them.
            argv = [client, f"--defaults-file={path}", "--batch", "--binary-mode", "--comments", "--unbuffered"]
            argv += ["--skip-column-names", "--max-allowed-packet=1G"]
            argv += ["--default-character-set=utf8mb4", "--", self.login.database]
            if script:
                with Tool(argv, stdin=subprocess.PIPE, pass_fds=[descriptor]) as tool:
                    tool.stdin.write(NO_CHECKS)
                    load_script(MySQLScanner(), streams.joined(), tool.stdin)
            else:
                start = partial(Tool, argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[descriptor])
                ParallelLoad(start).run(MySQLScanner(self._asleep.put_to_sleep), streams.joined())

    def _empty(self) -> None:
        """Drop all that is in the database, so that nothing a migration made outlives the restore."""
        with self._connect() as cursor:
            self._asleep = Events()
            self._grants = self._grants or grants_on_routines(cursor)
            cursor.execute(f"SET SESSION FOREIGN_KEY_CHECKS=0, lock_wait_timeout={_LOCK_TIMEOUT_S}")
            for statement in _drop_statements(cursor):
                cursor.execute(statement)

    def wake(self) -> None:
        with self._connect(statements=True) as cursor:
            events = making(things(cursor, ["EVENT"], self._asleep))
            routines = routines_of(cursor)
            grants = [statement for routine, statement in self._grants if routine in routines]
            carry_out(cursor, [*drops(cursor, ["EVENT"]), *events, *grants])
        self._asleep, self._grants = Events(), []

    def create(self, settings: Mapping[str, str]) -> None:
        character_set = settings.get("character_set", "utf8mb4")
        collation = settings.get("collation", "utf8mb4_general_ci")
        with self._connect(select=False) as cursor:
            cursor.execute(
                f"CREATE DATABASE {quote(self.login.database)}"
                f" CHARACTER SET {quote(character_set)} COLLATE {quote(collation)}"
            )

    def drop(self) -> None:
        with self._connect(select=False) as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {quote(self.login.database)}")

    def prepare_swap(self, staged: Engine, kept: str) -> None:
        with self._connect(statements=True) as cursor, Swap(cursor, self.login.database) as swap:
            swap.check(kept)

    def swap(self, staged: Engine, kept: str) -> None:
        with self._connect(statements=True) as cursor, Swap(cursor, self.login.database) as swap:
            swap.run(staged.login.database, kept, staged._asleep if isinstance(staged, MySQL) else None)

    def mend(self) -> None:
        left = self.kept()
        if left:
            with self._connect(statements=True) as cursor, Swap(cursor, self.login.database) as swap:
                swap.mend(left)

    def neighbours(self) -> list[str]:
        with self._connect(select=False) as cursor:
            cursor.execute("SHOW DATABASES")
            return [str(row[0]) for row in cursor.fetchall()]

    @contextlib.contextmanager
    def _option_file(self) -> Iterator[tuple[str, int]]:
        login = self.login
        options = {"user": login.login_user, "password": login.login_password}
        if login.login_unix_socket:
            options["socket"] = login.login_unix_socket
        else:
            options.update(host=login.login_host, port=str(login.login_port or 3306), protocol="tcp")
        lines = [f"{key}={_option_value(value)}" for key, value in options.items() if value is not None]
        with secret_file("\n".join(["[client]", *lines, ""])) as opened:
            yield opened


def _library() -> Any:
    try:
        import pymysql
        import pymysql.cursors
    except ImportError:
        raise MissingLibrary("PyMySQL") from None
    return pymysql


def _has_history(cursor: pymysql.cursors.Cursor) -> bool:
    """Whether a table keeps its old rows (https://mariadb.com/kb/en/system-versioned-tables/)."""
    return bool(
        value_of(
            cursor,
            "SELECT COUNT(*) FROM information_schema.tables"
            " WHERE table_schema = DATABASE() AND table_type = 'SYSTEM VERSIONED'",
        )
    )


def _position(cursor: pymysql.cursors.Cursor, without_transactions: bool) -> Position | None:
    """A mark that is the same only while nothing was committed: the binary log's, or else InnoDB's.

    GTID: https://mariadb.com/kb/en/gtid/ and MySQL manual 17.1.3; the log sequence number moves with every
    commit to an InnoDB table, but says nothing of other engines.
    """
    cursor.execute(
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin', 'gtid_binlog_pos', 'gtid_executed', 'gtid_mode')"
    )
    variables = dict(cursor.fetchall())
    if variables.get("log_bin") == "ON":
        if "gtid_binlog_pos" in variables:
            return {"gtid": variables["gtid_binlog_pos"]}
        if variables.get("gtid_mode") == "ON":
            return {"gtid": variables["gtid_executed"].replace("\n", "")}
    lsn = None if without_transactions else log_position(cursor)
    return None if lsn is None else {"innodb_lsn": lsn}


def _dialect_options(program: str) -> Sequence[str]:
    """Options that only MySQL's own mysqldump knows, and needs to serve any server."""
    with Tool([program, "--version"], stdout=subprocess.PIPE) as tool:
        version = b"".join(tool.chunks())
    if b"MariaDB" in version:
        return ()
    return ("--set-gtid-purged=OFF", "--column-statistics=0")


def _drop_statements(cursor: pymysql.cursors.Cursor) -> list[str]:
    """Statements that empty the current database; foreign key checks must be off."""
    statements = []
    cursor.execute("SHOW FULL TABLES")
    kinds = {"VIEW": "VIEW", "SYSTEM VIEW": "VIEW", "SEQUENCE": "SEQUENCE"}
    for name, kind in cursor.fetchall():
        statements.append(f"DROP {kinds.get(kind, 'TABLE')} IF EXISTS {quote(name)}")
    cursor.execute(
        "SELECT routine_type, routine_name FROM information_schema.routines WHERE routine_schema = DATABASE()"
    )
    statements += [f"DROP {kind} IF EXISTS {quote(name)}" for kind, name in cursor.fetchall()]
    cursor.execute("SELECT event_name FROM information_schema.events WHERE event_schema = DATABASE()")
    statements += [f"DROP EVENT IF EXISTS {quote(row[0])}" for row in cursor.fetchall()]
    return statements
