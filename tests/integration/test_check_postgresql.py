"""Health checks of a PostgreSQL server and of its standby."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from support.checks import answer, ask
from support.postgres import PostgreSQL, standby
from support.processes import wait_until

PASSWORD = "k3eps secrets"


def login(server: PostgreSQL, **options: Any) -> dict[str, Any]:
    """A check as the application's user."""
    return {
        "type": "postgresql", "database": "probed", "login_host": "127.0.0.1", "login_port": server.port,
        "login_user": "probed", "login_password": PASSWORD, **options,
    }  # fmt: skip


@pytest.fixture(scope="module")
def primary(postgresql_server: PostgreSQL) -> Iterator[PostgreSQL]:
    postgresql_server.create_database("probed", "probed", PASSWORD)
    yield postgresql_server
    postgresql_server.drop_database("probed")
    postgresql_server.sql("DROP ROLE probed")


@pytest.fixture(scope="module")
def second(primary: PostgreSQL, server_folder: Path) -> Iterator[PostgreSQL]:
    folder = server_folder / "postgresql-standby"
    folder.mkdir()
    with standby(folder, primary) as server:
        wait_until(lambda: ask(**login(server, replica=True)).status == "pass", "it replicates")
        yield server


@pytest.fixture
def follower(second: PostgreSQL) -> Iterator[PostgreSQL]:
    """The standby; whatever a test does to it, it replicates again afterwards."""
    yield second
    second.sql("SELECT pg_wal_replay_resume()")
    wait_until(lambda: ask(**login(second, replica=True)).status == "pass", "it replicates again")


@contextlib.contextmanager
def system(server: PostgreSQL, name: str, value: str) -> Iterator[None]:
    """A setting for the time of the block."""
    ((before,),) = server.sql(f"SHOW {name}")

    def use(wanted: str) -> None:
        quoted = wanted.replace("'", "''")
        server.sql(f"ALTER SYSTEM SET {name} = '{quoted}'")
        server.sql("SELECT pg_reload_conf()")

    use(value)
    try:
        yield
    finally:
        use(before)


