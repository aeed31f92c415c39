"""A throw-away PostgreSQL server."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from .processes import as_user, free_port, give_to, running


@dataclass(frozen=True)
class PostgreSQL:
    """A running server; the superuser postgres comes in by the socket without a password, others need theirs."""

    socket: Path
    port: int

    def sql(self, query: str, database: str = "postgres", role: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows that a statement gives."""
        with psycopg.connect(
            host=str(self.socket),
            port=self.port,
            user="postgres",
            dbname=database,
            options=f"-c role={role}",
            autocommit=True,
        ) as connection:
            cursor = connection.execute(query)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def create_database(self, name: str, user: str, password: str) -> None:
        """A database and its owner."""
        if not self.sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{user}'"):
            self.sql(f"CREATE ROLE \"{user}\" LOGIN PASSWORD '{password}'")
        self.sql(f'CREATE DATABASE "{name}" OWNER "{user}"')

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever uses it."""
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def content(self, database: str) -> dict[str, Any]:
        """Every row of every table in public, and its columns."""
        found: dict[str, Any] = {}
        for (name,) in self.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1", database):
            found[name] = self.sql(
                "SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns"
                f" WHERE table_schema = 'public' AND table_name = '{name}' ORDER BY 1",
                database,
            )
            found[f"{name} rows"] = self.sql(f'SELECT * FROM public."{name}" ORDER BY 1', database)
        return found


def programs() -> Path:
    """The folder of the highest version's programs that is installed."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[PostgreSQL]:
    """A server in a folder."""
    give_to("postgres", folder)
    subprocess.run(
        [*as_user("postgres"), str(programs() / "initdb"), "-D", str(folder / "data"), "-U", "postgres", "-E", "UTF8",
         "--locale=C.UTF-8", "--auth-local=trust", "--auth-host=scram-sha-256"],
        check=True, capture_output=True, cwd="/",
    )  # fmt: skip
    with _serving(folder) as server:
        yield server


@contextlib.contextmanager
def standby(folder: Path, primary: PostgreSQL) -> Iterator[PostgreSQL]:
    """A server in a folder that replays what a primary does, from a copy of it."""
    give_to("postgres", folder)
    subprocess.run(
        [*as_user("postgres"), str(programs() / "pg_basebackup"), "-D", str(folder / "data"), "-U", "postgres",
         "-h", str(primary.socket), "-p", str(primary.port), "--checkpoint=fast", "--write-recovery-conf"],
        check=True, capture_output=True, cwd="/",
    )  # fmt: skip
    with _serving(folder) as server:
        yield server


@contextlib.contextmanager
def _serving(folder: Path) -> Iterator[PostgreSQL]:
    server = PostgreSQL(folder, free_port())
    settings = {
        "port": server.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": folder, "fsync": "off",
        "max_prepared_transactions": 2,
    }  # fmt: skip
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    def ready() -> bool:
        with contextlib.suppress(psycopg.Error):
            server.sql("SELECT 1")
            return True
        return False

    argv = [*as_user("postgres"), str(programs() / "postgres"), "-D", str(folder / "data"), *options]
    with running(argv, folder / "log", ready):
        yield server
