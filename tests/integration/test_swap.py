"""A restore takes the database's place at once, keeps what was there, and can be killed at any step."""

from __future__ import annotations

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.create import Plan
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.restore import (
    Restored,
    find_source,
    restore,
    undo,
)
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.sets import SAFETY_LABEL
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.errors import HoldfastError
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.faults import POINTS

from support.databases import Database
from support.killed import killed_at
from support.mariadb import MariaDB
from support.playbook import run_module
from support.processes import wait_until
from support.sets import engine_of, make_set, scratch_databases

RESTORE_POINTS = [point for point in POINTS if point.startswith(("restore:", "swap:", "backup:"))]


def put_back(database: Database, root: Path, name: str = "latest", *, safety: bool = False) -> Restored:
    engine = engine_of(database)
    plan = Plan(root, "shop", SAFETY_LABEL) if safety else None
    return restore(engine, find_source(root, "shop", name, engine), verify="archive", safety=plan)


def kept(database: Database) -> list[str]:
    return engine_of(database).kept()


def damage(database: Database) -> None:
    database.sql("DELETE FROM customers WHERE id > 1")
    database.sql("DROP TABLE computed")
    database.sql("CREATE VIEW over_view AS SELECT 1 AS x")
    if database.engine == "mysql":
        database.sql("DROP PROCEDURE greet")
        database.sql("DROP TRIGGER shout")
        database.sql("CREATE TRIGGER whisper AFTER INSERT ON customers FOR EACH ROW SET @x = 'é'")
        database.sql("CREATE FUNCTION over_function() RETURNS INT DETERMINISTIC RETURN 4")
        database.sql("CREATE VIEW a_view AS SELECT over_function() AS four, x FROM over_view")


def test_a_restore_takes_the_place_and_undo_gives_it_back(swapping, tmp_path, request):
    good = swapping.content()
    make_set(swapping, tmp_path / "b")
    damage(swapping)
    bad = swapping.content()
    options = {**swapping.options, "root": str(tmp_path / "b"), "app": "shop"}
    done, _ = run_module("db_restore", {**options, "backup": "latest"})
    assert done["kept"] == kept(swapping)[0] and done["in_place"] is None, done
    assert swapping.content() == good
    assert done["safety_backup"]["label"] == "safety" and done["seconds"]["swap"] < done["seconds"]["load"] + 5
    predicted, _ = run_module("db_restore", {**options, "undo": True}, "--check", "--diff")
    assert predicted["restored"] == done["kept"] and "customers: 1 rows" in predicted["diff"]["after"]
    assert swapping.content() == good
    undone, _ = run_module("db_restore", {**options, "undo": True})
    assert undone["changed"] and undone["restored"] == done["kept"], undone
    assert swapping.content() == bad
    assert kept(swapping) == [undone["kept"]]
    undo(engine_of(swapping), tmp_path / "b", "shop")
    assert swapping.content() == good
    left, _ = run_module("db_kept_prune", {**options, "keep_for": "1h"})
    assert not left["changed"] and left["kept"] == kept(swapping), left
    assert scratch_databases(swapping, tmp_path / "b", request) == []


def test_what_is_not_kept_cannot_be_undone(database, tmp_path):
    with pytest.raises(HoldfastError, match="No database is kept that a restore of"):
        undo(engine_of(database), tmp_path / "b", "shop")


@pytest.mark.parametrize("point", RESTORE_POINTS)
def test_a_restore_killed_at_any_step_leaves_one_of_both_and_the_next_one_ends_well(swapping, tmp_path, request, point):
    good = swapping.content()
    made = make_set(swapping, tmp_path / "b")
    damage(swapping)
    bad = swapping.content()
    killed = killed_at(point, lambda: put_back(swapping, tmp_path / "b", made.id, safety=True))
    assert killed or (swapping.engine, point) == ("postgresql", "swap: begun"), "which swaps in one step"
    assert swapping.content() == (bad if killed and point != "swap: done" else good)
    again = put_back(swapping, tmp_path / "b", made.id, safety=True)
    assert swapping.content() == good
    assert again.kept in kept(swapping)
    assert scratch_databases(swapping, tmp_path / "b", request) == []
    assert not list((tmp_path / "b/shop").glob(".*")), "neither a partial set, nor a note, nor a lock"


