"""Dumps that stop other tools: made by other users, by other programs, of databases with odd names."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.create import Plan, create_set
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.restore import find_source, restore
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.engines import Engine, Login, open_engine
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.errors import HoldfastError

from support.databases import PASSWORD
from support.mariadb import MariaDB
from support.postgres import PostgreSQL

SANDBOX_LINE = "/*M!999999\\- enable the sandbox mode */ \n"
ODD_NAMES = ["with space", "ünïcode 日本", "semi;colon", 'quo"te', "back`tick", "per%cent", "-dash", "a.b", "x" * 60]


def mysql_engine(server: MariaDB, database: str, user: str = "root") -> Engine:
    if user == "root":
        return open_engine("mysql", Login(database, login_user="root", login_unix_socket=str(server.socket)))
    login = Login(database, "127.0.0.1", server.port, user, PASSWORD)
    return open_engine("mysql", login)


def put_back(engine: Engine, root: Path, name: str) -> None:
    restore(engine, find_source(root, "shop", name, engine), verify="archive", safety=Plan(root, "shop", "safety"))


@pytest.fixture
def two_users(mariadb_server: MariaDB) -> Iterator[tuple[str, str, str]]:
    """A database made by one user, and another user who is going to restore it."""
    name, maker, other = (f"{word}_{secrets.token_hex(3)}" for word in ("db", "maker", "other"))
    quoted = PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
    mariadb_server.create_database(name, maker, quoted)
    mariadb_server.sql(f"CREATE USER {other}@'%' IDENTIFIED BY '{quoted}'")
    mariadb_server.sql(f"GRANT ALL ON {name}.* TO {other}@'%'")
    yield name, maker, other
    mariadb_server.drop_database(name)


def test_what_one_user_defined_another_restores_elsewhere(mariadb_server, two_users, tmp_path):
    name, maker, other = two_users
    copy = f"{name}_copy"

    def sql(statement: str):
        return mariadb_server.sql(statement, name, user=maker, password=PASSWORD)

    sql("CREATE TABLE t (x INT)")
    sql("INSERT INTO t VALUES (1)")
    sql("CREATE VIEW v AS SELECT x FROM t")
    sql("CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.x = NEW.x + 1")
    sql("CREATE PROCEDURE p() SELECT 1")
    sql("CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01' DO DELETE FROM t")
    made = create_set(mysql_engine(mariadb_server, name), Plan(tmp_path, "shop"))
    mariadb_server.sql(f"DROP USER {maker}@'%'")
    mariadb_server.sql(f"CREATE DATABASE {copy}")
    mariadb_server.sql(f"GRANT ALL ON {copy}.* TO {other}@'%'")
    try:
        put_back(mysql_engine(mariadb_server, copy, other), tmp_path, made.id)
        assert [str(x) for (x,) in mariadb_server.sql("SELECT x FROM v", copy)] == ["1"]
        definers = mariadb_server.sql(
            f"SELECT DISTINCT definer FROM information_schema.routines WHERE routine_schema = '{copy}'"
            f" UNION SELECT definer FROM information_schema.triggers WHERE trigger_schema = '{copy}'"
            f" UNION SELECT definer FROM information_schema.views WHERE table_schema = '{copy}'"
            f" UNION SELECT definer FROM information_schema.events WHERE event_schema = '{copy}'"
        )
        assert [tuple(row) for row in definers] == [(f"{other}@%",)]
    finally:
        mariadb_server.drop_database(copy)


@pytest.mark.parametrize("sandbox", ["", SANDBOX_LINE])
def test_a_dump_of_either_kind_of_client_is_restored(mariadb_server, two_users, tmp_path, sandbox):
    name, _, other = two_users
    mariadb_server.sql("CREATE TABLE t (x VARCHAR(20))", name)
    foreign = tmp_path / "dump.sql"
    foreign.write_text(
        sandbox + "-- MySQL dump 10.13  Distrib 8.0.36\n"
        "/*!50001 CREATE TABLE `u` (\n  `x` int DEFAULT NULL\n) */;\n"
        "INSERT INTO `u` VALUES (1),(2);\n"
        "/*!50003 CREATE*/ /*!50017 DEFINER=`gone`@`10.0.0.%`*/ /*!50003 TRIGGER `g` BEFORE INSERT ON `u`"
        " FOR EACH ROW SET NEW.x = 7 */;\n"
        "-- Dump completed\n"
    )
    put_back(mysql_engine(mariadb_server, name, other), tmp_path, str(foreign))
    assert len(mariadb_server.sql("SELECT x FROM u", name)) == 2
    assert mariadb_server.sql("SHOW TABLES LIKE 't'", name) == [], "what was there before is gone"


def test_a_dump_that_switches_to_another_database_is_refused(mariadb_server, two_users, tmp_path):
    name, _, other = two_users
    mariadb_server.sql("CREATE TABLE t (x INT)", name)
    foreign = tmp_path / "all.sql"
    foreign.write_text(
        "-- MySQL dump\nCREATE DATABASE IF NOT EXISTS `elsewhere`;\nUSE `elsewhere`;\nCREATE TABLE t (x INT);\n"
    )
    with pytest.raises(HoldfastError, match="switches to the database elsewhere by itself"):
        put_back(mysql_engine(mariadb_server, name, other), tmp_path, str(foreign))
    assert mariadb_server.sql("SHOW TABLES", name) == [("t",)]
    foreign.write_text(foreign.read_text().replace("elsewhere", name))
    put_back(mysql_engine(mariadb_server, name, other), tmp_path, str(foreign))


def test_a_postgresql_dump_that_connects_elsewhere_is_refused(postgresql_server: PostgreSQL, tmp_path):
    name = f"db_{secrets.token_hex(3)}"
    postgresql_server.create_database(name, "shop", PASSWORD.replace("'", "''"))
    try:
        postgresql_server.sql("CREATE TABLE t AS SELECT 1 AS x", name, "shop")
        engine = open_engine("postgresql", Login(name, "127.0.0.1", postgresql_server.port, "shop", PASSWORD))
        foreign = tmp_path / "all.sql"
        foreign.write_text(
            "-- PostgreSQL database dump\nCREATE DATABASE elsewhere;\n\\connect elsewhere\nDROP TABLE t;\n"
        )
        with pytest.raises(HoldfastError, match="switches to the database elsewhere by itself"):
            put_back(engine, tmp_path, str(foreign))
        assert postgresql_server.sql("SELECT x FROM t", name) == [(1,)]
    finally:
        postgresql_server.drop_database(name)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_databases_with_odd_names_come_back(mariadb_server, postgresql_server, tmp_path, name):
    name = f"{name}{secrets.token_hex(1)}"
    postgresql = Login(name, str(postgresql_server.socket), postgresql_server.port, "postgres")
    for engine in (mysql_engine(mariadb_server, name), open_engine("postgresql", postgresql)):
        engine.create({})
        try:
            run = {
                "mysql": lambda sql: mariadb_server.sql(sql, name),
                "postgresql": lambda sql: postgresql_server.sql(sql, name),
            }[engine.name]
            run("CREATE TABLE t (x INT)")
            run("INSERT INTO t VALUES (1), (2)")
            root = tmp_path / engine.name
            made = create_set(engine, Plan(root, "shop"))
            run("DROP TABLE t")
            put_back(engine, root, made.id)
            assert engine.count_rows() == {"t" if engine.name == "mysql" else "public.t": 2}
        finally:
            engine.drop()


def test_a_client_that_is_killed_in_a_restore_leaves_the_old_content(mariadb_server, two_users, tmp_path, monkeypatch):
    name, _, other = two_users
    mariadb_server.sql("CREATE TABLE t (x INT)", name)
    mariadb_server.sql("INSERT INTO t VALUES (1)", name)
    engine = mysql_engine(mariadb_server, name, other)
    made = create_set(engine, Plan(tmp_path / "b", "shop"))
    mariadb_server.sql("INSERT INTO t VALUES (2)", name)
    tools = tmp_path / "tools"
    tools.mkdir()
    once = tools / "once"
    real = subprocess.run(["which", "mariadb"], capture_output=True, text=True, check=True).stdout.strip()
    (tools / "mariadb").write_text(
        f'#!/bin/sh\n[ -e {once} ] && exec {real} "$@"\ntouch {once}\nhead -c 20 >/dev/null; kill -9 $$\n'
    )
    (tools / "mariadb").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    with pytest.raises(HoldfastError, match="was put back; the database is as it was before"):
        put_back(engine, tmp_path / "b", made.id)
    assert len(mariadb_server.sql("SELECT x FROM t", name)) == 2
