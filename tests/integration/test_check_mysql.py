"""Health checks of a MariaDB server and of its replica."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from support.checks import answer, ask
from support.mariadb import MariaDB, replica
from support.processes import wait_until

PASSWORD = "k3eps secrets"
CONNECTIONS = 10


def login(server: MariaDB, **options: Any) -> dict[str, Any]:
    """A check as the application's user."""
    return {
        "type": "mysql", "database": "probed", "login_host": "127.0.0.1", "login_port": server.port,
        "login_user": "probed", "login_password": PASSWORD, **options,
    }  # fmt: skip


def as_root(server: MariaDB, **options: Any) -> dict[str, Any]:
    """A check that may see everything."""
    return {
        "type": "mysql", "database": "probed", "login_unix_socket": str(server.socket), "login_user": "root", **options
    }  # fmt: skip


@pytest.fixture(scope="module")
def primary(mariadb_server: MariaDB) -> Iterator[MariaDB]:
    mariadb_server.create_database("probed", "probed", PASSWORD)
    yield mariadb_server
    mariadb_server.drop_database("probed")
    mariadb_server.sql("DROP USER `probed`@`%`")


@pytest.fixture(scope="module")
def second(primary: MariaDB, server_folder: Path) -> Iterator[MariaDB]:
    folder = server_folder / "mariadb-replica"
    folder.mkdir()
    with replica(folder, primary, f"--max-connections={CONNECTIONS}") as server:
        server.create_database("probed", "probed", PASSWORD)
        yield server


@pytest.fixture
def follower(second: MariaDB) -> Iterator[MariaDB]:
    """The replica; whatever a test does to it, it replicates again afterwards."""
    yield second
    second.sql("STOP SLAVE")
    second.sql("SET GLOBAL sql_slave_skip_counter = 0")
    second.sql("CHANGE MASTER TO MASTER_DELAY = 0")
    second.sql("START SLAVE")
    wait_until(lambda: ask(**as_root(second, replica=True)).status == "pass", "it replicates again")