def readers(database: Database, stop: threading.Event) -> list[Any]:
    """What is read again and again, and once after the end; a lost connection is taken up again."""
    seen: list[Any] = []
    ended = False
    while not ended:
        ended = stop.is_set()
        try:
            seen.append(database.sql("SELECT COUNT(*) FROM names")[0][0])
        except Exception as error:
            seen.append(type(error).__name__)
    return seen


def test_who_reads_meanwhile_sees_the_old_rows_or_the_new_ones(swapping, tmp_path):
    make_set(swapping, tmp_path / "b")
    swapping.sql("DELETE FROM customers WHERE id > 1")
    stop = threading.Event()
    with ThreadPoolExecutor(4) as pool:
        reading = [pool.submit(readers, swapping, stop) for _ in range(4)]
        try:
            put_back(swapping, tmp_path / "b")
        finally:
            stop.set()
        seen = [one for each in reading for one in each.result()]
    assert set(seen) - {"AdminShutdown", "OperationalError"} == {1, 3}
    if swapping.engine == "sqlite":
        assert set(seen) == {1, 3}


def mysql(database: Database, request: pytest.FixtureRequest) -> MariaDB:
    server = request.getfixturevalue("mariadb_server")
    assert isinstance(server, MariaDB)
    return server


def waiting(server: MariaDB) -> list[int]:
    """The sessions that wait for somebody's transaction before they may rename."""
    return [row[0] for row in server.sql("SHOW PROCESSLIST") if "metadata lock" in str(row[6])]


def stuck_restore(database: Database, root: Path, server: MariaDB) -> tuple[Any, Any]:
    """A restore in a process of its own that waits in the middle of its swap, and the session that it waits for."""
    holder = pymysql.connect(unix_socket=str(server.socket), user="root", database=database.login["database"])
    holder.cursor().execute("SELECT * FROM customers")
    child = multiprocessing.get_context("fork").Process(target=lambda: put_back(database, root))
    child.start()
    wait_until(lambda: bool(waiting(server)), "the swap waits")
    return child, holder


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
def test_the_server_ends_a_swap_whose_sender_died(swapping, tmp_path, request):
    server = mysql(swapping, request)
    good = swapping.content()
    make_set(swapping, tmp_path / "b")
    damage(swapping)
    child, holder = stuck_restore(swapping, tmp_path / "b", server)
    child.kill()
    child.join()
    holder.rollback()
    wait_until(lambda: swapping.content() == good, "the server is through")
    assert len(kept(swapping)) == 1
    undo(engine_of(swapping), tmp_path / "b", "shop")
    put_back(swapping, tmp_path / "b")
    assert swapping.content() == good


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
def test_a_swap_that_died_with_its_server_is_undone_by_the_next_run(swapping, tmp_path, request):
    server = mysql(swapping, request)
    make_set(swapping, tmp_path / "b")
    swapping.sql("DELETE FROM customers WHERE id > 1")
    before = swapping.content()
    child, holder = stuck_restore(swapping, tmp_path / "b", server)
    child.kill()
    child.join()
    for session in waiting(server):
        server.sql(f"KILL {session}")
    wait_until(lambda: not waiting(server), "the session is gone")
    holder.rollback()
    assert swapping.content() != before, "its triggers were dropped already"
    make_set(swapping, tmp_path / "b", label="next")
    assert swapping.content() == before
    assert kept(swapping) == []
    assert scratch_databases(swapping, tmp_path / "b", request) == []


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
def test_a_swap_that_the_server_refuses_is_taken_back_and_the_set_loaded_in_place(swapping, tmp_path, request):
    server = mysql(swapping, request)
    good = swapping.content()
    make_set(swapping, tmp_path / "b")
    damage(swapping)
    swapping.sql("DROP VIEW names, over_view, a_view")
    before = swapping.content()
    server.sql(f"REVOKE CREATE VIEW ON `{swapping.login['database']}`.* FROM shop@`%`")
    with pytest.raises(HoldfastError, match=r"CREATE VIEW command denied.*the database is as it was before"):
        put_back(swapping, tmp_path / "b", safety=True)
    assert swapping.content() == before
    assert kept(swapping) == []
    server.sql(f"GRANT CREATE VIEW ON `{swapping.login['database']}`.* TO shop@`%`")
    put_back(swapping, tmp_path / "b")
    assert swapping.content() == good


