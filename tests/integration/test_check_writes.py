"""Health checks that write a row: in every engine, and where it cannot be done."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.parse import parse
from ansible_collections.holdfast.deploy.plugins.module_utils.holdfast.probe.run import run_round

from support.checks import ask
from support.databases import Database

AT_ONCE = 12


def check(database: Database, **options: Any) -> dict[str, Any]:
    return {"type": database.engine, **database.login, "write": True, **options}


def test_one_row_for_each_host_stays_whoever_writes_at_once(database):
    """Also when the table is made by all of them at once, and where transactions are serializable by default."""
    if database.engine == "postgresql":
        database.sql(f"ALTER DATABASE {database.login['database']} SET default_transaction_isolation = 'serializable'")
    tokens = set()
    for _ in range(3):
        checks = parse([check(database, name=str(number), timeout=20) for number in range(AT_ONCE)])
        results = run_round(checks)
        assert [one.output for one in results if one.status != "pass"] == []
        assert all(one.values["write_ms"] > 0 for one in results)
        ((token,),) = database.sql("SELECT token FROM holdfast_probe")
        tokens.add(token)
        database.sql("DROP TABLE holdfast_probe")
    assert len(tokens) == 3, "the value is another one each time"


def test_the_row_of_another_host_stays(database):
    assert ask(**check(database)).status == "pass"
    database.sql("UPDATE holdfast_probe SET host = 'another', token = 'its own'")
    assert ask(**check(database)).status == "pass"
    assert ask(**check(database)).status == "pass"
    assert len(database.sql("SELECT host FROM holdfast_probe")) == 2
    assert list(database.sql("SELECT token FROM holdfast_probe WHERE host = 'another'")) == [("its own",)]


def test_a_dry_run_writes_nothing(database):
    (written,) = run_round(parse([check(database)]), dry_run=True)
    assert written.status == "pass" and "not run in check mode" in written.output
    (read,) = run_round(
        parse([check(database, write=False, query="SELECT COUNT(*) FROM customers", expect=4)]), dry_run=True
    )
    assert read.status == "fail" and "expected the query to give 4, got 3" in read.output, "it is run"
    assert ask(**check(database, write=False, query="SELECT COUNT(*) FROM holdfast_probe")).status == "fail"


def test_a_row_that_somebody_holds_is_told_in_time(database, request):
    assert ask(**check(database)).status == "pass"
    with holding(database, request):
        seen = ask(**check(database, timeout=0.7))
    assert seen.status == "fail"
    assert "a row cannot be written" in seen.output or "a row was not written within 0.7 s" in seen.output
    assert len(seen.values) > 1, "what was measured before is not lost"
    assert ask(**check(database)).status == "pass"


@contextlib.contextmanager
def holding(database: Database, request: pytest.FixtureRequest) -> Iterator[None]:
    """A transaction that has changed the rows and does not end."""
    if database.engine == "sqlite":
        connection: Any = sqlite3.connect(database.login["database"])
    elif database.engine == "mysql":
        import pymysql

        server = request.getfixturevalue("mariadb_server")
        connection = pymysql.connect(unix_socket=str(server.socket), user="root", database=database.login["database"])
    else:
        import psycopg

        server = request.getfixturevalue("postgresql_server")
        where = {"host": str(server.socket), "port": server.port}
        connection = psycopg.connect(user="postgres", dbname=database.login["database"], **where)
    with contextlib.closing(connection):
        connection.cursor().execute("UPDATE holdfast_probe SET token = 'held'")
        yield
        connection.rollback()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)], check=True)
    try:
        yield small
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_file_that_cannot_be_written_is_told(disk):
    path = disk / "app.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    file = {"type": "sqlite", "database": str(path)}
    (disk / "filler").write_bytes(bytes(240 << 10))
    seen = ask(**file, write=True)
    assert seen.status == "fail"
    assert "a row cannot be written" in seen.output and "full" in seen.output
    (disk / "filler").unlink()
    assert ask(**file, write=True).status == "pass"

    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    assert ask(**file).status == "pass"
    seen = ask(**file, write=True)
    assert seen.status == "fail"
    assert "a row cannot be written" in seen.output and "readonly" in seen.output


@pytest.fixture
def reader(database: Database, request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """The login of a user who may only read, on a server."""
    name = database.login["database"]
    if database.engine == "mysql":
        server = request.getfixturevalue("mariadb_server")
        server.sql("CREATE USER reader IDENTIFIED BY 'pw'")
        server.sql(f"GRANT SELECT ON `{name}`.* TO reader")
    else:
        server = request.getfixturevalue("postgresql_server")
        server.sql("CREATE ROLE reader LOGIN PASSWORD 'pw'")
    yield {**database.login, "login_user": "reader", "login_password": "pw"}
    server.sql("DROP USER reader")


@pytest.mark.parametrize("database", ["mysql", "postgresql"], indirect=True)
def test_who_may_not_make_the_table_is_told(database, reader):
    seen = ask(type=database.engine, write=True, **reader)
    assert seen.status == "fail"
    assert "CREATE command denied" in seen.output or "permission denied for schema public" in seen.output
