"""Queues of jobs that were put there in the form of other versions of Laravel's, and in every kind of database."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.mariadb import MariaDB
from support.postgres import PostgreSQL
from support.queue import Eye
from support.redis import Redis, redis

JOBS = """
CREATE TABLE jobs (id {id}, queue VARCHAR(255) NOT NULL, payload TEXT NOT NULL, attempts SMALLINT NOT NULL,
  reserved_at INTEGER NULL, available_at INTEGER NOT NULL, created_at INTEGER NOT NULL)
"""
FAILED = "CREATE TABLE failed_jobs (id {id}, queue TEXT NOT NULL)"
INDEX = "CREATE INDEX jobs_queue_index ON jobs (queue)"
Execute = Callable[[str], Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with redis(tmp_path_factory.mktemp("redis")) as one:
        yield one


@pytest.fixture
def queues(server: Redis) -> dict[str, Any]:
    """A check of queues that are empty, and have no workers here."""
    server.cli("FLUSHALL")
    return {"type": "queue", "backend": "redis", "login_port": server.port, "workers_here": False}


def job(**more: Any) -> str:
    return json.dumps({"uuid": secrets.token_hex(8), "job": "x", "attempts": 0, **more})


def at_sqlite(request: pytest.FixtureRequest, folder: Path) -> tuple[dict[str, Any], Execute, str]:
    file = folder / "app.sqlite"

    def execute(statement: str) -> None:
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute(statement)

    return {"database": str(file)}, execute, "INTEGER PRIMARY KEY AUTOINCREMENT"


def at_mysql(request: pytest.FixtureRequest, folder: Path) -> tuple[dict[str, Any], Execute, str]:
    server: MariaDB = request.getfixturevalue("mariadb_server")
    server.create_database("queue", "queue", "queue-s3cret")
    request.addfinalizer(lambda: server.drop_database("queue"))
    login = {"login_host": "127.0.0.1", "login_port": server.port, "login_user": "queue"}
    login["login_password"] = "queue-s3cret"
    return {"database": "queue", **login}, lambda query: server.sql(query, "queue"), "BIGINT PRIMARY KEY AUTO_INCREMENT"


def at_postgresql(request: pytest.FixtureRequest, folder: Path) -> tuple[dict[str, Any], Execute, str]:
    server: PostgreSQL = request.getfixturevalue("postgresql_server")
    server.create_database("queue", "queue", "queue-s3cret")
    request.addfinalizer(lambda: server.drop_database("queue"))
    login = {"login_host": "127.0.0.1", "login_port": server.port, "login_user": "queue"}
    login["login_password"] = "queue-s3cret"
    return (
        {"database": "queue", **login},
        lambda query: server.sql(query, "queue", "queue"),
        "BIGSERIAL PRIMARY KEY",
    )


@pytest.mark.parametrize("engine", ["sqlite", "mysql", "postgresql"])
def test_every_kind_of_database(engine, request, tmp_path):
    login, execute, identity = globals()[f"at_{engine}"](request, tmp_path)
    for statement in (JOBS.format(id=identity), FAILED.format(id=identity), INDEX):
        execute(statement)
    check = {"type": "queue", "engine": engine, "workers_here": False, "queue": ["default", "mails"], **login}
    assert Eye().look(check).values["size"] == 0

    now = int(time.time())
    insert = "INSERT INTO jobs (queue, payload, attempts, reserved_at, available_at, created_at) VALUES "
    waiting = [f"('default', 'x', 0, NULL, {now - 40}, {now - 40})" for _ in range(20)]
    late = [f"('mails', 'x', 0, NULL, {now - 75}, {now - 75})"]
    later = [f"('default', 'x', 0, NULL, {now + 600}, {now})"]
    taken = [f"('default', 'x', 1, {now - 5}, {now - 40}, {now - 40})"]
    lost = [f"('mails', 'x', 1, {now - 100}, {now - 200}, {now - 200})"]
    elsewhere = [f"('other', 'x', 0, NULL, {now - 4000}, {now - 4000})"]
    execute(insert + ", ".join([*waiting, *late, *later, *taken, *lost, *elsewhere]))
    execute("INSERT INTO failed_jobs (queue) VALUES ('default'), ('mails'), ('other')")
    eye = Eye()
    seen = eye.look(check)
    assert (seen.status, seen.verdict) == ("fail", "stalled"), seen.output
    assert "1 job in mails taken more than 90 s ago" in seen.output
    wanted = {"size": 24, "pending": 21, "delayed": 1, "reserved": 2, "expired": 1, "overdue": 1}
    assert {name: seen.values[name] for name in wanted} == wanted
    assert 75 <= seen.values["oldest_s"] < 80
    assert seen.values["failed"] == 2 and "failed_new" not in seen.values

    # Done are 10 of the oldest; one is tried again, and 5 more came.
    execute("DELETE FROM jobs WHERE queue = 'default' AND id <= 11")
    execute(insert + ", ".join([f"('default', 'x', 1, NULL, {now}, {now})", *waiting[:5]]))
    execute("DELETE FROM failed_jobs WHERE id = 1")
    execute("INSERT INTO failed_jobs (queue) VALUES ('default')")
    seen = eye.look(check, later=60)
    assert seen.values["rate_per_min"] == pytest.approx(10, rel=0.05)
    assert seen.values["drain_s"] == pytest.approx(60 * seen.values["pending"] / 10, rel=0.05)
    assert (seen.values["failed"], seen.values["failed_new"]) == (2, 1)


def test_a_missing_table_is_named(tmp_path):
    (tmp_path / "app.sqlite").touch()
    check = {"type": "queue", "engine": "sqlite", "database": str(tmp_path / "app.sqlite"), "workers_here": False}
    seen = Eye().look(check)
    assert seen.status == "fail" and "no such table: jobs" in seen.output


def test_horizon_tells_when_a_job_was_pushed(server, queues):
    now = time.time()
    server.cli("RPUSH", "queues:default", job(pushedAt=str(now - 200), createdAt=int(now - 500)), job())
    seen = Eye().look(queues)
    assert seen.verdict == "stalled", seen.output
    assert seen.values["oldest_s"] == pytest.approx(200, abs=5)
    assert seen.values["pending"] == 2


def test_horizon_counts_what_is_done(server, queues):
    check = {**queues, "app_name": "My Shop", "queue": ["default", "mails"]}
    for name, count in (("default", 100), ("mails", 10)):
        server.cli("HSET", f"my_shop_horizon:queue:{name}", "throughput", count)
    server.cli("RPUSH", "my_shop_database_queues:default", *(job() for _ in range(30)))
    eye = Eye()
    eye.look(check)
    server.cli("HINCRBY", "my_shop_horizon:queue:default", "throughput", 20)
    seen = eye.look(check, later=30)
    assert seen.values["rate_per_min"] == pytest.approx(40, rel=0.1)
    assert seen.values["drain_s"] == pytest.approx(45, rel=0.1)
    server.cli("DEL", "my_shop_horizon:queue:default", "my_shop_horizon:queue:mails")  # as a snapshot does
    server.cli("HINCRBY", "my_shop_horizon:queue:mails", "throughput", 6)
    assert eye.look(check, later=60).values["rate_per_min"] == pytest.approx(12, rel=0.1)


@pytest.mark.parametrize(
    ("payload", "age"),
    [
        ({"createdAt": -200}, 200),
        ({"createdAt": -3610, "delay": 3600}, 10),
        ({"createdAt": -200, "attempts": 2}, None),
        ({}, None),
    ],
)
def test_the_age_of_a_job_is_from_when_it_was_due(server, queues, payload, age):
    if "createdAt" in payload:
        payload = {**payload, "createdAt": int(time.time()) + payload["createdAt"]}
    server.cli("RPUSH", "queues:default", job(**payload))
    seen = Eye().look(queues)
    assert seen.values.get("oldest_s") == (None if age is None else pytest.approx(age, abs=5))


def test_a_job_without_any_time_is_as_old_as_we_know_it(server, queues):
    server.cli("RPUSH", "queues:default", "no JSON at all")
    eye = Eye()
    assert eye.look(queues).status == "pass"
    seen = eye.look(queues, later=70)
    assert seen.verdict == "stalled", seen.output
    assert seen.values["oldest_s"] == pytest.approx(70, abs=5)
    server.cli("LPOP", "queues:default")
    server.cli("RPUSH", "queues:default", job())
    assert eye.look(queues, later=80).status == "pass", "another one, which has only come"


@pytest.mark.parametrize("key", ["my_shop_database_queues:default", "my-shop-database-queues:default"])
def test_the_prefixes_before_and_after_laravel_13(server, queues, key):
    server.cli("RPUSH", key, job(createdAt=int(time.time()) - 300))
    seen = Eye().look({**queues, "app_name": "My Shop"})
    assert (seen.status, seen.verdict) == ("fail", "stalled"), "jobs that an upgrade left behind are seen"
    assert key in seen.output
    assert seen.values["size"] == 1
    assert Eye().look({**queues, "prefix": "my_shop_"}).values["size"] == 0


def test_who_died_and_what_is_overdue_is_seen_where_laravel_sees_nothing(server, queues):
    """`queue:monitor` calls this queue fine: nothing is pending in its list."""
    now = int(time.time())
    server.cli("ZADD", "queues:default:reserved", now - 3510, job(attempts=1))
    server.cli("ZADD", "queues:default:delayed", now - 1800, job())
    seen = Eye().look(queues)
    assert (seen.status, seen.verdict) == ("fail", "stalled")
    assert (seen.values["expired"], seen.values["overdue"], seen.values["pending"]) == (1, 1, 1)


def test_one_queue_that_is_stalled_beside_one_that_is_not(server, queues):
    now = int(time.time())
    server.cli("ZADD", "queues:high:reserved", now + 80, job(attempts=1))
    server.cli("RPUSH", "queues:low", job(createdAt=now - 1000))
    seen = Eye().look({**queues, "queue": ["high", "low"]})
    assert (seen.status, seen.verdict) == ("fail", "stalled")
    assert "work waits in queues:low for 100" in seen.output


@pytest.mark.parametrize(
    "payload",
    ["no json", "[1]", "[" * 5000, '{"attempts": null}', '{"attempts": "many"}', '{"pushedAt": 1' + "0" * 400 + "}"],
)
def test_what_is_no_job_of_laravel_s_is_counted_all_the_same(server, queues, payload):
    server.cli("RPUSH", "queues:default", payload)
    server.cli("ZADD", "queues:default:reserved", int(time.time()) - 1000, payload)
    seen = Eye().look({**queues, "workers_here": True, "match": "pytest"})
    assert (seen.verdict, seen.values["pending"], seen.values["expired"]) == ("stalled", 1, 1)


def test_a_million_jobs_are_written_out(server, queues):
    server.cli("EVAL", "for i = 1, 1000000 do redis.call('RPUSH', 'queues:default', 'x') end", 0)
    seen = Eye().look({**queues, "fail": {"pending": 1000000}})
    assert seen.status == "fail" and seen.output.startswith("pending is 1000000 jobs, the limit is 1000000")
    assert "1000000 waiting" in seen.output


def test_a_user_of_an_access_list_with_the_rights_that_the_manual_names(server, queues):
    rights = ["+llen", "+lindex", "+zcard", "+zcount", "+zrange", "+zrangebyscore", "+hget", "+select"]
    server.cli("ACL", "SETUSER", "eye", "reset", "on", "nopass", "~shop_queues:*", "~horizon:*", *rights)
    server.cli("RPUSH", "shop_queues:default", job())
    seen = Eye().look({**queues, "prefix": "shop_", "login_user": "eye", "login_password": "", "database": "0"})
    assert (seen.status, seen.values["pending"]) == ("pass", 1)


def test_failures_are_new_in_a_table_that_was_emptied_and_counts_from_one_again(request, tmp_path):
    login, execute, number = at_sqlite(request, tmp_path)
    for statement in (JOBS, FAILED):
        execute(statement.format(id=number))
    for _ in range(20):
        execute("INSERT INTO failed_jobs (queue) VALUES ('default')")
    eye, check = Eye(), {"type": "queue", "engine": "sqlite", **login, "workers_here": False}
    assert eye.look(check).values["failed"] == 20
    execute("DELETE FROM failed_jobs")
    execute("DELETE FROM sqlite_sequence")
    assert eye.look(check).values["failed_new"] == 0
    execute("INSERT INTO failed_jobs (queue) VALUES ('default')")
    assert eye.look(check).values["failed_new"] == 1
    assert eye.look(check).values["failed_new"] == 0