@contextlib.contextmanager
def connections(server: MariaDB, count: int) -> Iterator[list[pymysql.Connection[Any]]]:
    """So many connections of the application."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(
                contextlib.closing(pymysql.connect(unix_socket=str(server.socket), user="probed", password=PASSWORD))
            )
            for _ in range(count)
        ]


def test_it_tells_its_version_and_connections(primary):
    seen = ask(**login(primary))
    assert seen.status == "pass"
    assert re.search(r"MariaDB 10\.\d+\.\d+; \d+ of 151 connections", seen.output)
    assert 0 < seen.values["connections_percent"] < 80
    assert "replication_lag_s" not in seen.values, "it is no replica"


def test_a_query_may_be_put_too(primary):
    assert ask(**login(primary, query="SELECT 2", expect="2")).status == "pass"
    wrong = ask(**login(primary, query="SELECT 2", expect="3"))
    assert (wrong.status, "connections_percent" in wrong.values) == ("fail", True)
    assert "expected the query to give '3', got 2; MariaDB" in wrong.output
    primary.sql("CREATE TABLE IF NOT EXISTS probed.kept (x INT)")
    for query in ("DROP TABLE kept", "INSERT INTO kept VALUES (1)", "ALTER TABLE kept ADD y INT", "TRUNCATE kept"):
        assert "READ ONLY transaction" in ask(**login(primary, query=query)).output


@pytest.mark.parametrize(
    ("options", "said", "outage"),
    [
        ({"login_password": "wrong"}, "the database probed refused: Access denied for user 'probed'", False),
        ({"database": "no_such"}, "the database no_such refused: Access denied", False),
        ({"login_port": 1}, "no answer from the database server at 127.0.0.1: Connection refused", True),
        ({"login_unix_socket": "/no/sock"}, "no answer from the database server at /no/sock: Can't connect", True),
    ],
)
def test_who_is_refused_is_told_why(primary, options, said, outage):
    seen = answer(**login(primary, **options))
    assert seen.status == "fail" and said in seen.output
    assert seen.outage is outage, "an older answer may stand in only where nobody answers"


def test_a_missing_right_is_named_with_the_grant_that_it_takes(primary, follower):
    seen = ask(**login(primary))
    assert "longest_transaction_s" not in seen.values
    (grant,) = re.findall("GRANT .*", seen.output)
    primary.sql(grant)
    assert "longest_transaction_s" in ask(**login(primary)).values
    primary.sql("REVOKE PROCESS ON *.* FROM `probed`@`%`")

    assert ask(**login(follower)).status == "pass", "nobody asked for a replica"
    seen = ask(**login(follower, replica=True))
    assert seen.status == "fail"
    (grant,) = re.findall("the user may not see how it replicates, that takes: (GRANT .*?);", seen.output)
    follower.sql(grant)
    assert ask(**login(follower, replica=True)).status == "pass"
    follower.sql("REVOKE SLAVE MONITOR ON *.* FROM `probed`@`%`")


def test_the_grant_is_right_for_a_user_with_an_odd_name(primary):
    primary.sql("CREATE OR REPLACE USER `o'b``r @ü`@`%` IDENTIFIED BY 'odd-s3cret'")
    primary.sql("GRANT SELECT ON probed.* TO `o'b``r @ü`@`%`")
    check = login(primary, login_user="o'b`r @ü", login_password="odd-s3cret")
    (grant,) = re.findall("GRANT .*", ask(**check).output)
    primary.sql(grant)
    assert "longest_transaction_s" in ask(**check).values
    primary.sql("DROP USER `o'b``r @ü`@`%`")


def test_a_long_transaction_is_seen(primary):
    with connections(primary, 1) as (busy,), busy.cursor() as cursor:
        cursor.execute("CREATE OR REPLACE TABLE probed.held (x INT) ENGINE=InnoDB")
        cursor.execute("INSERT INTO probed.held VALUES (1)")
        limits = {"warn": {"longest_transaction_s": 1}}

        def warns() -> bool:
            # InnoDB makes its table of transactions anew only when nobody has read it for 0.1 s (trx0i_s.cc).
            time.sleep(0.2)
            return ask(**as_root(primary, **limits)).status == "warn"

        wait_until(warns, "its age is seen")


def test_a_server_that_runs_out_of_connections_warns_and_then_fails(follower):
    others = int(follower.sql("SHOW GLOBAL STATUS LIKE 'Threads_connected'")[0][1]) - 1
    with connections(follower, CONNECTIONS - 2 - others):
        seen = ask(**login(follower))
        assert (seen.status, seen.values["connections_percent"]) == ("warn", 90)
        assert "connections_percent is 90 %, the limit is 80" in seen.output
        with connections(follower, 1):
            assert ask(**login(follower)).status == "fail"
            with connections(follower, 1):
                assert "Too many connections" in ask(**login(follower)).output


def test_a_replica_tells_its_lag(primary, follower):
    wait_until(lambda: ask(**as_root(follower, replica=True)).values.get("replication_lag_s") == 0, "it is level")
    follower.sql("STOP SLAVE")
    follower.sql("CHANGE MASTER TO MASTER_DELAY = 30")
    follower.sql("START SLAVE")
    primary.sql("CREATE OR REPLACE TABLE probed.late (x INT)")
    limits = {"warn": {"replication_lag_s": 1}}
    wait_until(lambda: ask(**as_root(follower, **limits)).status == "warn", "the lag is seen")


def test_a_server_that_does_not_replicate_is_no_replica(primary):
    seen = ask(**as_root(primary, replica=True))
    assert (seen.status, seen.verdict) == ("fail", "not_replicating")
    assert "expected a replica, but the server replicates from nowhere" in seen.output


def test_a_stopped_replica_fails_where_one_is_wanted(follower):
    follower.sql("STOP SLAVE SQL_THREAD")
    seen = ask(**as_root(follower, replica=True))
    assert (seen.status, seen.verdict) == ("fail", "not_replicating")
    assert "replication from 127.0.0.1 has stopped: its SQL thread is No" in seen.output
    assert "replication_lag_s" not in seen.values
    seen = ask(**as_root(follower))
    assert seen.status == "pass" and "has stopped" in seen.output


def test_a_broken_replica_tells_its_error_without_the_statement(primary, follower):
    follower.sql("CREATE USER twice")
    primary.sql("CREATE USER twice IDENTIFIED BY 'not for everybody'")
    wait_until(lambda: ask(**as_root(follower, replica=True)).status == "fail", "replication breaks")
    for options, status in (({"replica": True}, "fail"), ({}, "warn")):
        seen = ask(**as_root(follower, **options))
        assert seen.status == status
        assert "Operation CREATE USER failed for 'twice'" in seen.output
        assert "everybody" not in seen.output and "Query" not in seen.output
    follower.sql("SET GLOBAL sql_slave_skip_counter = 1")
    follower.sql("START SLAVE")
    primary.sql("DROP USER twice")


def test_a_replica_that_cannot_reach_its_source_tells_why(primary, follower):
    primary.sql("ALTER USER replicator IDENTIFIED BY 'another'")
    follower.sql("STOP SLAVE")
    follower.sql("START SLAVE")
    try:
        wait_until(lambda: "Access denied" in ask(**as_root(follower, replica=True)).output, "its error is seen")
    finally:
        primary.sql("ALTER USER replicator IDENTIFIED BY 'replicates'")


def test_a_replica_is_not_written(follower):
    seen = ask(**as_root(follower, write=True))
    assert "a row cannot be written: the server is a replica" in seen.output
    assert ask(**as_root(follower, write=True, replica=True)).status == "fail"
    assert not follower.sql("SHOW TABLES FROM probed LIKE 'holdfast_probe'")


def test_a_read_only_server_is_not_written(primary):
    primary.sql("SET GLOBAL read_only = 1")
    try:
        assert ask(**login(primary)).status == "pass"
        for check in (login(primary, write=True), as_root(primary, write=True)):
            seen = ask(**check)
            assert seen.status == "fail"
            assert "a row cannot be written: the server is read-only (read_only is on)" in seen.output
    finally:
        primary.sql("SET GLOBAL read_only = 0")
