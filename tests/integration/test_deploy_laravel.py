"""A real Laravel application is deployed over SSH on each database; nothing that fails changes anything."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from support.databases import sqlite_content
from support.laravel import ADDS_DATA, BREAKS_HALFWAY, LaravelSource, env_file
from support.playbook import Ended, playbook_running, run_playbook
from support.processes import wait_until
from support.sshd import Sshd
from support.supervisor import supervisor
from support.watcher import LeakWatcher, files_with
from support.web import Web, web

PASSWORD = "Laravel-S3cret$with 'odd' %signs%"


@dataclass
class Site:
    """An application on a target, from its repository to its web server."""

    engine: str
    path: Path
    source: LaravelSource
    hosts: dict[str, Any]
    variables: dict[str, Any]
    database: Callable[[], dict[str, Any]]
    web: Web
    stack: ExitStack = field(repr=False)

    def deploy(self, ref: str = "main", *extra: str, **variables: Any) -> Ended:
        return run_playbook("deploy.yml", self.hosts, {**self.variables, "deploy_source_ref": ref, **variables}, *extra)

    def play(self, playbook: str, *extra: str, **variables: Any) -> Ended:
        return run_playbook(playbook, self.hosts, {**self.variables, **variables}, *extra)

    @property
    def live(self) -> dict[str, Any]:
        """What the application says of itself."""
        status, body = self.web.get("/health")
        assert status == 200, body
        return body

    def order(self, customer: str) -> int:
        status, body = self.web.post("/orders", customer=customer, amount_cents="100")
        assert status == 201, body
        return body["id"]

    def note_of(self, order: int) -> str | None:
        return next(one["note"] for one in self.web.get("/orders")[1] if one["id"] == order)

    def wait_for_worker(self, order: int, version: str) -> None:
        wait_until(lambda: self.note_of(order) == f"done by {version}", f"order {order} done by version {version}", 30)

    def rows(self) -> dict[str, Any]:
        """All rows and the schema, but for the queue, which a worker empties while we look."""
        return {name: value for name, value in self.database().items() if name not in ("jobs rows", "jobs")}

    def releases(self) -> list[str]:
        return sorted(entry.name for entry in (self.path / "releases").iterdir())

    def in_maintenance(self) -> bool:
        return (self.path / "shared/storage/framework/down").exists()


def login_of(engine: str, request: pytest.FixtureRequest, folder: Path) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """What the role, the application and the test need to reach a new database."""
    name = "laravel_" + secrets.token_hex(4)
    if engine == "sqlite":
        path = folder / "orders.sqlite"
        return {"database": str(path)}, {"DB_DATABASE": path}, lambda: sqlite_content(path)
    server = request.getfixturevalue(f"{'mariadb' if engine == 'mysql' else engine}_server")
    server.create_database(name, "laravel", PASSWORD.replace("'", "''"))
    request.addfinalizer(lambda: server.drop_database(name))
    role = {"database": name, "login_host": "127.0.0.1", "login_port": server.port}
    role |= {"login_user": "laravel", "login_password": PASSWORD}
    application = {"DB_HOST": "127.0.0.1", "DB_PORT": server.port, "DB_DATABASE": name}
    application |= {"DB_USERNAME": "laravel", "DB_PASSWORD": PASSWORD}
    return role, application, lambda: server.content(name)


@pytest.fixture(params=["sqlite", "mysql", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path, ssh_server: Sshd) -> Iterator[Site]:
    path = tmp_path / "srv"
    for folder in (path / "shared", tmp_path / "web", tmp_path / "supervisor"):
        folder.mkdir(parents=True)
    role, application, database = login_of(request.param, request, tmp_path)
    (path / "shared/.env").write_text(env_file(request.param, **application))
    source = LaravelSource(tmp_path / "source")
    with ExitStack() as stack:
        server = stack.enter_context(web(tmp_path / "web", path / "current"))
        worker = {
            "command": f"php {path}/current/artisan queue:work --sleep=0.2 --tries=1",
            "autostart": "false",
            "autorestart": "true",
            "startsecs": "0",
            "stopwaitsecs": "30",
        }
        config = stack.enter_context(supervisor(tmp_path / "supervisor", {"worker": worker}))
        variables = {
            "deploy_app": "orders",
            "deploy_path": str(path),
            "deploy_source_location": str(source.folder),
            "deploy_preset": "laravel",
            "deploy_supervisor_programs": ["worker"],
            "deploy_supervisor_config": str(config),
            "deploy_db_engine": request.param,
            **{f"deploy_db_{name}": value for name, value in role.items()},
            "deploy_health_checks": [{"name": "app", "type": "http", "url": server.url("/health")}],
            "deploy_health_timeout": 4,
            "deploy_health_interval": 0.2,
        }
        yield Site(request.param, path, source, {"web1": ssh_server.inventory_vars()}, variables, database, server, stack)


def first_deploy(site: Site) -> None:
    ended = site.deploy()
    assert ended.rc == 0, ended.output
    assert site.live["version"] == "1"
    for customer in ("Ada", "O'Brien", "Zoë 😀", "林"):
        site.wait_for_worker(site.order(customer), "1")


def assert_rolled_back(site: Site, ended: Ended, before: dict[str, Any], live: dict[str, Any], failed_at: str) -> None:
    """Everything is as it was, and the play says what failed and where things stand."""
    assert ended.rc != 0
    assert site.live == live
    assert site.rows() == before
    assert not site.in_maintenance()
    assert site.releases() == [live["release"]], "the failed release is gone"
    assert not (site.path / ".holdfast/journal.json").exists()
    said = ended.last()
    assert "FAILED at " + failed_at in said
    assert f"NOW: release {live['release']} is live" in said
    order = site.order("after the rollback")
    site.wait_for_worker(order, live["version"])


def test_a_release_goes_live_and_another_with_a_migration(site):
    first_deploy(site)
    commit = site.source.release("2", migration=ADDS_DATA)
    ended = site.deploy()
    assert ended.rc == 0, ended.output
    assert site.live["version"] == "2"
    orders = site.web.get("/orders")[1]
    assert [order["customer"] for order in orders] == ["Ada", "O'Brien", "Zoë 😀", "林", "from the migration"]
    assert {order["currency"] for order in orders} == {"EUR"}
    assert (site.path / "current/REVISION").read_text() == commit + "\n"
    assert not site.in_maintenance()
    site.wait_for_worker(site.order("new"), "2")

    back = site.play("rollback.yml", rollback_restore_point="recorded")
    assert back.rc == 0, back.output
    assert site.live["version"] == "1"
    assert "currency" not in site.web.get("/orders")[1][0], "the database went back too"
    site.wait_for_worker(site.order("again"), "1")

    forward = site.play("rollback.yml", rollback_to=sorted(site.releases())[-1])
    assert forward.rc == 0, forward.output
    assert site.live["version"] == "2", "a named release is found"


def test_a_migration_that_breaks_halfway_is_undone(site):
    first_deploy(site)
    before, live = site.rows(), site.live
    site.source.release("2", migration=BREAKS_HALFWAY)
    ended = site.deploy()
    assert "broken on purpose" in ended.last()
    assert "database restored from" in ended.last()
    assert_rolled_back(site, ended, before, live, "Change | Migrate")


def test_a_release_that_is_sick_after_the_switch_is_undone(site):
    first_deploy(site)
    before, live = site.rows(), site.live
    site.source.release("2", migration=ADDS_DATA, healthy=False)
    assert_rolled_back(site, site.deploy(), before, live, "Health | Ask until it is well")


def test_without_a_migration_the_database_is_not_touched_by_the_undo(site):
    first_deploy(site)
    before, live = site.rows(), site.live
    site.source.release("2", healthy=False)
    ended = site.deploy()
    assert "the database was not touched" in ended.last()
    assert_rolled_back(site, ended, before, live, "Health | Ask until it is well")
