"""A verified backup of about 1 GB against the plain tools, in the same run.

pytest -s tests/bench/test_backup.py
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.create import Plan, create_set
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.engines import Login, open_engine

from bench.measure import race, report
from bench.orders import COLUMNS, write_orders
from support.mariadb import MariaDB, mariadb
from support.postgres import PostgreSQL, postgresql

ROUNDS = 3
OURS = "db_backup, verify=archive"


@pytest.fixture(scope="module")
def orders(server_folder: Path) -> Path:
    path = server_folder / "orders.tsv"
    write_orders(path)
    path.chmod(0o644)
    return path


@pytest.fixture(scope="module")
def big_mariadb(server_folder: Path, orders: Path) -> Iterator[MariaDB]:
    folder = server_folder / "bench-mariadb"
    folder.mkdir()
    with mariadb(folder, "--innodb-buffer-pool-size=2G", "--skip-log-bin") as server:
        server.sql("CREATE DATABASE big")
        server.sql(f"CREATE TABLE orders ({COLUMNS})", "big")
        server.sql(f"LOAD DATA INFILE '{orders}' INTO TABLE orders", "big")
        yield server


@pytest.fixture(scope="module")
def big_postgresql(server_folder: Path, orders: Path) -> Iterator[PostgreSQL]:
    folder = server_folder / "bench-postgresql"
    folder.mkdir()
    with postgresql(folder) as server:
        server.sql("CREATE DATABASE big")
        server.sql(f"CREATE TABLE orders ({COLUMNS})", "big")
        server.sql(f"COPY orders FROM '{orders}'", "big")
        server.sql("VACUUM ANALYZE", "big")
        yield server


def shell(command: str) -> None:
    subprocess.run(["bash", "-o", "pipefail", "-c", command], check=True)


def against_plain_tools(title: str, dump: str, engine: str, login: Login, folder: Path) -> None:
    plan = Plan(folder, "bench")
    best = race(
        {
            "bare dump to /dev/null": lambda: shell(f"{dump} > /dev/null"),
            "dump | gzip": lambda: shell(f"{dump} | gzip > {folder}/plain.gz"),
            "dump | zstd": lambda: shell(f"{dump} | zstd -q -f -o {folder}/plain.zst"),
            OURS: lambda: create_set(open_engine(engine, login), plan),
        },
        ROUNDS,
    )
    size = int(subprocess.run(f"{dump} | wc -c", shell=True, check=True, capture_output=True).stdout)  # noqa: S602
    report(f"{title}, {size / 1e9:.2f} GB of SQL", best, OURS)


@pytest.mark.timeout(3600)
def test_mariadb(big_mariadb: MariaDB, tmp_path: Path) -> None:
    login = Login("big", login_user="root", login_unix_socket=str(big_mariadb.socket))
    dump = f"mariadb-dump --socket={big_mariadb.socket} --user=root --single-transaction --quick big"
    against_plain_tools("MariaDB", dump, "mysql", login, tmp_path)


@pytest.mark.timeout(3600)
def test_postgresql(big_postgresql: PostgreSQL, tmp_path: Path) -> None:
    login = Login(
        "big", login_user="postgres", login_unix_socket=str(big_postgresql.socket), login_port=big_postgresql.port
    )
    dump = f"pg_dump --host={big_postgresql.socket} --port={big_postgresql.port} --username=postgres big"
    against_plain_tools("PostgreSQL", dump, "postgresql", login, tmp_path)
