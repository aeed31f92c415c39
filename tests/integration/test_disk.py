"""A full disk is told, undone and leaves nothing behind; what a first deploy needs is made."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.plain import PlainApp


@pytest.fixture
def app(tmp_path: Path) -> Iterator[PlainApp]:
    """An application that is live on a disk of 2 MiB."""
    made = PlainApp.make(tmp_path)
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)], check=True)
    try:
        app = PlainApp(made.source, small)
        shutil.copy(made.database, app.database)
        ended = app.deploy()
        assert ended.rc == 0, ended.output
        yield app
    finally:
        subprocess.run(["umount", str(small)], check=True)


def assert_as_before(app: PlainApp) -> None:
    assert app.live == "1"
    assert app.rows == ["kept"]
    assert len(app.releases) == 1
    assert not (app.path / ".holdfast/journal.json").exists(), "it is closed"


def test_a_release_that_does_not_fit(app):
    app.version("2")
    (app.source / "big").write_bytes(os.urandom(5 << 20))
    ended = app.deploy()
    assert ended.rc != 0
    assert re.search("./big: (Cannot write: No space left on device|Wrote only)", ended.last()), ended.output
    assert "nothing that is live was touched" in ended.last()
    assert_as_before(app)


def test_a_release_that_fills_the_disk_once_it_is_live(app):
    app.version("2", healthy=False)
    ended = app.deploy(deploy_activated_commands=["sh -c 'head -c 9M /dev/zero > filler || true'"])
    assert ended.rc != 0
    assert "FAILED at Health" in ended.last(), ended.output
    assert "UNDO FAILED" not in ended.last(), ended.output
    assert_as_before(app)


def test_an_sqlite_file_that_is_shared_by_itself_is_made(tmp_path):
    app = PlainApp.make(tmp_path)
    app.version("1", migration="CREATE TABLE t (x TEXT); INSERT INTO t VALUES ('new');")
    database = app.path / "shared/data/app.sqlite"
    variables = {
        "deploy_shared_files": ["data/app.sqlite"],
        "deploy_db_database": str(database),
        "deploy_migrate_command": "sqlite3 -bail data/app.sqlite '.read migration.sql'",
    }
    predicted = app.deploy("--check", **variables)
    assert predicted.rc == 0, predicted.output
    assert not database.parent.exists()
    ended = app.deploy(**variables)
    assert ended.rc == 0, ended.output
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT x FROM t").fetchall() == [("new",)]
