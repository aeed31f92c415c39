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
from support.mariadb import MariaDB, mariadb
from support.postgres import PostgreSQL, postgresql

ROWS = 2_600_000
ROUNDS = 3
OURS = "db_backup, verify=archive"
# Like orders of a shop: numbers, names, dates, a random token, and words that come again.
_ORDER = """
    {n}, concat('Customer ', {n} % 50000), concat('customer', {n} % 50000, '@example.com'),
    ({n} * 7919) % 100000, {date}, md5({text}),
    concat('Please deliver to the back door, floor ', {n} % 9, '. Reference ', md5({text2}), '. ',
           'The parcel holds ', {n} % 17, ' items of stock class ', {n} % 400, '; ring twice and wait for an answer. ',
           substr('Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore',
                  1, CAST(20 + {n} % 80 AS {int})))
"""
_COLUMNS = (
    "id BIGINT PRIMARY KEY, name VARCHAR(80), email VARCHAR(80), cents INT, made TIMESTAMP, token CHAR(32), note TEXT"
)


@pytest.fixture(scope="module")
def big_mariadb(server_folder: Path) -> Iterator[MariaDB]:
    folder = server_folder / "bench-mariadb"
    folder.mkdir()
    with mariadb(folder, "--innodb-buffer-pool-size=2G", "--skip-log-bin") as server:
        server.sql("CREATE DATABASE big")
        server.sql(f"CREATE TABLE orders ({_COLUMNS})", "big")
        date = "'2026-01-01' + INTERVAL seq % 9999999 SECOND"
        row = _ORDER.format(n="seq", date=date, int="SIGNED", text="seq", text2="seq + 5")
        server.sql(f"INSERT INTO orders SELECT {row} FROM seq_1_to_{ROWS}", "big")
        yield server


@pytest.fixture(scope="module")
def big_postgresql(server_folder: Path) -> Iterator[PostgreSQL]:
    folder = server_folder / "bench-postgresql"
    folder.mkdir()
    with postgresql(folder) as server:
        server.sql("CREATE DATABASE big")
        server.sql(f"CREATE TABLE orders ({_COLUMNS})", "big")
        date = "'2026-01-01'::timestamp + n % 9999999 * interval '1 second'"
        row = _ORDER.format(n="n", date=date, int="INTEGER", text="n::text", text2="(n + 5)::text")
        server.sql(f"INSERT INTO orders SELECT {row} FROM generate_series(1::bigint, {ROWS}) AS n", "big")
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