@contextlib.contextmanager
def connections(server: PostgreSQL, count: int, user: str = "probed") -> Iterator[list[psycopg.Connection[Any]]]:
    """So many connections."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(
                contextlib.closing(
                    psycopg.connect(host=str(server.socket), port=server.port, user=user, dbname="probed")
                )
            )
            for _ in range(count)
        ]


def test_it_tells_its_version_and_connections(primary):
    seen = ask(**login(primary))
    assert seen.status == "pass"
    assert re.search(r"PostgreSQL \d+\.\d+; \d+ of 97 connections", seen.output)
    assert 0 < seen.values["connections_percent"] < 80
    assert seen.values["longest_transaction_s"] == 0
    assert 0 <= seen.values["wraparound_percent"] < 50
    assert "replication_lag_s" not in seen.values, "it is no standby"


def test_a_query_may_be_put_too(primary):
    assert ask(**login(primary, query="SELECT 2", expect="2")).status == "pass"
    wrong = ask(**login(primary, query="SELECT 2", expect="3"))
    assert (wrong.status, "connections_percent" in wrong.values) == ("fail", True)
    assert "expected the query to give '3', got 2; PostgreSQL" in wrong.output
    assert "read-only transaction" in ask(**login(primary, query="CREATE TABLE t (x INT)")).output


@pytest.mark.parametrize(
    ("options", "said", "outage"),
    [
        ({"login_password": "wrong"}, 'password authentication failed for user "probed"', False),
        ({"database": "no_such"}, 'database "no_such" does not exist', False),
        ({"login_port": 1}, "no answer from the database server at 127.0.0.1", True),
        ({"login_unix_socket": "/no"}, "no answer from the database server at /no", True),
        ({"login_host": "no-such-host.invalid"}, "no answer from the database server at no-such-host.invalid", True),
    ],
)
def test_who_is_refused_is_told_why(primary, options, said, outage):
    seen = answer(**login(primary, **options))
    assert seen.status == "fail" and said in seen.output
    assert seen.outage is outage, "an older answer may stand in only where nobody answers"


def test_long_transactions_are_seen_by_who_may(primary):
    limits = {"warn": {"longest_transaction_s": 1}}
    with connections(primary, 1, "postgres") as (busy,):
        busy.execute("SELECT 1")
        seen = ask(**login(primary))
        assert "of 1 sessions the transactions cannot be seen" in seen.output
        (grant,) = re.findall("GRANT .*", seen.output)
        primary.sql(grant)
        try:
            wait_until(lambda: ask(**login(primary, **limits)).status == "warn", "its age is seen")
            assert "cannot be seen" not in ask(**login(primary)).output
            busy.rollback()
            assert ask(**login(primary, **limits)).status == "pass"
        finally:
            primary.sql("REVOKE pg_read_all_stats FROM probed")


def test_the_grant_is_right_for_a_user_with_an_odd_name(primary):
    primary.sql("""CREATE ROLE "o'b""r ü" LOGIN PASSWORD 'odd-s3cret'""")
    check = login(primary, login_user="o'b\"r ü", login_password="odd-s3cret")
    with psycopg.connect(host=str(primary.socket), port=primary.port, user="postgres", dbname="probed"):
        (grant,) = re.findall("GRANT .*", ask(**check).output)
        primary.sql(grant)
        assert "GRANT" not in ask(**check).output
    primary.sql('DROP ROLE "o\'b""r ü"')


def test_a_server_that_wants_a_password_is_no_outage(primary):
    seen = answer(**login(primary, login_password=""))
    assert (seen.status, seen.outage) == ("fail", False) and "no password supplied" in seen.output


def test_a_forgotten_prepared_transaction_is_seen(primary):
    assert "longest_prepared_s" not in ask(**login(primary)).values
    primary.sql("BEGIN; CREATE TABLE prepared (x INT); PREPARE TRANSACTION 'forgotten'", "probed")
    try:
        seen = ask(**login(primary, warn={"longest_prepared_s": 0}))
        assert seen.status == "warn" and "longest_prepared_s is 0" in seen.output
    finally:
        primary.sql("ROLLBACK PREPARED 'forgotten'", "probed")


def test_a_server_that_runs_out_of_connections_warns_and_then_fails(primary):
    others = primary.sql("SELECT count(*) - 1 FROM pg_stat_activity WHERE backend_type = 'client backend'")[0][0]
    with connections(primary, 79 - others):
        seen = ask(**login(primary))
        assert (seen.status, seen.values["connections_percent"]) == ("warn", 82.5)
        assert "connections_percent is 82.5 %, the limit is 80" in seen.output
        with connections(primary, 14):
            assert ask(**login(primary)).status == "fail"
            with connections(primary, 4):
                assert "remaining connection slots are reserved" in ask(**login(primary)).output


def test_a_level_standby_has_no_lag_however_long_the_primary_is_idle(primary, follower):
    primary.sql("CREATE TABLE IF NOT EXISTS news (x INT)", "probed")
    old = "SELECT now() - pg_last_xact_replay_timestamp() > interval '1 s'"
    wait_until(lambda: follower.sql(old) == [(True,)], "the last transaction is old")
    seen = ask(**login(follower, replica=True))
    assert (seen.status, seen.values["replication_lag_s"]) == ("pass", 0)
    assert "replicates as a standby" in seen.output


def test_a_standby_tells_its_lag(primary, follower):
    limits = {"warn": {"replication_lag_s": 1}}
    with system(follower, "recovery_min_apply_delay", "30s"):
        primary.sql("CREATE TABLE IF NOT EXISTS late (x INT)", "probed")
        wait_until(lambda: ask(**login(follower, **limits)).status == "warn", "the lag is seen")


def test_a_paused_standby_fails_where_one_is_wanted(follower):
    follower.sql("SELECT pg_wal_replay_pause()")
    seen = ask(**login(follower, replica=True))
    assert (seen.status, seen.verdict) == ("fail", "not_replicating")
    assert "its replay is paused" in seen.output
    seen = ask(**login(follower))
    assert seen.status == "pass" and "its replay is paused" in seen.output


def test_a_standby_without_its_primary_fails_where_one_is_wanted(follower):
    with system(follower, "primary_conninfo", "host=/no/such/folder"):
        wait_until(lambda: ask(**login(follower, replica=True)).status == "fail", "it is cut off")
        seen = ask(**login(follower, replica=True))
    assert "it receives no WAL (its log tells why), the last transaction is" in seen.output


def test_a_primary_tells_of_its_standbys(primary, follower):
    seen = ask(**login(primary, replica=True))
    assert (seen.status, seen.verdict) == ("fail", "not_replicating")
    assert "expected a replica, but the server is a primary" in seen.output
    assert seen.values["replicas"] == 1
    assert "replica_lag_bytes" not in seen.values, "the user may not see it"
    follower.sql("SELECT pg_wal_replay_pause()")
    primary.sql("CREATE TABLE IF NOT EXISTS more (x INT)", "probed")
    root = {"login_unix_socket": str(primary.socket), "login_user": "postgres"}
    assert ask(**login(primary, **root)).values["replica_lag_bytes"] > 0
    assert ask(**login(primary, fail={"replicas": 0})).status == "pass"
    assert ask(**login(primary, fail={"replicas": 1})).status == "fail"


def test_what_is_read_only_is_not_written(primary, follower):
    seen = ask(**login(follower, write=True))
    assert "a row cannot be written: the server is a standby" in seen.output
    primary.sql("ALTER DATABASE probed SET default_transaction_read_only = on")
    try:
        assert ask(**login(primary)).status == "pass"
        seen = ask(**login(primary, write=True))
        assert (seen.status, "connections_percent" in seen.values) == ("fail", True)
        assert "cannot execute CREATE TABLE in a read-only transaction" in seen.output
    finally:
        primary.sql("ALTER DATABASE probed RESET default_transaction_read_only")
