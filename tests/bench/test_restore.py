"""A restore of about 1 GB against the plain client, and a rehearsed backup against dump and restore by plain tools.

pytest -s tests/bench/test_restore.py
"""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.create import Plan, create_set
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.engines import Login, open_engine

from bench.measure import race, report
from bench.test_backup import big_mariadb, big_postgresql, orders, shell
from support.mariadb import MariaDB
from support.postgres import PostgreSQL

__all__ = ["big_mariadb", "big_postgresql", "orders"]
ROUNDS = 2
OURS = "load of a set"


def against_plain_tools(title: str, kind: str, login: Login, dump: str, fresh: str, client: str, root: Path) -> None:
    engine = open_engine(kind, login)
    made = create_set(engine, Plan(root, "bench"))
    shell(f"{dump} | gzip -1 > {root}/plain.gz")
    shell(fresh)
    target = engine.beside("loaded")
    best = race(
        {
            "zcat | client": lambda: shell(f"{fresh} && zcat {root}/plain.gz | {client}"),
            OURS: lambda: target.load(made.data()),
        },
        ROUNDS,
    )
    report(f"{title}: restore", best, OURS)
    rehearsed = "db_backup, verify=rehearse"
    best = race(
        {
            "dump | gzip, then zcat | client": lambda: shell(
                f"{dump} | gzip > {root}/slow.gz && {fresh} && zcat {root}/slow.gz | {client}"
            ),
            rehearsed: lambda: create_set(engine, Plan(root, "bench", verify="rehearse")),
        },
        1,
    )
    report(f"{title}: a backup that was restored once", best, rehearsed)


@pytest.mark.timeout(3600)
def test_mariadb(big_mariadb: MariaDB, tmp_path: Path) -> None:
    login = Login("big", login_user="root", login_unix_socket=str(big_mariadb.socket))
    client = f"mariadb --socket={big_mariadb.socket} --user=root"
    dump = f"mariadb-dump --socket={big_mariadb.socket} --user=root --single-transaction --quick big"
    fresh = f"{client} -e 'DROP DATABASE IF EXISTS loaded; CREATE DATABASE loaded'"
    against_plain_tools("MariaDB", "mysql", login, dump, fresh, f"{client} loaded", tmp_path)


@pytest.mark.timeout(3600)
def test_postgresql(big_postgresql: PostgreSQL, tmp_path: Path) -> None:
    where = f"--host={big_postgresql.socket} --port={big_postgresql.port} --username=postgres"
    login = Login(
        "big", login_user="postgres", login_unix_socket=str(big_postgresql.socket), login_port=big_postgresql.port
    )
    fresh = f"dropdb --if-exists {where} loaded && createdb {where} loaded"
    client = f"psql -X -q {where} loaded"
    against_plain_tools("PostgreSQL", "postgresql", login, f"pg_dump {where} big", fresh, client, tmp_path)