OBSTACLES = {
    "a sequence": ("CREATE SEQUENCE s", "CREATE TABLE numbered (id INT DEFAULT NEXT VALUE FOR s)"),
    "Foreign keys of other databases": (
        "CREATE TABLE `{other}`.child (id INT REFERENCES `{name}`.customers (id)) ENGINE = InnoDB",
    ),
}


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
@pytest.mark.parametrize("reason", OBSTACLES)
def test_what_cannot_be_swapped_is_recognised_and_loaded_in_place(swapping, tmp_path, request, reason):
    server = mysql(swapping, request)
    other = f"{swapping.login['database']}_other"
    server.sql(f"CREATE DATABASE `{other}`")
    server.sql(f"GRANT SELECT ON `{other}`.* TO shop@`%`")
    for statement in OBSTACLES[reason]:
        server.sql(statement.format(other=other, name=swapping.login["database"]), swapping.login["database"])
    good = swapping.content()
    make_set(swapping, tmp_path / "b")
    swapping.sql("DELETE FROM customers WHERE id > 1")
    done = put_back(swapping, tmp_path / "b")
    server.drop_database(other)
    assert swapping.content() == good
    assert done.kept is None and done.in_place and reason in done.in_place


def test_a_user_without_the_rights_for_a_swap_restores_in_place_and_is_told_what_it_takes(database, tmp_path):
    good = database.content()
    made = make_set(database, tmp_path / "b")
    damage(database)
    done = put_back(database, tmp_path / "b", made.id)
    assert database.content() == good
    if database.engine != "sqlite":
        assert done.kept is None and done.in_place
        assert {"mysql": "GRANT ALL ON", "postgresql": "CREATEDB"}[database.engine] in done.in_place


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_what_belongs_to_a_postgresql_database_stays_with_its_name(swapping, tmp_path, request):
    server = request.getfixturevalue("postgresql_server")
    name = swapping.login["database"]
    for statement in (
        "ALTER DATABASE {0} SET search_path = side, public",
        "ALTER DATABASE {0} SET statement_timeout = '17s'",
        "ALTER DATABASE {0} CONNECTION LIMIT 41",
        "COMMENT ON DATABASE {0} IS 'it''s the shop'",
        "REVOKE CONNECT ON DATABASE {0} FROM PUBLIC",
        "GRANT CONNECT, TEMP ON DATABASE {0} TO shop WITH GRANT OPTION",
        'DO $$ BEGIN CREATE ROLE "odd "" reader"; EXCEPTION WHEN duplicate_object THEN NULL; END $$',
        'GRANT CONNECT ON DATABASE {0} TO "odd "" reader"',
    ):
        server.sql(statement.format(name).replace('\\"', '"'))
    server.sql('GRANT USAGE, CREATE ON SCHEMA public TO "odd "" reader"', name)
    server.sql("REVOKE ALL ON SCHEMA public FROM PUBLIC", name)

    def belongings() -> Any:
        return server.sql(
            "SELECT datacl::text, datconnlimit, datdba::regrole::text, shobj_description(d.oid, 'pg_database'),"
            " (SELECT setconfig::text FROM pg_db_role_setting WHERE setdatabase = d.oid),"
            " (SELECT nspacl::text FROM pg_namespace WHERE nspname = 'public') FROM pg_database d"
            " WHERE datname = current_database()",
            name,
        )

    before = belongings()
    make_set(swapping, tmp_path / "b")
    connected = psycopg.connect(host=str(server.socket), port=server.port, user="postgres", dbname=name)
    done = put_back(swapping, tmp_path / "b")
    assert done.in_place and "postgres stays connected" in done.in_place, "a superuser's session is not sent away"
    connected.close()
    done = put_back(swapping, tmp_path / "b")
    assert done.kept, done.in_place
    assert [sorted(str(one)) for one in belongings()[0]] == [sorted(str(one)) for one in before[0]]
    server.sql(f"ALTER ROLE shop IN DATABASE {name} SET work_mem = '5MB'")
    done = put_back(swapping, tmp_path / "b")
    assert done.in_place and "has settings of its own" in done.in_place
    server.sql(f"ALTER ROLE shop IN DATABASE {name} RESET work_mem")


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
def test_a_dump_made_by_others_that_names_the_live_database_is_loaded_in_place(swapping, tmp_path):
    name = swapping.login["database"]
    path = tmp_path / "theirs.sql"
    path.write_text(f"USE `{name}`;\nCREATE TABLE theirs (x INT);\nINSERT INTO `{name}`.theirs VALUES (7);\n")
    done = put_back(swapping, tmp_path / "b", str(path))
    assert done.in_place == "A dump made by others can name databases by itself."
    assert swapping.sql("SHOW TABLES") == [("theirs",)]
    assert kept(swapping) == []
