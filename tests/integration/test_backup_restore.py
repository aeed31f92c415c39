"""What is backed up comes back, and nothing that goes wrong loses a row or leaves a trace."""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.create import (
    Plan,
    create_set,
    create_set_locked,
)
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.lock import only_one
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.restore import find_source, restore
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.backup.sets import BackupSet, list_sets
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.engines import Engine
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.errors import HoldfastError, Locked
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.options import LOGIN_OPTIONS, engine_from

from support.databases import ODD_TEXT, Database

DAMAGE = {
    "sqlite": ["DELETE FROM customers WHERE id > 1", "DROP TABLE computed", "CREATE TABLE left_over (x INTEGER)"],
    "mysql": [
        "DELETE FROM customers WHERE id > 1",
        "DROP TABLE computed",
        "DROP PROCEDURE greet",
        "CREATE TABLE left_over (x INTEGER, FOREIGN KEY (x) REFERENCES customers (id))",
        "CREATE VIEW over_view AS SELECT 1",
        "CREATE FUNCTION over_function() RETURNS INT DETERMINISTIC RETURN 4",
    ],
    "postgresql": [
        "DELETE FROM customers WHERE id > 1",
        "DROP TABLE computed",
        "DROP FUNCTION greet",
        "CREATE TABLE left_over (x INTEGER REFERENCES customers (id))",
        "CREATE TYPE over_type AS ENUM ('x')",
        "CREATE SCHEMA over_schema",
        "CREATE FUNCTION over_function(left_over) RETURNS INT LANGUAGE sql AS 'SELECT 4'",
    ],
}
TOOLS = {"mysql": "mariadb-dump", "postgresql": "pg_dump"}


def engine_of(live: Database, **changes: object) -> Engine:
    params = {name: spec.get("default") for name, spec in LOGIN_OPTIONS.items()}
    return engine_from({**params, **live.options, **changes})


def back_up(database: Database, root: Path, **plan: object) -> BackupSet:
    return create_set(engine_of(database), Plan(root, "shop", **plan))


def put_back(database: Database, root: Path, name: str = "latest", *, safety: bool = True, verify: str = "archive"):
    engine = engine_of(database)
    plan = Plan(root, "shop", "safety") if safety else None
    return restore(engine, find_source(root, "shop", name, engine), verify=verify, safety=plan)


def damage(database: Database) -> None:
    for statement in DAMAGE[database.engine]:
        database.sql(statement)


def nothing_left(root: Path) -> bool:
    """Whether no set, whole or partial, is in the root."""
    return not [path for path in root.rglob("*") if path.is_file()] and not list(root.glob("shop/.partial*"))


@pytest.mark.parametrize("compression", ["zstd", "gzip", "none"])
def test_everything_comes_back(database, tmp_path, compression):
    before = database.content()
    made = back_up(database, tmp_path / "b", compression=compression)
    damage(database)
    assert database.content() != before
    put_back(database, tmp_path / "b", made.id)
    assert database.content() == before
    names = [row[0] for row in database.sql("SELECT name FROM customers ORDER BY id")]
    assert names == ["Ada", ODD_TEXT, ""]


def test_a_set_says_what_it_holds_and_is_private(database, tmp_path):
    made = back_up(database, tmp_path / "b")
    summary = made.summary()
    rows = {name.removeprefix("public."): count for name, count in summary["tables"].items()}
    assert rows["customers"] == 3 and rows["empty_one"] == 0 and rows["computed"] == 1
    assert summary["verified"] == "archive" and summary["consistent"] and summary["position"]
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.path.iterdir()} == {0o600}
    assert {path.name for path in made.path.iterdir()} == {made.data_file().name, "manifest.json", "verified.json"}


def test_the_position_moves_with_every_write_and_not_without(database, tmp_path):
    made = back_up(database, tmp_path / "b")
    engine = engine_of(database)
    assert engine.unchanged(made.manifest.position, engine.inspect().position)
    database.sql("UPDATE customers SET name = 'Eve' WHERE id = 1")
    assert not engine.unchanged(made.manifest.position, engine.inspect().position)


