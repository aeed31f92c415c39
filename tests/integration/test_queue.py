"""What the check of a queue says of real workers of Laravel's, each time in one look unless two are needed."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.processes import wait_until
from support.queue import Eye, QueueApp, queue_app
from support.redis import redis


@pytest.fixture(params=["database", "redis"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[QueueApp]:
    root = tmp_path / "app"
    if request.param == "database":
        check = {"engine": "sqlite", "database": str(root / "app.sqlite")}
        with queue_app(root, check, {}) as one:
            yield one
        return
    with redis(tmp_path / "redis", password="redis-s3cret") as server:
        check = {
            "backend": "redis",
            "login_unix_socket": str(server.socket),
            "login_password": "redis-s3cret",
            "prefix": "orders_database_",
            "failed_engine": "sqlite",
            "failed_database": str(root / "app.sqlite"),
        }
        env = {"QUEUE_CONNECTION": "redis", "REDIS_PORT": server.port, "REDIS_PASSWORD": "redis-s3cret"}
        with queue_app(root, check, env) as one:
            yield one


def wait_for_worker(app: QueueApp, tmp_path: Path) -> None:
    """Wait until a worker takes jobs."""
    done = tmp_path / f"ready-{time.monotonic()}"
    app.push("touch", done)
    wait_until(done.exists, "the worker takes a job")
    wait_until(lambda: app.look().values["size"] == 0, "the job is gone")


def wait_until_taken(app: QueueApp) -> None:
    wait_until(lambda: app.look().values["reserved"] == 1, "the worker has the job")


def test_a_queue_that_is_worked_off(app, tmp_path):
    app.worker()
    wait_for_worker(app, tmp_path)
    seen = app.look()
    assert (seen.status, seen.verdict) == ("pass", ""), seen.output
    assert seen.values["workers"] == 1
    assert 10 < seen.values["worker_rss_mb"] < 500
    assert seen.values["old_code"] == 0
    assert "0 waiting, 0 in work, 0 for later, 1 worker" in seen.output


def test_no_worker_at_all(app, tmp_path):
    assert app.look().status == "pass", "without work there is nobody to miss"
    app.push("touch", tmp_path / "done", "--times=3")
    seen = app.look()
    assert (seen.status, seen.verdict) == ("fail", "no_workers"), seen.output
    assert "3 jobs in " in seen.output and "start the workers" in seen.output
    assert app.look(workers_here=False).status == "pass", "another host may take them"


def test_a_worker_that_is_stopped_by_a_signal(app, tmp_path):
    process = app.worker()
    wait_for_worker(app, tmp_path)
    process.send_signal(signal.SIGSTOP)
    app.push("touch", tmp_path / "done")
    seen = app.look()
    assert (seen.status, seen.verdict) == ("fail", "stalled"), seen.output
    assert f"every worker for it is stopped by a signal (pid {process.pid})" in seen.output
    process.send_signal(signal.SIGCONT)
    wait_until((tmp_path / "done").exists, "the job is done")
    wait_until(lambda: app.look().status == "pass", "all is well again")


def test_a_worker_that_is_killed_in_the_middle_of_a_job(app, tmp_path):
    process = app.worker()
    app.push("wait", tmp_path / "never")
    wait_until_taken(app)
    process.kill()
    process.wait()
    seen = app.look()
    assert (seen.status, seen.verdict) == ("fail", "no_workers"), seen.output
    assert "1 job in " in seen.output


def test_a_worker_that_hangs_in_a_job(app, tmp_path):
    app.worker("--timeout=0")
    app.push("wait", tmp_path / "never")
    wait_until_taken(app)
    seen = Eye().look(app.check, later=100)
    assert (seen.status, seen.verdict) == ("fail", "stalled"), seen.output
    assert "1 job in " in seen.output and "taken more than 90 s ago, neither done nor taken again" in seen.output


def test_a_slow_worker_is_not_taken_for_a_dead_one(app, tmp_path):
    app.worker()
    app.push("wait", tmp_path / "go")
    wait_until_taken(app)
    app.push("touch", tmp_path / "after")
    app.look()  # Laravel 8 does not note in Redis when a job was pushed
    seen = app.look(later=85, warn={"oldest_s": 80})
    assert (seen.status, seen.verdict) == ("warn", "backlog"), seen.output
    assert "1 waiting, the first for 8" in seen.output and "1 in work" in seen.output
    (tmp_path / "go").touch()
    wait_until((tmp_path / "after").exists, "both jobs are done")


def test_a_worker_that_is_paused(app, tmp_path):
    process = app.worker()
    wait_for_worker(app, tmp_path)
    process.send_signal(signal.SIGUSR2)
    app.push("touch", tmp_path / "first")
    app.push("touch", tmp_path / "done")
    app.look()  # Laravel 8 does not note in Redis when a job was pushed
    seen = app.look(later=100)
    assert (seen.status, seen.verdict) == ("fail", "stalled"), seen.output
    assert "for 10" in seen.output and "nobody takes it" in seen.output
    process.send_signal(signal.SIGCONT)
    wait_until((tmp_path / "done").exists, "the job is done")


def test_workers_rest_during_maintenance(app, tmp_path):
    app.worker()
    wait_for_worker(app, tmp_path)
    app.artisan("down")
    app.push("touch", tmp_path / "done")
    app.look()  # Laravel 8 does not note in Redis when a job was pushed
    seen = app.look(later=100)
    assert (seen.status, seen.verdict) == ("warn", "maintenance"), seen.output
    app.artisan("up")
    wait_until((tmp_path / "done").exists, "the job is done")


def test_delayed_jobs_that_nobody_took_when_they_were_due(app):
    app.push("work", None, "--delay=30")
    seen = app.look(workers_here=False)
    assert seen.status == "pass" and seen.values["delayed"] == 1
    seen = app.look(later=130, workers_here=False)
    assert (seen.status, seen.verdict) == ("fail", "stalled"), seen.output
    assert seen.values["overdue"] == 1
    assert 95 < seen.values["oldest_s"] <= 101


def test_a_long_queue_that_moves_is_not_stalled_at_first_sight(app, tmp_path):
    app.push("work", None, "--times=100")
    app.push("touch", tmp_path / "end")
    app.worker()
    seen = app.look(later=100)
    assert seen.verdict == "", seen.output
    assert seen.values["pending"] > 0
    left = seen.values["size"]
    wait_until(lambda: app.look(workers_here=False).values["size"] <= left - 5, "five jobs are done")
    seen = app.look(later=110)
    assert seen.values["rate_per_min"] > 0
    assert seen.values["drain_s"] == pytest.approx(60 * seen.values["pending"] / seen.values["rate_per_min"], rel=0.1)
    assert "done a minute, all of it done in" in seen.output


def test_jobs_that_fail(app, tmp_path):
    app.worker("--tries=1")
    wait_for_worker(app, tmp_path)
    app.push("fail", None, "--times=2")
    app.push("touch", tmp_path / "some")
    wait_until((tmp_path / "some").exists, "two have failed")
    seen = app.look()
    assert (seen.status, seen.verdict) == ("warn", "failing"), seen.output
    assert "failed_new is 2 jobs, the limit is 1" in seen.output
    app.push("fail", None, "--times=10")
    app.push("touch", tmp_path / "end")
    wait_until((tmp_path / "end").exists, "all are done")
    seen = app.look()
    assert (seen.status, seen.verdict) == ("fail", "failing"), seen.output
    assert seen.values["failed"] == 12
    assert app.look().status == "pass", "they are told once"


def test_a_job_that_kills_its_worker_each_time(app):
    app.push("crash")
    # In a database it is who takes a job anew that knows for how long it was reserved, in Redis who took it before.
    for retry_after in (1, 1, 90 if app.check.get("backend") == "redis" else 1):
        assert app.worker("--tries=0", retry_after=retry_after).wait(30) == -signal.SIGKILL
    crashed = int(time.time())
    # Laravel notes the second in which a job was taken, the kernel the hundredth in which a process began.
    wait_until(lambda: time.time() > crashed + 1.1, "the clock's second is over")
    app.worker("--tries=0")
    seen = app.look()
    assert (seen.status, seen.verdict) == ("fail", "failing"), seen.output
    assert "1 job in " in seen.output and "taken up to 3 times by workers that are gone" in seen.output


def test_workers_that_run_the_code_of_a_deleted_release(app, tmp_path):
    app.worker()
    wait_for_worker(app, tmp_path)
    app.release("2")
    seen = app.look()
    assert (seen.status, seen.verdict) == ("warn", "old_code"), seen.output
    shutil.rmtree(app.root / "releases/1")
    seen = app.look()
    assert (seen.status, seen.verdict) == ("warn", "old_code"), seen.output
    assert "1 worker runs the code of 1, which is not the current release" in seen.output
    assert "php artisan queue:restart" in seen.output


def test_workers_of_another_application_do_not_count(app, tmp_path):
    app.worker()
    wait_for_worker(app, tmp_path)
    app.push("wait", tmp_path / "go")
    other = tmp_path / "other"
    other.mkdir()
    assert app.look(path=str(other)).values["workers"] == 0
    (tmp_path / "go").touch()
