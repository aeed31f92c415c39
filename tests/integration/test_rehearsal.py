"""A rehearsed set was restored and compared; what restores to something else is found, and no database stays behind."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.sets import read_set
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.verify import verify_set
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.faults import POINTS

from support.databases import PASSWORD, Database
from support.killed import killed_at
from support.playbook import run_module
from support.sets import engine_of, forge, make_set, scratch_databases

ADMIN = "Rehears3-admin-pass"


def run(module: str, database: Database, root: Path, *extra: str, **options: Any) -> dict[str, Any]:
    return run_module(module, {**database.options, "root": str(root), "app": "shop", **options}, *extra)[0]


def with_numbers(database: Database) -> None:
    """A table that numbers its rows, and has lost the last of them."""
    kinds = {
        "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT",
        "mysql": "INT AUTO_INCREMENT PRIMARY KEY",
        "postgresql": "SERIAL PRIMARY KEY",
    }
    database.sql(f"CREATE TABLE numbered (id {kinds[database.engine]}, x INTEGER)")
    database.sql("INSERT INTO numbered (x) VALUES (1), (2), (3)")
    database.sql("DELETE FROM numbered WHERE x = 3")


def test_a_rehearsed_backup_says_how_long_a_restore_takes(able, tmp_path, request):
    with_numbers(able)
    before = able.content()
    made = run("db_backup", able, tmp_path / "b", verify="rehearse")
    assert "backup_set" in made, made
    found = made["backup_set"]["verification"]
    assert made["backup_set"]["verified"] == found["level"] == "rehearse"
    assert 0 < found["restore_seconds"] < found["seconds"]
    listed = run_module("db_backup_info", {"root": str(tmp_path / "b"), "app": "shop"})[0]
    assert listed["backup_sets"][0]["verification"] == found
    assert scratch_databases(able, tmp_path / "b", request) == []
    assert able.content() == before

    run("db_restore", able, tmp_path / "b", backup="latest", verify="checksum", verify_only=True)
    listed = run_module("db_backup_info", {"root": str(tmp_path / "b"), "app": "shop"})[0]
    assert listed["backup_sets"][0]["verified"] == "rehearse", "a lesser look does not lessen it"


FORGERIES = {
    "mysql": [
        (b"AUTO_INCREMENT=4", b"AUTO_INCREMENT=9", "numbers of `numbered` go on with 9 instead of 4"),
        (b"(2,2)", b"(2,7)", "table numbered has the right number of rows (2) but not the same content"),
        (b"-- Dump completed", b"SELECT nonsense;\n-- Dump completed", "cannot be restored"),
    ],
    "postgresql": [
        (b"_id_seq', 3, true", b"_id_seq', 7, true", "go on with 7, true instead of 3, true"),
        (b"2\t2\n", b"2\t7\n", "table public.numbered has the right number of rows (2) but not the same content"),
        (
            b"-- PostgreSQL database dump complete",
            b"SELECT nonsense;\n-- PostgreSQL database dump complete",
            "cannot be",
        ),
    ],
    "sqlite": [(b"SQLite format 3", b"SQLite format 4", "is not an SQLite database")],
}


@pytest.mark.parametrize("number", range(3))
def test_what_restores_to_something_else_is_found(able, tmp_path, request, number):
    if number >= len(FORGERIES[able.engine]):
        return
    old, new, said = FORGERIES[able.engine][number]
    with_numbers(able)
    made = run("db_backup", able, tmp_path / "b", compression="gzip")["backup_set"]
    forge(read_set(Path(made["path"])), old, new)
    before = able.content()
    found = run("db_restore", able, tmp_path / "b", backup=made["id"], verify="rehearse", verify_only=True)
    assert found.get("failed") and said in found["msg"], found
    assert scratch_databases(able, tmp_path / "b", request) == []
    assert able.content() == before


def test_a_login_that_may_not_rehearse_is_told_what_it_needs(database, tmp_path):
    if database.engine == "sqlite":
        (tmp_path / "b" / "shop").mkdir(parents=True)
    found = run("db_backup", database, tmp_path / "b", verify="rehearse")
    if database.engine == "sqlite":
        assert not found.get("failed"), "a file needs no rights"
        return
    assert found["failed"] and "A rehearsal needs a database of its own" in found["msg"], found
    assert not [path for path in (tmp_path / "b").rglob("*") if path.is_file()], "no set, no note"


@pytest.mark.parametrize("database", ["mysql", "postgresql"], indirect=True)
def test_a_rehearsal_by_another_login(database, tmp_path, request):
    user = f"admin_{secrets.token_hex(3)}"
    if database.engine == "mysql":
        server = request.getfixturevalue("mariadb_server")
        server.sql(f"CREATE USER {user} IDENTIFIED BY '{ADMIN}'")
        server.sql(f"GRANT ALL ON `holdfast\\_scratch\\_%`.* TO {user}")
    else:
        request.getfixturevalue("postgresql_server").sql(f"CREATE ROLE {user} LOGIN CREATEDB PASSWORD '{ADMIN}'")
    login = {"rehearse_login_host": "127.0.0.1", "rehearse_login_port": database.login["login_port"]}
    login |= {"rehearse_login_user": user, "rehearse_login_password": ADMIN}
    answer, shown = run_module(
        "db_backup",
        {**database.options, "root": str(tmp_path / "b"), "app": "shop", "verify": "rehearse", **login},
        "-vvv",
    )
    assert answer["backup_set"]["verified"] == "rehearse", answer
    assert ADMIN not in shown and PASSWORD not in shown
    assert scratch_databases(database, tmp_path / "b", request) == []


@pytest.mark.parametrize("point", [point for point in POINTS if point.startswith("rehearsal:")])
def test_what_a_killed_rehearsal_left_is_removed_by_the_next(able, tmp_path, request, point):
    made = make_set(able, tmp_path / "b")
    before = able.content()
    assert killed_at(point, lambda: verify_set(made, engine_of(able), "rehearse"))
    assert scratch_databases(able, tmp_path / "b", request) != []
    run("db_restore", able, tmp_path / "b", backup=made.id, verify="rehearse", verify_only=True)
    assert scratch_databases(able, tmp_path / "b", request) == []
    assert able.content() == before


def test_what_a_killed_rehearsal_left_is_removed_by_a_mere_backup_as_well(able, tmp_path, request):
    made = make_set(able, tmp_path / "b")
    assert killed_at("rehearsal: loaded", lambda: verify_set(made, engine_of(able), "rehearse"))
    make_set(able, tmp_path / "b")
    assert scratch_databases(able, tmp_path / "b", request) == []
