"""A throw-away MariaDB server."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

from .processes import free_port, give_to, running


@dataclass(frozen=True)
class MariaDB:
    """A running server; root comes in by the socket without a password."""

    socket: Path
    port: int

    def sql(self, query: str, database: str | None = None, **login: Any) -> list[tuple[Any, ...]]:
        """The rows that a statement gives."""
        who = login or {"user": "root"}
        connection = pymysql.connect(
            unix_socket=str(self.socket), database=database, charset="utf8mb4", autocommit=True, **who
        )
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def create_database(self, name: str, user: str, password: str) -> None:
        """A database and a user who may do everything in it, and nothing elsewhere."""
        self.sql(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        self.sql(f"CREATE USER IF NOT EXISTS `{user}`@`%` IDENTIFIED BY '{password}'")
        self.sql(f"GRANT ALL ON `{name}`.* TO `{user}`@`%`")

    def drop_database(self, name: str) -> None:
        """Remove a database."""
        self.sql(f"DROP DATABASE IF EXISTS `{name}`")

    def content(self, database: str) -> dict[str, Any]:
        """Every row of every table, and how the tables, views and routines were made."""
        found: dict[str, Any] = {}
        for name, kind in self.sql("SHOW FULL TABLES", database):
            found[name] = self.sql(f"SHOW CREATE TABLE `{name}`", database)[0][1].split(" AUTO_INCREMENT")[0]
            if kind == "BASE TABLE":
                found[f"{name} rows"] = self.sql(f"SELECT * FROM `{name}`", database)
        return found


@contextlib.contextmanager
def mariadb(folder: Path, *options: str) -> Iterator[MariaDB]:
    """A server in a folder, with its binary log on as production servers have it; later options count."""
    give_to("mysql", folder)
    data = folder / "data"
    subprocess.run(
        ["mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={data}", "--skip-test-db",
         "--auth-root-authentication-method=normal"],
        check=True, capture_output=True,
    )  # fmt: skip
    server = MariaDB(folder / "mysql.sock", free_port())
    argv = [
        "mariadbd", "--no-defaults", "--user=mysql", f"--datadir={data}", f"--socket={server.socket}",
        f"--port={server.port}", "--bind-address=127.0.0.1", f"--pid-file={folder}/pid", "--skip-name-resolve",
        "--log-bin=binlog", "--server-id=1", "--event-scheduler=ON", "--innodb-buffer-pool-size=64M",
        "--innodb-flush-log-at-trx-commit=2", "--log-bin-trust-function-creators=1", "--sql-mode=", "--tmpdir=/tmp",
        *options,
    ]  # fmt: skip

    def ready() -> bool:
        with contextlib.suppress(pymysql.MySQLError):
            server.sql("SELECT 1")
            return True
        return False

    with running(argv, folder / "log", ready):
        yield server


@contextlib.contextmanager
def replica(folder: Path, primary: MariaDB, *options: str) -> Iterator[MariaDB]:
    """A server in a folder that does what a primary does from now on."""
    with mariadb(folder, "--server-id=2", *options) as server:
        ((log, position, *_),) = primary.sql("SHOW MASTER STATUS")
        primary.sql("CREATE OR REPLACE USER `replicator`@`%` IDENTIFIED BY 'replicates'")
        primary.sql("GRANT REPLICATION SLAVE ON *.* TO `replicator`@`%`")
        server.sql(
            f"CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {primary.port}, MASTER_USER = 'replicator',"
            f" MASTER_PASSWORD = 'replicates', MASTER_LOG_FILE = '{log}', MASTER_LOG_POS = {position},"
            " MASTER_CONNECT_RETRY = 1"
        )
        server.sql("START SLAVE")
        yield server
