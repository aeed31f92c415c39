"""Whatever a server can hold comes back: compared by the dump of the server's own tool, before and after."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sqlite3
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.create import Plan, create_set
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.restore import (
    find_source,
    prune_kept,
    restore,
    undo,
)
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.sets import BackupSet
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.engines import Engine, Login, open_engine
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.errors import HoldfastError

from support.databases import PASSWORD
from support.mariadb import MariaDB
from support.postgres import PostgreSQL

SOON = datetime.now(timezone.utc) + timedelta(hours=1)
SCHEMAS = Path(__file__).parents[1] / "support" / "schemas"


def put_back(engine: Engine, root: Path, made: BackupSet) -> None:
    restore(engine, find_source(root, "shop", made.id, engine), verify="archive", safety=Plan(root, "shop", "safety"))


def rows_of(made: BackupSet) -> dict[str, int]:
    return {name: table.rows for name, table in made.manifest.content.tables.items()}


def output_of(argv: list[str], script: str = "", **environment: str) -> str:
    ended = subprocess.run(
        argv, input=script.encode(), env={**os.environ, **environment}, capture_output=True, check=False
    )
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout.decode(errors="backslashreplace")


@pytest.fixture
def mariadb_database(mariadb_server: MariaDB) -> Iterator[tuple[str, Engine]]:
    name = f"db_{secrets.token_hex(3)}"
    mariadb_server.create_database(name, "shop", PASSWORD.replace("\\", "\\\\").replace("'", "\\'"))
    try:
        yield name, open_engine("mysql", Login(name, "127.0.0.1", mariadb_server.port, "shop", PASSWORD))
    finally:
        mariadb_server.drop_database(name)


def test_all_of_mariadb(mariadb_server, mariadb_database, tmp_path):
    name, engine = mariadb_database
    login = ["--no-defaults", f"--socket={mariadb_server.socket}", "--default-character-set=utf8mb4"]
    script = (SCHEMAS / "mariadb.sql").read_text()
    output_of(["mariadb", *login, "--user=shop", name], script, MYSQL_PWD=PASSWORD)

    def state() -> tuple[str, object]:
        dump = ["mariadb-dump", *login, "--user=root", "--routines", "--skip-dump-date", "--order-by-primary", name]
        history = mariadb_server.sql("SELECT x, row_start, row_end FROM remembers FOR SYSTEM_TIME ALL ORDER BY 2", name)
        return output_of(dump), history

    before = state()
    made = create_set(engine, Plan(tmp_path, "shop"))
    assert rows_of(made) == {**engine.count_rows(), "remembers": 3}, "old rows are backed up too"
    assert made.manifest.content.separate == ("old_engine",)
    mariadb_server.sql("DELETE FROM remembers", name)
    mariadb_server.sql("DROP SEQUENCE seq", name)
    put_back(engine, tmp_path, made)
    assert state() == before


def test_all_of_mariadb_but_a_sequence_by_swap(mariadb_server, mariadb_database, tmp_path):
    name, engine = mariadb_database
    login = ["--no-defaults", f"--socket={mariadb_server.socket}", "--default-character-set=utf8mb4"]
    script = (SCHEMAS / "mariadb.sql").read_text()
    output_of(["mariadb", *login, "--user=shop", name], script, MYSQL_PWD=PASSWORD)
    mariadb_server.sql("DROP TABLE numbered", name)
    mariadb_server.sql(f"ALTER DATABASE `{name}` CHARACTER SET latin1")
    odd = "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'; SET NAMES latin1; DELIMITER ;;\n"
    odd += "CREATE PROCEDURE odd() SELECT 'caf\u00e9\\' AS \"a b\";;\n"
    output_of(["mariadb", *login, "--user=shop", name], odd, MYSQL_PWD=PASSWORD)
    mariadb_server.sql("CREATE EVENT later ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01' DISABLE DO SET @x = 1", name)
    mariadb_server.sql(f"ALTER DATABASE `{name}` CHARACTER SET utf8mb4")
    mariadb_server.sql("GRANT ALL ON `holdfast\\_scratch\\_%`.* TO `shop`@`%`")
    mariadb_server.sql("GRANT ALL ON `db\\_%\\_\\_before\\_%`.* TO `shop`@`%`")

    def state() -> str:
        dump = ["mariadb-dump", *login, "--user=root", "--routines", "--events", "--skip-dump-date"]
        text = output_of([*dump, "--order-by-primary", name])
        return re.sub(r"DEFINER=`\w+`@`[\w%]+`", "DEFINER=somebody", text)

    before = state()
    made = create_set(engine, Plan(tmp_path, "shop"))
    for statement in ("DELETE FROM remembers", "DROP VIEW a", "DROP TABLE parts", "DROP PROCEDURE odd"):
        mariadb_server.sql(statement, name)
    changed = state()
    done = restore(engine, find_source(tmp_path, "shop", made.id, engine), verify="archive", safety=None)
    assert done.kept, done.in_place
    assert state() == before
    undo(engine, tmp_path, "shop")
    assert state() == changed
    undo(engine, tmp_path, "shop")
    assert state() == before
    assert len(prune_kept(engine, tmp_path, "shop", SOON, remove=True)) == 1
    mariadb_server.sql("REVOKE ALL ON `holdfast\\_scratch\\_%`.* FROM `shop`@`%`")
    mariadb_server.sql("REVOKE ALL ON `db\\_%\\_\\_before\\_%`.* FROM `shop`@`%`")


def test_a_mariadb_restore_under_another_name_leaves_the_original_alone(mariadb_server, mariadb_database, tmp_path):
    name, engine = mariadb_database
    mariadb_server.sql(f"ALTER DATABASE `{name}` CHARACTER SET latin1")
    mariadb_server.sql("CREATE TABLE t (x INT)", name, user="shop", password=PASSWORD)
    mariadb_server.sql("CREATE PROCEDURE p() SELECT 1", name, user="shop", password=PASSWORD)
    mariadb_server.sql(f"ALTER DATABASE `{name}` CHARACTER SET utf8mb4")
    made = create_set(engine, Plan(tmp_path, "shop"))
    mariadb_server.sql(f"ALTER DATABASE `{name}` CHARACTER SET ascii")
    copy = f"{name}_copy"
    mariadb_server.create_database(copy, "shop", PASSWORD.replace("\\", "\\\\").replace("'", "\\'"))
    try:
        put_back(open_engine("mysql", engine.login.to(copy)), tmp_path, made)
        query = "SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name ="
        assert mariadb_server.sql(f"{query} '{name}'") == [("ascii",)]
        assert mariadb_server.sql(f"{query} '{copy}'") == [("utf8mb4",)]
        kept = "SELECT database_collation FROM information_schema.routines WHERE routine_schema ="
        assert mariadb_server.sql(f"{kept} '{copy}'") == [("latin1_swedish_ci",)]
    finally:
        mariadb_server.drop_database(copy)


def test_what_a_mariadb_user_could_not_put_back_is_told_beforehand(mariadb_server, mariadb_database, tmp_path):
    name, _ = mariadb_database
    mariadb_server.sql(f"CREATE USER `{name}` IDENTIFIED BY 'a-long-enough-one'")
    mariadb_server.sql(
        f"GRANT SELECT, SHOW VIEW, EVENT, INSERT, CREATE, DROP, ALTER, TRIGGER ON `{name}`.* TO `{name}`"
    )
    mariadb_server.sql("CREATE TABLE t AS SELECT 1 AS x", name)
    mariadb_server.sql("CREATE VIEW v AS SELECT x FROM t", name)
    login = Login(name, "127.0.0.1", mariadb_server.port, name, "a-long-enough-one")
    engine = open_engine("mysql", login)
    made = create_set(engine, Plan(tmp_path, "shop"))
    with pytest.raises(HoldfastError, match=r"it lacks CREATE VIEW there\. GRANT CREATE VIEW ON"):
        put_back(engine, tmp_path, made)
    assert mariadb_server.sql("SELECT x FROM v", name) == [(1,)], "it is as it was"


@contextlib.contextmanager
def postgresql_of_shop(server: PostgreSQL) -> Iterator[tuple[str, Engine]]:
    name = f"db_{secrets.token_hex(3)}"
    server.create_database(name, "shop", PASSWORD.replace("'", "''"))
    if not server.sql("SELECT 1 FROM pg_roles WHERE rolname = 'reader'"):
        server.sql("CREATE ROLE reader")
    try:
        yield name, open_engine("postgresql", Login(name, "127.0.0.1", server.port, "shop", PASSWORD))
    finally:
        server.drop_database(name)


def postgresql_state(server: PostgreSQL, name: str) -> str:
    dump = output_of(["pg_dump", f"--host={server.socket}", f"--port={server.port}", "--username=postgres", name])
    return re.sub(r"\\(un)?restrict .*", "", dump)


def as_shop(server: PostgreSQL, name: str, script: str) -> None:
    client = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", f"--host={server.socket}", f"--port={server.port}"]
    output_of([*client, "--username=postgres", name], f"SET ROLE shop;\n{script}")


def test_all_of_postgresql(postgresql_server, tmp_path):
    with postgresql_of_shop(postgresql_server) as (name, engine):
        as_shop(postgresql_server, name, (SCHEMAS / "postgresql.sql").read_text())
        before = postgresql_state(postgresql_server, name)
        made = create_set(engine, Plan(tmp_path, "shop"))
        assert rows_of(made) == engine.count_rows()
        assert rows_of(made)["public.numbered"] == 2 and rows_of(made)['public."Weird "" t"'] == 2
        as_shop(
            postgresql_server,
            name,
            "DELETE FROM parts; ALTER TABLE kinds DROP COLUMN n; DROP SCHEMA other CASCADE; SELECT lo_unlink(4242);"
            "CREATE EXTENSION hstore; CREATE TABLE more_of_it (h hstore); CREATE TABLE side.more_of_it (x INT)",
        )
        put_back(engine, tmp_path, made)
        assert postgresql_state(postgresql_server, name) == before
        as_shop(postgresql_server, name, "DELETE FROM parts; DROP SCHEMA other CASCADE; DROP TABLE roost")
        changed = postgresql_state(postgresql_server, name)
        postgresql_server.sql("ALTER ROLE shop CREATEDB")
        done = restore(engine, find_source(tmp_path, "shop", made.id, engine), verify="archive", safety=None)
        assert done.kept, done.in_place
        assert postgresql_state(postgresql_server, name) == before
        undo(engine, tmp_path, "shop")
        assert postgresql_state(postgresql_server, name) == changed
        assert len(prune_kept(engine, tmp_path, "shop", SOON, remove=True)) == 1
        postgresql_server.sql("ALTER ROLE shop NOCREATEDB")


def test_postgresql_extensions_that_only_a_superuser_can_make_stay(postgresql_server, tmp_path):
    with postgresql_of_shop(postgresql_server) as (name, engine):
        as_shop(postgresql_server, name, "CREATE SCHEMA ext; CREATE TABLE ext.t AS SELECT 1 AS x")
        postgresql_server.sql("CREATE EXTENSION file_fdw SCHEMA ext; CREATE EXTENSION pageinspect", name)
        before = postgresql_state(postgresql_server, name)
        made = create_set(engine, Plan(tmp_path, "shop"))
        as_shop(postgresql_server, name, "DROP TABLE ext.t; CREATE TABLE ext.more_of_it (x INT)")
        put_back(engine, tmp_path, made)
        assert postgresql_state(postgresql_server, name) == before


def test_postgresql_without_a_schema_public(postgresql_server, tmp_path):
    with postgresql_of_shop(postgresql_server) as (name, engine):
        postgresql_server.sql("DROP SCHEMA public", name)
        as_shop(postgresql_server, name, "CREATE SCHEMA a; CREATE TABLE a.t AS SELECT 1 AS x")
        before = postgresql_state(postgresql_server, name)
        made = create_set(engine, Plan(tmp_path, "shop"))
        as_shop(postgresql_server, name, "DROP TABLE a.t")
        put_back(engine, tmp_path, made)
        assert postgresql_state(postgresql_server, name) == before


def test_what_a_postgresql_user_could_not_put_back_is_told_beforehand(postgresql_server, tmp_path):
    with postgresql_of_shop(postgresql_server) as (name, engine):
        postgresql_server.sql("CREATE SCHEMA theirs; CREATE TABLE theirs.t AS SELECT 1 AS x", name)
        postgresql_server.sql("GRANT USAGE ON SCHEMA theirs TO shop; GRANT SELECT ON theirs.t TO shop", name)
        before = postgresql_state(postgresql_server, name)
        made = create_set(engine, Plan(tmp_path, "shop"))
        with pytest.raises(
            HoldfastError, match=r"shop may not drop and create again: table theirs\.t \(owner postgres\)"
        ):
            put_back(engine, tmp_path, made)
        assert postgresql_state(postgresql_server, name) == before


def test_all_of_sqlite(tmp_path):
    path = tmp_path / "live.sqlite"

    def run(script: str) -> None:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.executescript(script)

    def state() -> list[object]:
        pragmas = ("user_version", "application_id", "page_size", "encoding", "journal_mode")
        with contextlib.closing(sqlite3.connect(path)) as connection:
            made = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2").fetchall()
            tables = [row[1] for row in made if row[0] == "table"]
            rows = [connection.execute(f'SELECT * FROM "{name.replace(chr(34), chr(34) * 2)}"') for name in tables]
            return [
                made,
                [one.fetchall() for one in rows],
                [connection.execute(f"PRAGMA {name}").fetchone() for name in pragmas],
            ]

    run((SCHEMAS / "sqlite.sql").read_text())
    before = state()
    engine = open_engine("sqlite", Login(str(path)))
    made = create_set(engine, Plan(tmp_path / "b", "shop"))
    assert rows_of(made) == engine.count_rows()
    # A write-ahead log holds on to the page size.
    run("PRAGMA page_size = 8192; VACUUM; PRAGMA journal_mode = WAL; DROP TABLE numbered; DELETE FROM searched;")
    put_back(engine, tmp_path / "b", made)
    assert state() == before
