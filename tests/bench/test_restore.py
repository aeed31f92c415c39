"""Restores of about 1 GB against the plain client, and a rehearsed backup against dump and restore by plain tools.

One database has a single table without indexes, the other is a shop: three tables with seven indexes and foreign keys.

pytest -s tests/bench/test_restore.py
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.create import Plan, create_set
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.engines import Login, open_engine

from bench.measure import race, report
from bench.orders import COLUMNS
from bench.test_backup import big_mariadb, big_postgresql, orders, shell
from support.mariadb import MariaDB
from support.postgres import PostgreSQL

__all__ = ["big_mariadb", "big_postgresql", "orders"]
ROUNDS = 2
OURS = "load of a set"


SHOP = (
    "CREATE TABLE customers (id BIGINT PRIMARY KEY, name VARCHAR(80), email VARCHAR(120) UNIQUE)",
    "CREATE TABLE orders (id BIGINT PRIMARY KEY, customer_id BIGINT, cents INT, made TIMESTAMP, token CHAR(32),"
    " note TEXT, FOREIGN KEY (customer_id) REFERENCES customers (id))",
    "CREATE TABLE items (id BIGINT PRIMARY KEY, order_id BIGINT, sku VARCHAR(20), price INT, note TEXT,"
    " FOREIGN KEY (order_id) REFERENCES orders (id))",
    "INSERT INTO customers SELECT id, name, CONCAT(email, id) FROM {source} WHERE id <= 300000",
    "INSERT INTO orders SELECT id, MOD(id, 300000) + 1, cents, made, token, note FROM {source} WHERE id <= 1300000",
    "INSERT INTO items SELECT id, MOD(id, 1300000) + 1, SUBSTR(token, 1, 8), cents, note FROM {source}",
    "CREATE INDEX by_customer ON orders (customer_id)",
    "CREATE INDEX by_time ON orders (made)",
    "CREATE INDEX by_order ON items (order_id)",
    "CREATE INDEX by_sku ON items (sku)",
)


@dataclass(frozen=True)
class Tools:
    """The plain tools of a server: a command that dumps, one that makes an empty database, and the client for that."""

    engine: str
    login: Login
    dump: str
    fresh: str
    client: str


def race_restores(title: str, tools: Tools, root: Path) -> None:
    engine = open_engine(tools.engine, tools.login)
    made = create_set(engine, Plan(root, "bench"))
    shell(f"{tools.dump} | gzip -1 > {root}/plain.gz")
    shell(tools.fresh)
    target = engine.beside("loaded")

    def ours() -> None:
        target.drop()
        target.create(made.manifest.settings)
        target.load(made.streams(), fresh=True)

    plain = f"{tools.fresh} && zcat {root}/plain.gz | {tools.client}"
    report(f"{title}: restore", race({"zcat | client": lambda: shell(plain), OURS: ours}, ROUNDS), OURS)


def race_rehearsals(title: str, tools: Tools, root: Path) -> None:
    engine = open_engine(tools.engine, tools.login)
    rehearsed = "db_backup, verify=rehearse"
    plain = f"{tools.dump} | gzip > {root}/slow.gz && {tools.fresh} && zcat {root}/slow.gz | {tools.client}"
    contenders = {
        "dump | gzip, then zcat | client": lambda: shell(plain),
        rehearsed: lambda: create_set(engine, Plan(root, "bench", verify="rehearse")),
    }
    report(f"{title}: a backup that was restored once", race(contenders, 1), rehearsed)


def mariadb_tools(server: MariaDB, database: str) -> Tools:
    login = Login(database, login_user="root", login_unix_socket=str(server.socket))
    client = f"mariadb --socket={server.socket} --user=root"
    dump = f"mariadb-dump --socket={server.socket} --user=root --single-transaction --quick {database}"
    fresh = f"{client} -e 'DROP DATABASE IF EXISTS loaded; CREATE DATABASE loaded'"
    return Tools("mysql", login, dump, fresh, f"{client} loaded")


def postgresql_tools(server: PostgreSQL, database: str) -> Tools:
    where = f"--host={server.socket} --port={server.port} --username=postgres"
    login = Login(database, login_user="postgres", login_unix_socket=str(server.socket), login_port=server.port)
    fresh = f"dropdb --if-exists {where} loaded && createdb {where} loaded"
    client = f"psql -X -q {where} loaded > {os.devnull}"
    return Tools("postgresql", login, f"pg_dump {where} {database}", fresh, client)


@pytest.mark.timeout(3600)
def test_one_table_of_mariadb(big_mariadb: MariaDB, tmp_path: Path) -> None:
    tools = mariadb_tools(big_mariadb, "big")
    race_restores("MariaDB, one table", tools, tmp_path)
    race_rehearsals("MariaDB, one table", tools, tmp_path)


@pytest.mark.timeout(3600)
def test_shop_on_mariadb(big_mariadb: MariaDB, tmp_path: Path) -> None:
    big_mariadb.sql("CREATE DATABASE shop")
    for statement in SHOP:
        big_mariadb.sql(statement.format(source="big.orders"), "shop")
    race_restores("MariaDB, shop", mariadb_tools(big_mariadb, "shop"), tmp_path)


@pytest.mark.timeout(3600)
def test_one_table_of_postgresql(big_postgresql: PostgreSQL, tmp_path: Path) -> None:
    tools = postgresql_tools(big_postgresql, "big")
    race_restores("PostgreSQL, one table", tools, tmp_path)
    race_rehearsals("PostgreSQL, one table", tools, tmp_path)


@pytest.mark.timeout(3600)
def test_shop_on_postgresql(big_postgresql: PostgreSQL, orders: Path, tmp_path: Path) -> None:
    big_postgresql.sql("CREATE DATABASE shop")
    big_postgresql.sql(f"CREATE TABLE source ({COLUMNS})", "shop")
    big_postgresql.sql(f"COPY source FROM '{orders}'", "shop")
    for statement in SHOP:
        big_postgresql.sql(statement.format(source="source"), "shop")
    big_postgresql.sql("DROP TABLE source", "shop")
    big_postgresql.sql("VACUUM ANALYZE", "shop")
    race_restores("PostgreSQL, shop", postgresql_tools(big_postgresql, "shop"), tmp_path)
