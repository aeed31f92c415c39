"""Health checks of SQLite files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.checks import ask


@pytest.fixture
def file(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A check of a file with some pages."""
    path = tmp_path / "app.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, text TEXT)")
        connection.executemany("INSERT INTO orders (text) VALUES (?)", [("x" * 500,)] * 200)
        connection.commit()
    yield {"type": "sqlite", "database": str(path)}


def test_it_tells_its_version_and_journal_mode(file):
    seen = ask(**file)
    assert seen.status == "pass"
    assert seen.output == f"SQLite {sqlite3.sqlite_version}; journal mode delete"
    assert "wal_mb" not in seen.values, "there is no such log"


def test_a_query_may_be_put_too(file):
    query = "SELECT COUNT(*) FROM orders"
    assert ask(**file, query=query, expect=200).status == "pass"
    assert "expected the query to give 5, got 200; SQLite" in ask(**file, query=query, expect=5).output
    assert "no such table" in ask(**file, query="SELECT * FROM nowhere").output


def test_a_log_that_grows_is_measured_through_a_link_too(file, tmp_path):
    link = tmp_path / "link.sqlite"
    link.symlink_to(file["database"])
    with closing(sqlite3.connect(file["database"])) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("UPDATE orders SET text = ?", ("y" * 10000,))
        connection.commit()
        for path in (file["database"], str(link)):
            seen = ask(**{**file, "database": path}, warn={"wal_mb": 1})
            assert seen.status == "warn" and 1.5 < seen.values["wal_mb"] < 4
            assert "journal mode wal" in seen.output
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert ask(**file).values["wal_mb"] == 0


def test_damage_is_found_where_it_is_looked_for(file):
    path = Path(file["database"])
    assert ask(**file, integrity=True).status == "pass"
    with path.open("r+b") as content:
        content.seek(5 * 4096)
        content.write(b"\xff" * 4096)
    assert ask(**file).status == "pass", "nobody read that page"
    seen = ask(**file, integrity=True)
    assert (seen.status, seen.verdict) == ("fail", "damaged")
    assert "the file is damaged: " in seen.output and "Page 6" in seen.output


def test_a_file_that_is_no_database_is_told(file):
    Path(file["database"]).write_text("<html>" * 1000)
    seen = ask(**file)
    assert seen.status == "fail" and "file is not a database" in seen.output


def test_a_missing_file_is_not_made(tmp_path):
    path = tmp_path / "none.sqlite"
    for write in (False, True):
        assert f"there is no file {path}" in ask(type="sqlite", database=str(path), write=write).output
    assert not path.exists()


def test_a_locked_file_is_told_in_time(file):
    with closing(sqlite3.connect(file["database"])) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        seen = ask(**file, timeout=0.3)
        assert seen.status == "fail"
        assert "stayed locked for 0.3 s; by which program, SQLite does not tell" in seen.output
        connection.rollback()
    assert ask(**file).status == "pass"