@pytest.mark.parametrize("harm", ["truncated", "flipped", "missing"])
@pytest.mark.parametrize("verify", ["checksum", "archive"])
def test_a_damaged_set_is_refused_and_the_database_untouched(database, tmp_path, harm, verify):
    made = back_up(database, tmp_path / "b")
    data = made.data_file()
    content = data.read_bytes()
    if harm == "truncated":
        data.write_bytes(content[:-7])
    elif harm == "flipped":
        data.write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])
    else:
        data.unlink()
    before = database.content()
    with pytest.raises(HoldfastError, match=f"{made.id} is damaged"):
        put_back(database, tmp_path / "b", made.id, verify=verify)
    assert database.content() == before
    assert [one.id for one in list_sets(tmp_path / "b", "shop")[0]] == [made.id], "no safety backup was needed"


@pytest.mark.parametrize("database", list(TOOLS), indirect=True)
def test_a_dump_tool_that_is_killed_leaves_no_set(database, tmp_path, monkeypatch):
    real = shutil.which(TOOLS[database.engine])
    fakes = tmp_path / "bin"
    fakes.mkdir()
    fake = fakes / TOOLS[database.engine]
    fake.write_text(
        f'#!/bin/bash\n[ "$1" = --version ] && exec {real} --version\n{real} "$@" | head -c 700\nkill -9 $$\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fakes}:{os.environ['PATH']}")
    before = database.content()
    with pytest.raises(HoldfastError, match=f"{TOOLS[database.engine]} (was killed by signal 9|ended with status)"):
        back_up(database, tmp_path / "b")
    assert nothing_left(tmp_path / "b")
    assert database.content() == before


def test_a_packer_that_dies_leaves_no_set(database, tmp_path, monkeypatch):
    fakes = tmp_path / "bin"
    fakes.mkdir()
    (fakes / "zstd").write_text("#!/bin/bash\nhead -c 100\necho 'no memory left' >&2\nexit 3\n")
    (fakes / "zstd").chmod(0o755)
    monkeypatch.setenv("PATH", f"{fakes}:{os.environ['PATH']}")
    with pytest.raises(HoldfastError, match="no memory left"):
        back_up(database, tmp_path / "b")
    assert nothing_left(tmp_path / "b")


def test_a_full_disk_is_told_and_leaves_no_set(database, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], check=True)
    try:
        filler = os.urandom(200_000).hex()
        for start in range(0, 100_000, 190):
            database.sql(f"INSERT INTO customers (id, name) VALUES ({start + 10}, '{filler[start : start + 190]}')")
        with pytest.raises(HoldfastError, match=r"No space left on device|disk is full"):
            back_up(database, small / "b")
        assert nothing_left(small / "b")
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_missing_tool_is_named_with_its_package_before_anything_is_touched(database, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HoldfastError, match="Install the package zstd"):
        back_up(database, tmp_path / "b")
    with pytest.raises(HoldfastError, match="Install the package gzip"):
        back_up(database, tmp_path / "b", compression="gzip")
    if database.engine != "sqlite":
        with pytest.raises(HoldfastError, match=r"Install the package (mariadb|postgresql)-client"):
            back_up(database, tmp_path / "b", compression="none")
    assert not (tmp_path / "b").exists()


def test_an_unusable_root_is_told_before_anything_is_touched(database, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(HoldfastError, match="is not a folder this user may write to"):
        back_up(database, tmp_path / "file" / "b")
    with pytest.raises(HoldfastError, match="not an absolute path"):
        back_up(database, Path("relative"))


@pytest.mark.parametrize("name", ["a; rm -rf", "../x", "quo'te", "ünicode", "x" * 65, "", ".."])
def test_hostile_names_are_refused(database, tmp_path, name):
    with pytest.raises(HoldfastError, match="cannot be used"):
        create_set(engine_of(database), Plan(tmp_path / "b", name))
    with pytest.raises(HoldfastError, match="cannot be used"):
        back_up(database, tmp_path / "b", label=name)
    assert not (tmp_path / "b").exists()


def test_a_wrong_password_is_told_without_showing_it(database, tmp_path):
    if database.engine == "sqlite":
        missing = engine_of(database, database=str(tmp_path / "none.sqlite"))
        with pytest.raises(HoldfastError, match="There is no SQLite database at"):
            create_set(missing, Plan(tmp_path / "b", "shop"))
        return
    wrong = engine_of(database, login_password="Wr0ng-but-secret")
    with pytest.raises(HoldfastError, match="Cannot reach the database") as told:
        create_set(wrong, Plan(tmp_path / "b", "shop"))
    assert "Wr0ng" not in str(told.value)
    assert not (tmp_path / "b").exists()


SCRIPT = "CREATE TABLE foreign_table (x INTEGER);\nINSERT INTO foreign_table VALUES (7);\n"


@pytest.mark.parametrize("packing", [".sql", ".sql.gz", ".sql.zst"])
def test_a_dump_made_by_others_is_restored(database, tmp_path, packing):
    path = tmp_path / f"theirs{packing}"
    text = SCRIPT.encode()
    if packing == ".sql.zst":
        text = subprocess.run(["zstd", "-c"], input=text, capture_output=True, check=True).stdout
    path.write_bytes(gzip.compress(text) if packing == ".sql.gz" else text)
    done = put_back(database, tmp_path / "b", str(path))
    assert [tuple(row) for row in database.sql("SELECT x FROM foreign_table")] == [(7,)]
    put_back(database, tmp_path / "b", done.safety.id)
    assert "foreign_table" not in str(database.content())


def test_a_restore_that_fails_puts_everything_back_and_says_so(database, tmp_path):
    path = tmp_path / "broken.sql"
    path.write_text(SCRIPT + "INSERT INTO no_such_table VALUES (1);\nINSERT INTO foreign_table VALUES (8);\n")
    before = database.content()
    with pytest.raises(HoldfastError, match="the database is as it was before"):
        put_back(database, tmp_path / "b", str(path))
    assert database.content() == before


def test_a_truncated_foreign_file_is_refused(database, tmp_path):
    path = tmp_path / "theirs.sql.gz"
    path.write_bytes(gzip.compress(SCRIPT.encode() * 1000)[:-20])
    before = database.content()
    with pytest.raises(HoldfastError, match="does not decompress to its end"):
        put_back(database, tmp_path / "b", str(path))
    assert database.content() == before


def test_what_is_not_there_lists_what_is(database, tmp_path):
    made = back_up(database, tmp_path / "b")
    with pytest.raises(HoldfastError, match=f"There are: {made.id}"):
        put_back(database, tmp_path / "b", "20200101T000000.000000Z-x-aaaaaa")


def test_latest_passes_over_safety_backups(database, tmp_path):
    before = database.content()
    made = back_up(database, tmp_path / "b")
    damage(database)
    put_back(database, tmp_path / "b")
    assert put_back(database, tmp_path / "b").backup.id == made.id
    assert database.content() == before


def test_a_partial_set_of_a_killed_run_is_cleared_away(database, tmp_path):
    partial = tmp_path / "b" / "shop" / ".partial-20260101T000000.000000Z-x-aaaaaa"
    partial.mkdir(parents=True)
    (partial / "lock").touch()
    (partial / "database.sql.zst").write_bytes(b"half")
    back_up(database, tmp_path / "b")
    assert not partial.exists()
    assert len(list((tmp_path / "b" / "shop").iterdir())) == 1


def test_two_at_once_on_one_database_wait_for_each_other(database, tmp_path):
    engine = engine_of(database)
    with ThreadPoolExecutor(1) as pool, only_one(engine, tmp_path / "b", "shop", "the backup 'nightly'", 0):
        told = pytest.raises(Locked, match=r"the backup 'nightly' \(process \d+, since .*\) is at work on the database")
        with told, only_one(engine, tmp_path / "b", "shop", "another", 0):
            pytest.fail("it was let in")
        waiting = pool.submit(back_up, database, tmp_path / "b")
        made = create_set_locked(engine, Plan(tmp_path / "b", "shop"))
    assert waiting.result().id > made.id, "the other one waited"
    assert not list((tmp_path / "b/shop").glob(".*"))
